"""Sources and their keys: statements over one tenant's rows."""

from collections.abc import Callable
from typing import Any

from msgspec import UNSET
from sqlalchemy import Row

from guesthouse.ids import new_id
from guesthouse.model.registry import Kind, Source, SourceChange, SourceInput
from guesthouse.model.reply import Description
from guesthouse.registry import checks, functions, holders, keys
from guesthouse.registry.holders import Terms
from guesthouse.registry.rows import Setup, encode, setup_of, source_of
from guesthouse.registry.scope import TenantScope
from guesthouse.registry.tables import source_keys, sources

SOURCES = 1_000
OVERLAP_MS = 30 * 24 * 3_600_000
"""The longest that an old key may go on."""
DRAW: dict[str, Callable[[], str]] = {"write": keys.new_write_key, "hook": keys.new_hook_token}


def every(scope: TenantScope) -> list[Source]:
    """See `TenantRegistry.sources`."""
    return [_shown(scope, row) for row in sorted(scope.rows(sources), key=lambda row: row.name)]


def one(scope: TenantScope, id_or_name: str) -> Source:
    """See `TenantRegistry.source`."""
    return _shown(scope, scope.find(sources, "source", id_or_name))


def create(scope: TenantScope, terms: Terms, wanted: SourceInput) -> Source:
    """See `TenantRegistry.create_source`."""
    checks.check_name(wanted.name)
    scope.make_room(sources, "sources", SOURCES)
    id_, setup = new_id("src", now_ms=terms.now_ms), holders.merge(Setup(), wanted)
    holders.check(terms, setup, wanted.secrets)
    description = _fit(scope, wanted.function_id, setup, list(wanted.secrets))
    times = {"created_at_ms": terms.now_ms, "updated_at_ms": terms.now_ms}
    row = {"id": id_, "name": wanted.name, "function_id": wanted.function_id, "setup": encode(setup)}
    scope.insert(sources, row | times)
    holders.write_secrets(scope, terms, id_, wanted.secrets, description)
    scope.insert(source_keys, [_key(id_, purpose) for purpose in DRAW])
    return one(scope, id_)


def change(scope: TenantScope, terms: Terms, source_id: str, wanted: SourceChange) -> tuple[Source, bool]:
    """See `TenantRegistry.change_source`; also says whether it made a difference."""
    row = scope.get(sources, "source", source_id)
    setup = holders.merge(setup_of(row), wanted)
    name = row.name if wanted.name is UNSET else wanted.name
    function_id = row.function_id if wanted.function_id is UNSET else wanted.function_id
    checks.check_name(name)
    holders.check(terms, setup, wanted.secrets)
    description = _fit(scope, function_id, setup, holders.names_after(scope, source_id, wanted.secrets))
    is_changed = holders.write_secrets(scope, terms, source_id, wanted.secrets, description)
    values = {"name": name, "function_id": function_id, "setup": encode(setup)}
    if is_changed or any(getattr(row, column) != value for column, value in values.items()):
        scope.update(sources, sources.c.id == source_id, values={**values, "updated_at_ms": terms.now_ms})
        is_changed = True
    return one(scope, source_id), is_changed


def rotate(scope: TenantScope, now_ms: int, source_id: str, purpose: str, overlap_ms: int) -> Source:
    """See `TenantRegistry.rotate_write_key` and `rotate_hook_token`."""
    if not 0 <= overlap_ms <= OVERLAP_MS:
        checks.refuse([f"the overlap is not from 0 to {OVERLAP_MS:,} milliseconds"])
    scope.get(sources, "source", source_id)
    mine = (source_keys.c.source_id == source_id, source_keys.c.purpose == purpose)
    # Keys of rotations before this one go now: otherwise rotating often would leave many good ones.
    scope.delete(source_keys, *mine, source_keys.c.expires_at_ms.is_not(None))
    if overlap_ms:
        scope.update(source_keys, *mine, values={"expires_at_ms": now_ms + overlap_ms})
    else:
        scope.delete(source_keys, *mine)
    scope.insert(source_keys, _key(source_id, purpose))
    return one(scope, source_id)


def drop(scope: TenantScope, source_id: str) -> None:
    """See `TenantRegistry.delete_source`; keys and the listening go by the foreign keys."""
    scope.get(sources, "source", source_id)
    holders.drop_secrets(scope, source_id)
    scope.delete(sources, sources.c.id == source_id)


def _fit(scope: TenantScope, function_id: str | None, setup: Setup, names: list[str]) -> Description | None:
    if function_id is None:
        if names or setup != Setup():
            checks.refuse(["settings, secrets, grants and limits are for a source function, and there is none"])
        return None
    function = functions.by_id(scope, function_id)
    version = functions.active_version(scope, function)
    holders.check_fit(function, Kind.SOURCE, version, setup, names)
    return version.description if version else None


def _key(source_id: str, purpose: str) -> dict[str, str | None]:
    return {"value": DRAW[purpose](), "source_id": source_id, "purpose": purpose, "expires_at_ms": None}


def _shown(scope: TenantScope, row: Row[Any]) -> Source:
    current = scope.rows(source_keys, source_keys.c.source_id == row.id, source_keys.c.expires_at_ms.is_(None))
    return source_of(row, {key.purpose: key.value for key in current}, holders.secret_rows(scope, row.id))
