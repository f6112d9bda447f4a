"""What strangers may store: names, settings, secrets, grants, limits; each has bounds, and every problem is named."""

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from math import isfinite
from types import MappingProxyType
from typing import Any, Final

import msgspec

from guesthouse.errors import InvalidInput
from guesthouse.model.grants import parse_grant
from guesthouse.model.hosts import normalise_pattern
from guesthouse.model.limits import MIB, Limits
from guesthouse.model.registry import Batching, SecretInput
from guesthouse.model.reply import Description, Setting

NAME_CHARS: Final = 100
SETTINGS: Final = 100
SETTINGS_BYTES: Final = 64 * 1024
SETTING_DEPTH: Final = 16
SECRETS: Final = 50
SECRET_CHARS: Final = 16 * 1024
SECRET_HOSTS: Final = 20
GRANTS: Final = 100
GRANT_CHARS: Final = 2_000
FILTER_ENTRIES: Final = 1_000
EVENT_NAME_CHARS: Final = 1_000
BATCH_EVENTS: Final = 1_000
BATCH_BYTES: Final = 4 * MIB
BATCH_WAIT_MS: Final = 60_000

_INTEGERS: Final = range(-(1 << 63), 1 << 64)
"""What MessagePack holds."""
_LIMITS: Final = frozenset(field.name for field in fields(Limits))


def refuse(problems: Sequence[str]) -> None:
    """Raise `InvalidInput` where there are problems."""
    if problems:
        raise InvalidInput(tuple(problems))


def check_name(name: str) -> None:
    """Refuse a name that is empty, long, blank at an end, or not printable in one way only."""
    is_plain = name.isprintable() and name == name.strip() and unicodedata.is_normalized("NFC", name)
    if not (is_plain and 0 < len(name) <= NAME_CHARS):
        raise InvalidInput((f"a name has 1 to {NAME_CHARS} printable characters and no blank at its ends",))


def settings_problems(settings: Mapping[str, Any]) -> Iterator[str]:
    """Say what no function could get."""
    if len(settings) > SETTINGS:
        yield f"there are {len(settings):,} settings; {SETTINGS} are allowed"
        return
    for name, value in settings.items():
        if not _is_name(name):
            yield f"{name!r:.120} is not a setting's name"
        elif not _is_data(value, SETTING_DEPTH):
            yield f"the setting {name!r} is not plain data, or nested deeper than {SETTING_DEPTH} levels"
        elif len(msgspec.json.encode(value)) > SETTINGS_BYTES:
            yield f"the setting {name!r} is larger than {SETTINGS_BYTES:,} bytes"


def secret_problems(secrets: Mapping[str, SecretInput | None]) -> Iterator[str]:
    """Say what is wrong with secrets, never quoting a value."""
    if len(secrets) > SECRETS:
        yield f"there are {len(secrets):,} secrets; {SECRETS} are allowed"
        return
    for name, secret in secrets.items():
        if not _is_name(name):
            yield f"{name!r:.120} is not a secret's name"
        elif secret is not None:
            yield from (f"the secret {name!r} {problem}" for problem in _one_secrets_problems(secret))


def fit_problems(description: Description, settings: Mapping[str, Any], secrets: Sequence[str]) -> Iterator[str]:
    """Say where settings and the names of secrets don't fit what a function declares."""
    declared = {setting.name: setting for setting in description.settings}
    for name in (*settings, *secrets):
        if name not in declared:
            yield f"the function has no setting {name!r}"
    for setting in declared.values():
        yield from _setting_problems(setting, settings, secrets)


def grant_problems(grants: Sequence[str]) -> Iterator[str]:
    """Say which grants can't be read."""
    if len(grants) > GRANTS:
        yield f"there are {len(grants):,} grants; {GRANTS} are allowed"
        return
    for grant in grants:
        if len(grant) > GRANT_CHARS:
            yield f"the grant {grant!r:.60} is longer than {GRANT_CHARS:,} characters"
        elif problem := _refusal(parse_grant, grant):
            yield problem


