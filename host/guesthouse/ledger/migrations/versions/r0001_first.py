"""The ledger's first tables. Later changes are further files, never changes of this one."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


_COUNTS = {
    "sqlite_autoindex_events_1": "1000000 1",
    "events_message": "1000000 100000 1",
    "events_time": "1000000 100000 2 1",
    "events_source": "1000000 30000 2 1",
    "events_user_id": "1000000 100000 20 1 1",
    "events_anonymous_id": "1000000 100000 20 1 1",
    "events_name": "1000000 100000 5000 1 1",
    "events_fate": "10000 1000 300 1 1",
    "sqlite_autoindex_deliveries_1": "1000000 1",
    "deliveries_event": "1000000 2 1",
    "deliveries_time": "1000000 100000 2 1",
    "deliveries_destination": "1000000 20000 2 1",
    "deliveries_state": "10000 1000 300 1 1",
    "sqlite_autoindex_attempts_1": "1000000 1",
    "attempts_delivery": "1000000 2",
    "attempts_time": "1000000 100000 2 1",
    "attempts_destination": "1000000 20000 2 1",
    "attempts_outcome": "10000 1000 300 1 1",
    "attempts_logs": "100000 10000 1",
}


def upgrade() -> None:
    """Make the tables."""
    _attempts()
    _deliveries()
    _events()
    _ledger_marks()
    if op.get_bind().dialect.name == "sqlite":
        _statistics()


def _attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("attempt_id", sa.String(length=40), nullable=False),
        sa.Column("invocation_id", sa.String(length=40), nullable=False),
        sa.Column("delivery_id", sa.String(length=40), nullable=False),
        sa.Column("event_id", sa.String(length=40), nullable=False),
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("source_id", sa.String(length=40), nullable=False),
        sa.Column("destination_id", sa.String(length=40), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("started_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("log_level", sa.SmallInteger(), nullable=True),
        sa.Column("detail", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("attempt_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("attempts_delivery", "attempts", ["delivery_id"], unique=False)
    op.create_index("attempts_destination", "attempts", ["destination_id", "ended_at_ms", "attempt_id"], unique=False)
    op.create_index(
        "attempts_logs",
        "attempts",
        ["tenant_id", "seq"],
        unique=False,
        sqlite_where=sa.text("log_level IS NOT NULL"),
        postgresql_where=sa.text("log_level IS NOT NULL"),
    )
    op.create_index(
        "attempts_outcome",
        "attempts",
        ["tenant_id", "outcome", "ended_at_ms", "attempt_id"],
        unique=False,
        sqlite_where=sa.text("outcome != 'succeeded'"),
        postgresql_where=sa.text("outcome != 'succeeded'"),
    )
    op.create_index("attempts_time", "attempts", ["tenant_id", "ended_at_ms", "attempt_id"], unique=False)


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("delivery_id", sa.String(length=40), nullable=False),
        sa.Column("event_id", sa.String(length=40), nullable=False),
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("source_id", sa.String(length=40), nullable=False),
        sa.Column("destination_id", sa.String(length=40), nullable=False),
        sa.Column("accepted_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("replay_of", sa.String(length=40), nullable=True),
        sa.Column("is_known", sa.Boolean(), nullable=False),
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("delivery_id"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "deliveries_destination", "deliveries", ["destination_id", "accepted_at_ms", "delivery_id"], unique=False
    )
    op.create_index("deliveries_event", "deliveries", ["event_id"], unique=False)
    op.create_index(
        "deliveries_state",
        "deliveries",
        ["tenant_id", "state", "accepted_at_ms", "delivery_id"],
        unique=False,
        sqlite_where=sa.text("state != 'succeeded'"),
        postgresql_where=sa.text("state != 'succeeded'"),
    )
    op.create_index("deliveries_time", "deliveries", ["tenant_id", "accepted_at_ms", "delivery_id"], unique=False)


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("event_id", sa.String(length=40), nullable=False),
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("source_id", sa.String(length=40), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("anonymous_id", sa.Text(), nullable=True),
        sa.Column("received_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("fate", sa.String(length=20), nullable=False),
        sa.Column("detail", sa.LargeBinary(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("event_id"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "events_anonymous_id",
        "events",
        ["tenant_id", "anonymous_id", "received_at_ms", "event_id"],
        unique=False,
        sqlite_where=sa.text("anonymous_id IS NOT NULL"),
        postgresql_where=sa.text("anonymous_id IS NOT NULL"),
    )
    op.create_index(
        "events_fate",
        "events",
        ["tenant_id", "fate", "received_at_ms", "event_id"],
        unique=False,
        sqlite_where=sa.text("fate != 'accepted'"),
        postgresql_where=sa.text("fate != 'accepted'"),
    )
    op.create_index("events_message", "events", ["tenant_id", "message_id"], unique=False)
    op.create_index(
        "events_name",
        "events",
        ["tenant_id", "name", "received_at_ms", "event_id"],
        unique=False,
        sqlite_where=sa.text("name IS NOT NULL"),
        postgresql_where=sa.text("name IS NOT NULL"),
    )
    op.create_index("events_source", "events", ["source_id", "received_at_ms", "event_id"], unique=False)
    op.create_index("events_time", "events", ["tenant_id", "received_at_ms", "event_id"], unique=False)
    op.create_index(
        "events_user_id",
        "events",
        ["tenant_id", "user_id", "received_at_ms", "event_id"],
        unique=False,
        sqlite_where=sa.text("user_id IS NOT NULL"),
        postgresql_where=sa.text("user_id IS NOT NULL"),
    )


def _ledger_marks() -> None:
    op.create_table(
        "ledger_marks",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _statistics() -> None:
    """Tell SQLite how many rows share each index's first columns.

    Without statistics it takes every index's first column for equally selective, and would look through all of a
    tenant's rows for one event. What counts is the proportion; others gather statistics by themselves.
    """
    op.execute("ANALYZE")
    statistics = sa.table("sqlite_stat1", sa.column("tbl"), sa.column("idx"), sa.column("stat"))
    rows = [
        {"tbl": index.removeprefix("sqlite_autoindex_").split("_")[0], "idx": index, "stat": counts}
        for index, counts in _COUNTS.items()
    ]
    op.bulk_insert(statistics, rows)
    op.execute("ANALYZE sqlite_schema")
