"""Destinations and what they listen to: statements over one tenant's rows."""

from collections.abc import Sequence
from typing import Any

from msgspec import UNSET
from sqlalchemy import Row

from guesthouse.errors import NotFound
from guesthouse.ids import new_id
from guesthouse.model.limits import Limits
from guesthouse.model.registry import Assignment, Destination, DestinationChange, DestinationInput, Kind, Route
from guesthouse.model.reply import Description
from guesthouse.registry import checks, functions, holders
from guesthouse.registry import sources as source_rows
from guesthouse.registry.holders import Terms
from guesthouse.registry.rows import Setup, destination_of, encode, setup_of
from guesthouse.registry.scope import TenantScope
from guesthouse.registry.sealing import Sealer
from guesthouse.registry.tables import destinations, listens, sources

DESTINATIONS = 1_000


def every(scope: TenantScope) -> list[Destination]:
    """See `TenantRegistry.destinations`."""
    return [_shown(scope, row) for row in sorted(scope.rows(destinations), key=lambda row: row.name)]


def one(scope: TenantScope, id_or_name: str) -> Destination:
    """See `TenantRegistry.destination`."""
    return _shown(scope, scope.find(destinations, "destination", id_or_name))


def create(scope: TenantScope, terms: Terms, wanted: DestinationInput) -> Destination:
    """See `TenantRegistry.create_destination`."""
    checks.check_name(wanted.name)
    scope.make_room(destinations, "destinations", DESTINATIONS)
    id_, setup = new_id("dst", now_ms=terms.now_ms), holders.merge(Setup(), wanted)
    holders.check(terms, setup, wanted.secrets)
    description = _fit(scope, wanted.function_id, setup, list(wanted.secrets))
    row = {"id": id_, "name": wanted.name, "function_id": wanted.function_id, "is_paused": wanted.is_paused}
    times = {"created_at_ms": terms.now_ms, "updated_at_ms": terms.now_ms}
    scope.insert(destinations, {**row, **times, "setup": encode(setup)})
    _listen(scope, id_, wanted.source_ids)
    holders.write_secrets(scope, terms, id_, wanted.secrets, description)
    return one(scope, id_)


def change(
    scope: TenantScope, terms: Terms, destination_id: str, wanted: DestinationChange
) -> tuple[Destination, bool]:
    """See `TenantRegistry.change_destination`; also says whether it made a difference."""
    row = scope.get(destinations, "destination", destination_id)
    setup = holders.merge(setup_of(row), wanted)
    given: dict[str, Any] = {name: getattr(wanted, name) for name in ("name", "function_id", "is_paused")}
    values = {column: getattr(row, column) if value is UNSET else value for column, value in given.items()}
    checks.check_name(values["name"])
    holders.check(terms, setup, wanted.secrets)
    names = holders.names_after(scope, destination_id, wanted.secrets)
    description = _fit(scope, values["function_id"], setup, names)
    is_changed = holders.write_secrets(scope, terms, destination_id, wanted.secrets, description)
    if wanted.source_ids is not UNSET and set(wanted.source_ids) != set(_heard(scope, destination_id)):
        _listen(scope, destination_id, wanted.source_ids)
        is_changed = True
    values["setup"] = encode(setup)
    if is_changed or any(getattr(row, column) != value for column, value in values.items()):
        mine = destinations.c.id == destination_id
        scope.update(destinations, mine, values={**values, "updated_at_ms": terms.now_ms})
        is_changed = True
    return one(scope, destination_id), is_changed


def drop(scope: TenantScope, destination_id: str) -> None:
    """See `TenantRegistry.delete_destination`; the listening goes by its foreign key."""
    scope.get(destinations, "destination", destination_id)
    holders.drop_secrets(scope, destination_id)
    scope.delete(destinations, destinations.c.id == destination_id)


def routes(scope: TenantScope, source_id: str) -> tuple[Route, ...]:
    """See `TenantRegistry.routes`."""
    heard = (listens.c.source_id == source_id, listens.c.destination_id == destinations.c.id)
    rows = sorted(scope.rows(destinations, *heard, joined=[listens]), key=lambda row: row.id)
    return tuple(Route(destination=_shown(scope, row), handlers=_handlers(scope, row.function_id)) for row in rows)


def assignment(scope: TenantScope, sealer: Sealer, holder_id: str) -> Assignment:
    """See `TenantRegistry.assignment`."""
    is_source = holder_id.startswith("src_")
    table, what = (sources, "source") if is_source else (destinations, "destination")
    row = scope.get(table, what, holder_id)
    if row.function_id is None:
        raise NotFound("function of the source", row.name)
    function = functions.by_id(scope, row.function_id)
    version = functions.active_version(scope, function)
    if version is None:
        raise NotFound("active version of the function", function.name)
    setup = setup_of(row)
    return Assignment(
        holder=source_rows.one(scope, holder_id) if is_source else _shown(scope, row),
        function=function,
        version=version,
        settings=setup.settings,
        capabilities=holders.capabilities_of(scope, sealer, holder_id, setup),
        limits=Limits(**setup.limits),
    )


def has_secret(scope: TenantScope, sealer: Sealer, holder_id: str, name: str, value: str) -> bool:
    """See `TenantRegistry.has_secret`."""
    row = next((row for row in holders.secret_rows(scope, holder_id) if row.name == name), None)
    return row is not None and holders.reveal(scope, sealer, row) == value


def _fit(scope: TenantScope, function_id: str, setup: Setup, names: list[str]) -> Description | None:
    function = functions.by_id(scope, function_id)
    version = functions.active_version(scope, function)
    holders.check_fit(function, Kind.DESTINATION, version, setup, names)
    return version.description if version else None


def _listen(scope: TenantScope, destination_id: str, source_ids: Sequence[str]) -> None:
    scope.delete(listens, listens.c.destination_id == destination_id)
    heard = sorted(set(source_ids))
    for source_id in heard:
        scope.get(sources, "source", source_id)
    scope.insert(listens, [{"destination_id": destination_id, "source_id": source_id} for source_id in heard])


def _heard(scope: TenantScope, destination_id: str) -> list[str]:
    return [row.source_id for row in scope.rows(listens, listens.c.destination_id == destination_id)]


def _handlers(scope: TenantScope, function_id: str) -> frozenset[str]:
    version = functions.active_version(scope, functions.by_id(scope, function_id))
    return frozenset(version.handlers) if version else frozenset()


def _shown(scope: TenantScope, row: Row[Any]) -> Destination:
    return destination_of(row, _heard(scope, row.id), holders.secret_rows(scope, row.id))