def limit_problems(limits: Mapping[str, int], ceilings: Limits) -> Iterator[str]:
    """Say which limits don't exist or are out of their bounds."""
    for name, value in limits.items():
        if name not in _LIMITS:
            yield f"there is no limit {name!r:.60}"
        elif isinstance(value, bool) or not 0 < value <= getattr(ceilings, name):
            yield f"the limit {name} is not from 1 to {getattr(ceilings, name):,}"


def filter_problems(types: Sequence[str], names: Sequence[str]) -> Iterator[str]:
    """Say whether a filter is larger than allowed."""
    if len(types) + len(names) > FILTER_ENTRIES:
        yield f"the filter has more than {FILTER_ENTRIES:,} entries"
    elif not all(_is_data(one, 1) and len(one) <= EVENT_NAME_CHARS for one in names):
        yield "the filter has a name that no event can have"


def batching_problems(batching: Batching | None) -> Iterator[str]:
    """Say which bounds of batches are out of theirs."""
    if batching is None:
        return
    bounds = (("events", BATCH_EVENTS), ("bytes", BATCH_BYTES), ("wait_ms", BATCH_WAIT_MS))
    for name, most in bounds:
        if not 0 < getattr(batching, name) <= most:
            yield f"batching's {name} is not from 1 to {most:,}"


def _setting_problems(setting: Setting, settings: Mapping[str, Any], secrets: Sequence[str]) -> Iterator[str]:
    name = setting.name
    if name in settings and name in secrets:
        yield f"the setting {name!r} is given as a secret and once more"
    elif name in settings and setting.secret:
        yield f"the setting {name!r} is a secret; give it as one"
    elif name in settings and not _TYPES[setting.type](settings[name]):
        yield f"the setting {name!r} is not of the type {setting.type}"
    elif name in secrets and setting.type != "string":
        yield f"the setting {name!r} is of the type {setting.type}, and secrets are strings"
    elif setting.required and name not in secrets and settings.get(name) is None:
        yield f"the setting {name!r} is missing"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: Final[Mapping[str, Callable[[object], bool]]] = MappingProxyType(
    {
        "string": lambda value: isinstance(value, str),
        "boolean": lambda value: isinstance(value, bool),
        "number": _is_number,
        "array": lambda value: isinstance(value, list | tuple),
        "map": lambda value: isinstance(value, dict),
    }
)


def _one_secrets_problems(secret: SecretInput) -> Iterator[str]:
    if not (0 < len(secret.value) <= SECRET_CHARS and _is_text(secret.value)):
        yield f"has no value, or one longer than {SECRET_CHARS:,} characters or not of characters"
    if len(secret.hosts) > SECRET_HOSTS:
        yield f"has {len(secret.hosts):,} hosts; {SECRET_HOSTS} are allowed"
        return
    for host in secret.hosts:
        if problem := _refusal(normalise_pattern, host):
            yield f"can't be bound to {host!r:.120}: {problem}"


def _refusal(parse: Callable[[str], object], text: str) -> str | None:
    try:
        parse(text)
    except ValueError as error:
        return str(error)
    return None


def _is_name(name: str) -> bool:
    return 0 < len(name) <= NAME_CHARS and name.isprintable()


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _is_data(value: object, depth: int) -> bool:
    if isinstance(value, str):
        return _is_text(value)
    if isinstance(value, float):
        return isfinite(value)
    if isinstance(value, list | tuple):
        return depth > 0 and all(_is_data(one, depth - 1) for one in value)
    if isinstance(value, dict):
        return depth > 0 and all(
            isinstance(key, str) and _is_text(key) and _is_data(one, depth - 1) for key, one in value.items()
        )
    return value is None or isinstance(value, bool) or (isinstance(value, int) and value in _INTEGERS)
