"""The ledger's tables: what is searched for has a column, the rest of a record is one MessagePack value."""

from pathlib import Path
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)

from guesthouse.registry.migrate import History

METADATA: Final = MetaData()
HISTORY: Final = History(Path(__file__).parent / "migrations", "ledger_revision", "0001")

_ID: Final = String(40)
_SEQUENCE: Final = BigInteger().with_variant(Integer, "sqlite")

events = Table(
    "events",
    METADATA,
    Column("seq", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("event_id", _ID, nullable=False, unique=True),
    Column("tenant_id", _ID, nullable=False),
    Column("source_id", _ID, nullable=False),
    Column("message_id", Text),
    Column("type", Text),
    Column("name", Text),
    Column("user_id", Text),
    Column("anonymous_id", Text),
    Column("received_at_ms", BigInteger, nullable=False),
    Column("fate", String(20), nullable=False),
    Column("detail", LargeBinary, nullable=False),
    Column("payload", LargeBinary),
    sqlite_autoincrement=True,
)
"""``seq`` is the order of arrival here. ``payload`` is null where there is none (any more)."""

Index("events_message", events.c.tenant_id, events.c.message_id)
Index("events_time", events.c.tenant_id, events.c.received_at_ms, events.c.event_id)
Index("events_source", events.c.source_id, events.c.received_at_ms, events.c.event_id)
for _column in (events.c.user_id, events.c.anonymous_id, events.c.name):
    Index(
        f"events_{_column.name}",
        events.c.tenant_id,
        _column,
        events.c.received_at_ms,
        events.c.event_id,
        sqlite_where=_column.is_not(None),
        postgresql_where=_column.is_not(None),
    )
UNUSUAL_FATE: Final = events.c.fate != "accepted"
Index(
    "events_fate",
    events.c.tenant_id,
    events.c.fate,
    events.c.received_at_ms,
    events.c.event_id,
    sqlite_where=UNUSUAL_FATE,
    postgresql_where=UNUSUAL_FATE,
)

deliveries = Table(
    "deliveries",
    METADATA,
    Column("delivery_id", _ID, primary_key=True),
    Column("event_id", _ID, nullable=False),
    Column("tenant_id", _ID, nullable=False),
    Column("source_id", _ID, nullable=False),
    Column("destination_id", _ID, nullable=False),
    Column("accepted_at_ms", BigInteger, nullable=False),
    Column("replay_of", _ID),
    Column("is_known", Boolean, nullable=False),
    Column("rank", BigInteger, nullable=False),
    Column("state", String(20), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at_ms", BigInteger),
    Column("updated_at_ms", BigInteger, nullable=False),
    Column("code", Text),
    Column("reason", Text),
    sqlite_with_rowid=False,
)
"""Deliveries as the records so far have it. ``is_known``: the event's record is here, so its facts are final.

``rank`` orders the attempts of a delivery: see `guesthouse.ledger.packing`.
"""

Index("deliveries_event", deliveries.c.event_id)
Index("deliveries_time", deliveries.c.tenant_id, deliveries.c.accepted_at_ms, deliveries.c.delivery_id)
Index("deliveries_destination", deliveries.c.destination_id, deliveries.c.accepted_at_ms, deliveries.c.delivery_id)
UNUSUAL_STATE: Final = deliveries.c.state != "succeeded"
Index(
    "deliveries_state",
    deliveries.c.tenant_id,
    deliveries.c.state,
    deliveries.c.accepted_at_ms,
    deliveries.c.delivery_id,
    sqlite_where=UNUSUAL_STATE,
    postgresql_where=UNUSUAL_STATE,
)

attempts = Table(
    "attempts",
    METADATA,
    Column("seq", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("attempt_id", _ID, nullable=False, unique=True),
    Column("invocation_id", _ID, nullable=False),
    Column("delivery_id", _ID, nullable=False),
    Column("event_id", _ID, nullable=False),
    Column("tenant_id", _ID, nullable=False),
    Column("source_id", _ID, nullable=False),
    Column("destination_id", _ID, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("started_at_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger, nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("code", Text),
    Column("log_level", SmallInteger),
    Column("detail", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
"""``log_level`` is the highest level that was logged; null where nothing was."""

Index("attempts_delivery", attempts.c.delivery_id)
Index("attempts_time", attempts.c.tenant_id, attempts.c.ended_at_ms, attempts.c.attempt_id)
Index("attempts_destination", attempts.c.destination_id, attempts.c.ended_at_ms, attempts.c.attempt_id)
UNUSUAL_OUTCOME: Final = attempts.c.outcome != "succeeded"
Index(
    "attempts_outcome",
    attempts.c.tenant_id,
    attempts.c.outcome,
    attempts.c.ended_at_ms,
    attempts.c.attempt_id,
    sqlite_where=UNUSUAL_OUTCOME,
    postgresql_where=UNUSUAL_OUTCOME,
)
LOGGED: Final = attempts.c.log_level.is_not(None)
Index("attempts_logs", attempts.c.tenant_id, attempts.c.seq, sqlite_where=LOGGED, postgresql_where=LOGGED)

marks = Table(
    "ledger_marks",
    METADATA,
    Column("name", String(40), primary_key=True),
    Column("seq", BigInteger, nullable=False),
)
"""How far a sweep came."""
