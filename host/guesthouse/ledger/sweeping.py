"""Forgetting: in steps of bounded length, oldest first, in the order of arrival."""

from typing import Any, Final

from sqlalchemy import Connection, Table, and_, delete, exists, func, insert, or_, select, update

from guesthouse.ledger.tables import attempts, deliveries, events, marks
from guesthouse.ledger.values import Swept
from guesthouse.model.delivery import OPEN

_PAYLOADS: Final = "payloads"


def sweep(connection: Connection, attempts_before_ms: int, payloads_before_ms: int, limit: int) -> Swept:
    """See `Ledger.sweep`."""
    payloads = _sweep_payloads(connection, payloads_before_ms, limit)
    known = _sweep_events(connection, attempts_before_ms, limit)
    orphans = _sweep_orphans(connection, attempts_before_ms, limit)
    return Swept(
        events=known[0],
        deliveries=known[1] + orphans[0],
        attempts=known[2] + orphans[1],
        payloads=payloads,
        is_done=max(payloads, known[0], orphans[0]) < limit,
    )


def _sweep_payloads(connection: Connection, before_ms: int, limit: int) -> int:
    mark = connection.scalar(select(marks.c.seq).where(marks.c.name == _PAYLOADS))
    first_young = _first_since(events, events.c.received_at_ms >= before_ms, events.c.seq > (mark or 0))
    old = (events.c.seq > (mark or 0), or_(first_young.is_(None), events.c.seq < first_young))
    last = connection.scalar(
        select(func.max(events.c.seq)).where(
            events.c.seq.in_(select(events.c.seq).where(*old).order_by(events.c.seq).limit(limit))
        )
    )
    if last is None:
        return 0
    emptied = update(events).where(events.c.seq > (mark or 0), events.c.seq <= last, events.c.payload.is_not(None))
    count = connection.execute(emptied.values(payload=None)).rowcount
    if mark is None:
        connection.execute(insert(marks).values(name=_PAYLOADS, seq=last))
    else:
        connection.execute(update(marks).where(marks.c.name == _PAYLOADS).values(seq=last))
    return count


def _sweep_events(connection: Connection, before_ms: int, limit: int) -> tuple[int, int, int]:
    first_young = _first_since(events, events.c.received_at_ms >= before_ms)
    needed = exists().where(
        deliveries.c.event_id == events.c.event_id,
        or_(deliveries.c.state.in_(OPEN), deliveries.c.updated_at_ms >= before_ms),
    )
    is_old = or_(first_young.is_(None), events.c.seq < first_young)
    oldest = select(events.c.event_id).where(is_old, ~needed).order_by(events.c.seq).limit(limit)
    event_ids = list(connection.scalars(oldest))
    of_events = select(deliveries.c.delivery_id).where(deliveries.c.event_id.in_(event_ids))
    # In this order: what finds others goes after them.
    gone_attempts = connection.execute(delete(attempts).where(attempts.c.delivery_id.in_(of_events))).rowcount
    gone_deliveries = connection.execute(delete(deliveries).where(deliveries.c.event_id.in_(event_ids))).rowcount
    gone_events = connection.execute(delete(events).where(events.c.event_id.in_(event_ids))).rowcount
    return gone_events, gone_deliveries, gone_attempts


def _sweep_orphans(connection: Connection, before_ms: int, limit: int) -> tuple[int, int]:
    """Forget closed deliveries whose event was never recorded."""
    first_young = _first_since(attempts, attempts.c.ended_at_ms >= before_ms)
    is_old = or_(first_young.is_(None), attempts.c.seq < first_young)
    closed = and_(~deliveries.c.is_known, deliveries.c.state.not_in(OPEN), deliveries.c.updated_at_ms < before_ms)
    same = attempts.c.delivery_id == deliveries.c.delivery_id
    lonely = select(attempts.c.delivery_id).join(deliveries, same).where(is_old, closed).distinct().limit(limit)
    delivery_ids = list(connection.scalars(lonely))
    gone = connection.execute(delete(attempts).where(attempts.c.delivery_id.in_(delivery_ids))).rowcount
    return connection.execute(delete(deliveries).where(deliveries.c.delivery_id.in_(delivery_ids))).rowcount, gone


def _first_since(table: Table, *conditions: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's conditions and scalar subqueries
    return select(table.c.seq).where(*conditions).order_by(table.c.seq).limit(1).scalar_subquery()
