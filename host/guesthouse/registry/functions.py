"""Functions, their versions, and which of them is active: statements over one tenant's rows."""

from typing import Any

from sqlalchemy import Row

from guesthouse.errors import InUse, InvalidInput, NoEarlierVersion, NotFound
from guesthouse.ids import new_id
from guesthouse.model.registry import Activation, Function, Kind, Version
from guesthouse.registry import checks
from guesthouse.registry.holders import misfits
from guesthouse.registry.rows import encode, function_of, version_of
from guesthouse.registry.scope import TenantScope
from guesthouse.registry.tables import activations, destinations, functions, sources, versions

FUNCTIONS = 1_000
VERSIONS = 10_000


def every(scope: TenantScope) -> list[Function]:
    """See `TenantRegistry.functions`."""
    active = {
        row.id: row.digest
        for row in scope.rows(activations, activations.c.id == functions.c.activation_id, joined=[functions])
    }
    rows = sorted(scope.rows(functions), key=lambda row: row.name)
    return [function_of(row, active.get(row.activation_id)) for row in rows]


def one(scope: TenantScope, id_or_name: str) -> Function:
    """See `TenantRegistry.function`."""
    return _shown(scope, scope.find(functions, "function", id_or_name))


def by_id(scope: TenantScope, function_id: str) -> Function:
    """Give a function by its id alone; raises `NotFound`."""
    return _shown(scope, scope.get(functions, "function", function_id))


def create(scope: TenantScope, name: str, kind: Kind, now_ms: int) -> Function:
    """See `TenantRegistry.create_function`."""
    checks.check_name(name)
    scope.make_room(functions, "functions", FUNCTIONS)
    id_ = new_id("fn", now_ms=now_ms)
    scope.insert(functions, {"id": id_, "name": name, "kind": kind, "activation_id": None, "created_at_ms": now_ms})
    return one(scope, id_)


def drop(scope: TenantScope, function_id: str) -> None:
    """See `TenantRegistry.delete_function`."""
    row = scope.get(functions, "function", function_id)
    users = [
        f"{what} {user.name!r}"
        for table, what in ((destinations, "destination"), (sources, "source"))
        for user in scope.rows(table, table.c.function_id == function_id)
    ]
    if users:
        raise InUse("function", row.name, tuple(users))
    scope.delete(functions, functions.c.id == function_id)


def every_version(scope: TenantScope, function_id: str) -> list[Version]:
    """See `TenantRegistry.versions`."""
    scope.get(functions, "function", function_id)
    rows = scope.rows(versions, versions.c.function_id == function_id)
    return [version_of(row) for row in sorted(rows, key=lambda row: (-row.created_at_ms, row.digest))]


def version(scope: TenantScope, function_id: str, digest: str) -> Version:
    """See `TenantRegistry.version`."""
    known = find_version(scope, function_id, digest)
    if known is None:
        raise NotFound("version", digest)
    return known


def find_version(scope: TenantScope, function_id: str, digest: str) -> Version | None:
    """Give a version; None where there is none."""
    if not digest.isalnum():
        return None
    row = scope.first(versions, versions.c.function_id == function_id, versions.c.digest == digest)
    return None if row is None else version_of(row)


def add_version(scope: TenantScope, wanted: Version) -> Version:
    """See `TenantRegistry.add_version`; the module's file is there already."""
    function = by_id(scope, wanted.function_id)
    kind = wanted.description.kind
    if kind != function.kind:
        raise InvalidInput((f"the module is a {kind} function, and {function.name!r} is of the kind {function.kind}",))
    known = find_version(scope, function.id, wanted.digest)
    if known is not None:
        return known
    scope.make_room(versions, "versions of functions", VERSIONS)
    columns = ("digest", "function_id", "created_at_ms", "size_bytes", "language", "why_not_snapshotted")
    values: dict[str, Any] = {name: getattr(wanted, name) for name in columns}
    scope.insert(versions, values | {"description": encode(wanted.description)})
    return wanted


def activate(scope: TenantScope, function_id: str, digest: str, now_ms: int) -> Activation:
    """See `TenantRegistry.activate`."""
    row = scope.get(functions, "function", function_id)
    activated = version(scope, function_id, digest)
    if _active(scope, row) != digest:
        id_ = new_id("act", now_ms=now_ms)
        values = {"id": id_, "function_id": function_id, "digest": digest, "previous_id": row.activation_id}
        scope.insert(activations, values | {"created_at_ms": now_ms})
        scope.update(functions, functions.c.id == function_id, values={"activation_id": id_})
    return _activation(scope, function_id, activated)


def roll_back(scope: TenantScope, function_id: str) -> Activation:
    """See `TenantRegistry.roll_back`."""
    row = scope.get(functions, "function", function_id)
    current = scope.first(activations, activations.c.id == row.activation_id)
    previous = scope.first(activations, activations.c.id == current.previous_id) if current else None
    if previous is None:
        raise NoEarlierVersion(row.name)
    scope.update(functions, functions.c.id == function_id, values={"activation_id": previous.id})
    return _activation(scope, function_id, version(scope, function_id, previous.digest))


def active_version(scope: TenantScope, function: Function) -> Version | None:
    """Give the version that is run; None where none was activated."""
    digest = function.active_version
    return None if digest is None else version(scope, function.id, digest)


def _activation(scope: TenantScope, function_id: str, activated: Version) -> Activation:
    problems = tuple(misfits(scope, function_id, activated.description))
    return Activation(function=one(scope, function_id), problems=problems)


def _shown(scope: TenantScope, row: Row[Any]) -> Function:
    return function_of(row, _active(scope, row))


def _active(scope: TenantScope, row: Row[Any]) -> str | None:
    current = scope.first(activations, activations.c.id == row.activation_id) if row.activation_id else None
    return None if current is None else current.digest
