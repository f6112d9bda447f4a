"""What is said of a source or destination on the command line, as the control API takes it."""

import json
from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import Any

from guesthouse.cli.client import Api
from guesthouse.cli.exits import BadInput


def setup_of(arguments: Namespace, api: Api, function: Mapping[str, Any] | None) -> dict[str, Any]:
    """Gather settings, secrets and grants; settings take the types that the function declares."""
    types = types_of(api, function) if arguments.settings and function else {}
    return {
        "settings": {name: typed(name, text, types.get(name)) for name, text in _distinct(arguments.settings)},
        "secrets": {
            name: {"value": value} for name, value in _distinct([(one.name, one.value) for one in arguments.secret])
        },
        "grants": arguments.allow,
    }


def types_of(api: Api, function: Mapping[str, Any]) -> dict[str, str]:
    """Give the types of a function's settings."""
    digest = function["active_version"]
    if digest is None:
        return {}
    version = api.get(f"/functions/{function['id']}/versions/{digest}")
    return {setting["name"]: setting["type"] for setting in version["description"]["settings"]}


def typed(name: str, text: str, type_: str | None) -> object:
    """Read a setting: text as it stands for strings and for what isn't declared, JSON for all else."""
    if type_ in {None, "string"}:
        return text
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        raise BadInput(f"the setting {name!r:.60} is of the type {type_}; write it as JSON") from None


def _distinct(pairs: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise BadInput(f"{name!r:.60} is given twice")
    return pairs
