"""A ``guesthouse.toml``: a whole set-up as one file, without the secrets' values.

``${NAME}`` in any text stands for a variable of the environment, ``${NAME:-text}`` for it or that text, and ``$${`` for
``${`` itself.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from guesthouse.cli.exits import BadInput
from guesthouse.cli.folders import read_toml
from guesthouse.model.capability import Exposure
from guesthouse.model.filter import EVERYTHING, Filter
from guesthouse.model.registry import Batching

_VARIABLE: Final = re.compile(r"\$(\$\{)|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


class FunctionPart(Struct, frozen=True, forbid_unknown_fields=True):
    """One function."""

    module: str
    """A module or a folder, as ``guesthouse deploy`` takes it; relative to the file."""


class SecretPart(Struct, frozen=True, forbid_unknown_fields=True):
    """One secret with more to it than its value."""

    value: str
    exposure: Exposure | None = None
    hosts: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Hide the value: reprs reach logs."""
        return f"SecretPart(exposure={self.exposure!r}, hosts={self.hosts!r})"


Secrets = dict[str, str | SecretPart]


class SourcePart(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One source."""

    function: str | None = None
    settings: dict[str, Any] = {}
    secrets: Secrets = {}
    allow: tuple[str, ...] = ()
    limits: dict[str, int] = {}


class DestinationPart(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One destination."""

    function: str
    sources: tuple[str, ...] = ()
    settings: dict[str, Any] = {}
    secrets: Secrets = {}
    allow: tuple[str, ...] = ()
    limits: dict[str, int] = {}
    filter: Filter = EVERYTHING
    batching: Batching | None = None
    paused: bool = False


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file; what isn't in it is left alone."""

    functions: dict[str, FunctionPart] = {}
    sources: dict[str, SourcePart] = {}
    destinations: dict[str, DestinationPart] = {}


def read_manifest(path: Path, environment: Mapping[str, str] = os.environ) -> Manifest:
    """Read the file; `BadInput` says where it is wrong."""
    document = read_toml(path)
    missing: set[str] = set()
    filled = _filled(document, environment, missing)
    if missing:
        raise BadInput(f"{path}: not in the environment: {', '.join(sorted(missing))}")
    try:
        return msgspec.convert(filled, Manifest)
    except msgspec.ValidationError as error:
        raise BadInput(f"{path}: {error}") from None


def _filled(value: Any, environment: Mapping[str, str], missing: set[str]) -> Any:  # noqa: ANN401 - whatever TOML holds
    match value:
        case str():
            return _VARIABLE.sub(lambda found: _meant(found, environment, missing), value)
        case list():
            return [_filled(one, environment, missing) for one in value]
        case dict():
            return {name: _filled(one, environment, missing) for name, one in value.items()}
    return value


def _meant(found: re.Match[str], environment: Mapping[str, str], missing: set[str]) -> str:
    escaped, name, default = found.groups()
    if escaped:
        return str(escaped)
    if name not in environment and default is None:
        missing.add(name)
    return environment.get(name, default or "")
