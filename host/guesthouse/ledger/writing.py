"""Writing rows in bulk: few statements of many rows, each of which lets go of the interpreter while it runs.

One statement per row takes and gives back the interpreter's lock for each, and beside a busy thread every taking waits
for milliseconds: 1,000 rows by ``executemany`` took 3,549 ms there (6 alone), by statements of many rows 13 (3 alone).
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from sqlalchemy import Connection, Dialect, Table, and_, case, or_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import ClauseElement

from guesthouse.ledger.packing import ATTEMPT_COLUMNS, DELIVERY_COLUMNS, EVENT_COLUMNS, Rows, Values
from guesthouse.ledger.tables import attempts, deliveries, events

SIZES: Final = (128, 16, 1)
"""Rows of one statement: few sizes, so that each is prepared once."""

_STANDING: Final = ("rank", "state", "attempts", "due_at_ms", "updated_at_ms", "code", "reason")


class Writer:
    """The statements for one kind of database, made once."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect: Final = dialect
        self._events: Final = self._statements(events, EVENT_COLUMNS)
        self._deliveries: Final = self._statements(deliveries, DELIVERY_COLUMNS)
        self._attempts: Final = self._statements(attempts, ATTEMPT_COLUMNS)

    def write(self, connection: Connection, rows: Rows) -> None:
        """Write what isn't there yet."""
        for statements, values in (
            (self._events, rows.events),
            (self._deliveries, rows.deliveries),
            (self._attempts, rows.attempts),
        ):
            for chunk in chunks(values):
                connection.exec_driver_sql(statements[len(chunk)], tuple(chain.from_iterable(chunk)))

    def _statements(self, table: Table, columns: Sequence[str]) -> Mapping[int, str]:
        one = str(_insert(self._dialect, table, columns).compile(dialect=self._dialect))
        # Repeated as text: compiling hundreds of rows takes a tenth of a second.
        before, _, rest = one.partition(" VALUES ")
        row, bracket, after = rest.partition(")")
        return {size: f"{before} VALUES {', '.join([row + bracket] * size)}{after}" for size in SIZES}


def chunks(rows: Sequence[Values]) -> Iterator[Sequence[Values]]:
    """Cut rows into pieces of the known sizes, the largest first."""
    start = 0
    for size in SIZES:
        while len(rows) - start >= size:
            yield rows[start : start + size]
            start += size


def _insert(dialect: Dialect, table: Table, columns: Sequence[str]) -> ClauseElement:
    insert = postgresql.insert if dialect.name == "postgresql" else sqlite.insert
    statement: Any = insert(table).values(dict.fromkeys(columns))
    conflict: ClauseElement = statement.on_conflict_do_nothing()
    if table is deliveries:
        conflict = statement.on_conflict_do_update(**_update(statement.excluded))
    return conflict


def _update(new: Any) -> dict[str, Any]:  # noqa: ANN401 - SQLAlchemy's namespace of the row that conflicts
    """Say what becomes of a delivery that is there already: each fact follows whoever knows it best."""
    old = deliveries.c
    is_later, tells_more = new.rank > old.rank, and_(new.is_known, ~old.is_known)
    changes: dict[str, Any] = {name: case((is_later, new[name]), else_=old[name]) for name in _STANDING}
    changes |= {name: case((tells_more, new[name]), else_=old[name]) for name in ("accepted_at_ms", "replay_of")}
    changes |= {"is_known": or_(new.is_known, old.is_known)}
    return {"index_elements": ["delivery_id"], "set_": changes, "where": or_(is_later, tells_more)}
