"""Where a function's module is: a file, or a folder that has one or a ``function.toml`` that names it."""

import tomllib
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from guesthouse.cli.exits import BadInput

MANIFEST: Final = "function.toml"
MAX_TOML_BYTES: Final = 1 << 20

T = TypeVar("T")


class Found(NamedTuple):
    """A module's file and the name that goes with it."""

    path: str
    name: str


class _Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    """A ``function.toml``."""

    module: str | None = None
    """Relative to the folder."""
    name: str | None = None


def find_module(where: str) -> Found:
    """Find the module that a path means; `BadInput` says what is missing."""
    path = Path(where)
    if not path.is_dir():
        return Found(where, path.name.removesuffix(".wasm"))
    name = path.resolve().name
    manifest = _Manifest()
    if (path / MANIFEST).exists():
        manifest = read_toml_as(_Manifest, path / MANIFEST)
    if manifest.module is not None:
        return Found(str(path / manifest.module), manifest.name or name)
    modules = sorted(path.glob("*.wasm"))
    if len(modules) != 1:
        many = f"{len(modules)} modules" if modules else "no module"
        raise BadInput(f"{where}: the folder has {many}; name the file, or name it as module in its {MANIFEST}")
    return Found(str(modules[0]), manifest.name or name)


def read_toml_as(type_: type[T], path: Path) -> T:
    """Read a TOML file that must be of a type."""
    try:
        return msgspec.convert(read_toml(path), type_)
    except msgspec.ValidationError as error:
        raise BadInput(f"{path}: {error}") from None


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file; `BadInput` names file and line of what is wrong in it."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_TOML_BYTES + 1)
    except OSError as error:
        raise BadInput(f"{path}: can't be read: {error.strerror}") from None
    if len(data) > MAX_TOML_BYTES:
        raise BadInput(f"{path}: larger than the {MAX_TOML_BYTES:,} bytes that are allowed")
    try:
        return tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(f"{path}: this isn't TOML: {error}") from None
