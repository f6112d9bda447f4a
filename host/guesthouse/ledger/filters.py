"""Queries as conditions."""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Column

from guesthouse.ledger.paging import in_range
from guesthouse.ledger.scope import Condition, TenantScope
from guesthouse.ledger.tables import UNUSUAL_FATE, UNUSUAL_OUTCOME, UNUSUAL_STATE, attempts, deliveries, events
from guesthouse.ledger.values import AttemptQuery, DeliveryQuery, EventQuery
from guesthouse.model.delivery import Outcome, State
from guesthouse.model.record import EventFate

Columns = tuple[Column[Any], ...]
_EVENT: Final[Columns] = (
    events.c.message_id,
    events.c.source_id,
    events.c.type,
    events.c.name,
    events.c.user_id,
    events.c.anonymous_id,
    events.c.fate,
)
_DELIVERY: Final[Columns] = (
    deliveries.c.event_id,
    deliveries.c.source_id,
    deliveries.c.destination_id,
    deliveries.c.state,
    deliveries.c.code,
    events.c.type,
    events.c.name,
)
_RARE: Final[Columns] = (events.c.message_id, events.c.user_id)
"""What few events have in common: found first, then their deliveries."""
_ATTEMPT: Final[Columns] = (
    attempts.c.delivery_id,
    attempts.c.source_id,
    attempts.c.destination_id,
    attempts.c.outcome,
    attempts.c.code,
)


def event_conditions(query: EventQuery) -> Iterator[Condition]:
    """Give the conditions of a query for events."""
    yield from _equal(query, _EVENT)
    yield from _during(query, events.c.received_at_ms)
    if query.fate not in (None, EventFate.ACCEPTED):
        yield UNUSUAL_FATE  # said as the index says it


def delivery_conditions(scope: TenantScope, query: DeliveryQuery) -> Iterator[Condition]:
    """Give the conditions of a query for deliveries joined with their events."""
    yield from _equal(query, _DELIVERY)
    rare = list(_equal(query, _RARE))
    if rare:
        yield deliveries.c.event_id.in_(scope.event_ids(*rare))
    yield from _during(query, deliveries.c.accepted_at_ms)
    if query.state not in (None, State.SUCCEEDED):
        yield UNUSUAL_STATE


def attempt_conditions(scope: TenantScope, query: AttemptQuery) -> Iterator[Condition]:
    """Give the conditions of a query for attempts."""
    yield from _equal(query, _ATTEMPT)
    yield from _during(query, attempts.c.ended_at_ms)
    if query.event_id is not None:
        of_event = scope.delivery_ids(deliveries.c.event_id == plain(query.event_id))
        yield attempts.c.delivery_id.in_(of_event)
    if query.outcome not in (None, Outcome.SUCCEEDED):
        yield UNUSUAL_OUTCOME


def plain(text: str) -> str:
    """Give a text that every database can be asked about; others match nothing that was ever stored."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()


def _equal(query: EventQuery | DeliveryQuery | AttemptQuery, columns: Columns) -> Iterator[Condition]:
    for column in columns:
        value = getattr(query, column.name)
        if value is not None:
            yield column == plain(value)


def _during(query: EventQuery | DeliveryQuery | AttemptQuery, time: Column[int]) -> Iterator[Condition]:
    if query.since_ms is not None:
        yield time >= in_range(query.since_ms)
    if query.until_ms is not None:
        yield time < in_range(query.until_ms)
