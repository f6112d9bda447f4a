"""The one place where a tenant's id enters a question to the ledger."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, select

from guesthouse.errors import NotFound
from guesthouse.ledger import paging
from guesthouse.ledger.tables import attempts, deliveries, events

Condition = ColumnElement[bool]
_VIEWED: Final = (events.c.message_id, events.c.type, events.c.name, events.c.user_id)


class TenantScope:
    """Questions about one tenant's records, on one consistent state."""

    __slots__ = ("_connection", "_tenant_id")

    def __init__(self, connection: Connection, tenant_id: str) -> None:
        self._connection: Final = connection
        self._tenant_id: Final = tenant_id

    def events(self, *conditions: Condition, with_payload: bool = False) -> Select[Any]:
        """Ask for events, each with whether it ``has_payload``."""
        columns = [column for column in events.c if with_payload or column is not events.c.payload]
        has_payload = events.c.payload.is_not(None).label("has_payload")
        return select(*columns, has_payload).where(events.c.tenant_id == self._tenant_id, *conditions)

    def deliveries(self, *conditions: Condition) -> Select[Any]:
        """Ask for deliveries with what their views say of their events."""
        same = and_(events.c.event_id == deliveries.c.event_id, events.c.tenant_id == self._tenant_id)
        joined = deliveries.outerjoin(events, same)
        mine = deliveries.c.tenant_id == self._tenant_id
        return select(*deliveries.c, *_VIEWED).select_from(joined).where(mine, *conditions)

    def event_ids(self, *conditions: Condition) -> Select[tuple[str]]:
        """Ask for the ids of events, as a part of another question."""
        return select(events.c.event_id).where(events.c.tenant_id == self._tenant_id, *conditions)

    def delivery_ids(self, *conditions: Condition) -> Select[tuple[str]]:
        """Ask for the ids of deliveries, as a part of another question."""
        return select(deliveries.c.delivery_id).where(deliveries.c.tenant_id == self._tenant_id, *conditions)

    def attempt_sizes(self, *conditions: Condition) -> Select[Any]:
        """Ask for attempts without their rest, but for its ``size``."""
        size = func.length(attempts.c.detail).label("size")
        columns = (attempts.c.seq, attempts.c.attempt_id, attempts.c.delivery_id, attempts.c.ended_at_ms, size)
        return select(*columns).where(attempts.c.tenant_id == self._tenant_id, *conditions)

    def attempts(self, rows: Sequence[Row[Any]]) -> list[Row[Any]]:
        """Give whole attempts for rows of `attempt_sizes`, in the same order."""
        wanted = [row.seq for row in rows]
        mine = (attempts.c.tenant_id == self._tenant_id, attempts.c.seq.in_(wanted))
        known = {row.seq: row for row in self._connection.execute(select(attempts).where(*mine))}
        return [known[seq] for seq in wanted]

    def last_logged(self) -> int:
        """Give the place of the tenant's latest attempt that logged anything; 0 where there is none."""
        latest = select(func.max(attempts.c.seq)).where(
            attempts.c.tenant_id == self._tenant_id, attempts.c.log_level.is_not(None)
        )
        return self._connection.scalar(latest) or 0

    def rows(self, question: Select[Any]) -> Sequence[Row[Any]]:
        """Give the answer."""
        return self._connection.execute(question).all()

    def only(self, question: Select[Any], what: str, id_: str) -> Row[Any]:
        """Give the answer's only row; raises `NotFound`."""
        row = self._connection.execute(question).first()
        if row is None:
            raise NotFound(what, id_)
        return row

    def page(
        self, question: Select[Any], time: ColumnElement[int], id_: ColumnElement[str], cursor: str | None, limit: int
    ) -> Sequence[Row[Any]]:
        """Give up to *limit* rows and one more where there are more, the latest first."""
        ordered = question.where(*paging.after(cursor, time, id_)).order_by(time.desc(), id_.desc())
        return self.rows(ordered.limit(limit + 1))
