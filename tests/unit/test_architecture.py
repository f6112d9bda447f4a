"""The shape of the code, held by a test: one direction of imports, each library in its place, small modules."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import guesthouse

ROOT = Path(guesthouse.__file__).parent
LAYERS = (
    ("cli",),
    ("app", "serving"),
    ("api", "console"),
    ("pipeline",),
    ("runtime", "queue", "registry", "ledger"),
    ("abi",),
    ("model",),
    ("errors", "config", "clock", "ids", "logs"),
)
"""Highest first; a layer imports those below it, and itself."""
RANKS = {name: rank for rank, names in enumerate(LAYERS) for name in names}
HOMES = {
    "wasmtime": ("runtime",),
    "ctypes": ("runtime",),
    "aiohttp": ("runtime",),
    "sqlalchemy": ("queue", "registry", "ledger", "cache"),
    "sqlite3": ("queue", "registry", "ledger", "cache"),
    "starlette": ("api", "console", "app"),
}
"""Libraries that only some layers know."""
FILES = sorted(ROOT.rglob("*.py"))
MAX_LINES = 300


def layer(path: Path) -> str:
    """Name the layer that a file belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Yield the dotted name of everything that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    """A module imports its own layer and those below, never one above; the facade alone looks up, and lazily."""
    if path == ROOT / "__init__.py":
        return
    above = [name for name in imports(path) if (target := _layer_of(name)) and RANKS[target] < RANKS[layer(path)]]
    assert not above


def _layer_of(name: str) -> str | None:
    parts = name.split(".")
    return parts[1] if parts[0] == "guesthouse" and len(parts) > 1 and parts[1] in RANKS else None


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_libraries_stay_where_they_belong(path: Path) -> None:
    """Wasmtime is known to runtime/ alone, SQL to the storage folders, HTTP servers to api/ and console/."""
    for name in imports(path):
        homes = HOMES.get(name.split(".")[0])
        assert homes is None or layer(path) in homes, f"{name} belongs to {homes}"


def test_one_file_declares_the_c_api() -> None:
    """Whoever wants a function of the library declares it in capi.py; nobody else loads the library."""
    for path in FILES:
        if path.name != "capi.py":
            assert "library_path" not in path.read_text(), path
            assert not [name for name in imports(path) if name.startswith("wasmtime")], path


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_are_small_and_say_what_they_are(path: Path) -> None:
    """Each module has a docstring and at most 300 lines."""
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text)), "no docstring"
    assert len(text.splitlines()) <= MAX_LINES
