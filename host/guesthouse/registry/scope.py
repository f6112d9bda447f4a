"""The one place where a tenant's id enters a statement: what isn't asked for through a scope isn't asked for.

``tests/unit/registry`` holds that no other module of the registry writes statements, but `registry.hosts` for what
precedes a tenant (whose key is this?).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Table, delete, insert, select, update

from guesthouse.errors import NotFound, QuotaReached
from guesthouse.registry.tables import revisions, tenants

Values = Mapping[str, Any]
Condition = ColumnElement[bool]


class TenantScope:
    """Statements over one tenant's rows, in one transaction."""

    __slots__ = ("_connection", "tenant_id")

    def __init__(self, connection: Connection, tenant_id: str) -> None:
        self._connection: Final = connection
        self.tenant_id: Final = tenant_id

    def rows(self, table: Table, *conditions: Condition, joined: Sequence[Table] = ()) -> Sequence[Row[Any]]:
        """Give *table*'s rows that meet the conditions, which may speak of the *joined* tables as well."""
        mine = [one.c.tenant_id == self.tenant_id for one in (table, *joined)]
        return self._connection.execute(select(table).where(*mine, *conditions)).all()

    def first(self, table: Table, *conditions: Condition) -> Row[Any] | None:
        """Give one row that meets the conditions; None where there is none."""
        found = self.rows(table, *conditions)
        return found[0] if found else None

    def get(self, table: Table, what: str, id_: str) -> Row[Any]:
        """Give a row by its id; raises `NotFound`, saying *what* wasn't found."""
        return self._found(what, id_, self.first(table, table.c.id == _plain(id_)))

    def find(self, table: Table, what: str, id_or_name: str) -> Row[Any]:
        """Give a row by its id or name; raises `NotFound`."""
        key = _plain(id_or_name)
        row = self.first(table, table.c.id == key)
        return self._found(what, id_or_name, row or self.first(table, table.c.name == key))

    def insert(self, table: Table, rows: Values | Sequence[Values]) -> None:
        """Insert rows as this tenant's."""
        several = [rows] if isinstance(rows, Mapping) else rows
        if several:
            self._connection.execute(insert(table), [{**row, "tenant_id": self.tenant_id} for row in several])

    def update(self, table: Table, *conditions: Condition, values: Values) -> None:
        """Change the rows that meet the conditions."""
        self._connection.execute(update(table).where(table.c.tenant_id == self.tenant_id, *conditions).values(**values))

    def delete(self, table: Table, *conditions: Condition) -> int:
        """Delete the rows that meet the conditions; how many there were."""
        statement = delete(table).where(table.c.tenant_id == self.tenant_id, *conditions)
        return self._connection.execute(statement).rowcount

    def make_room(self, table: Table, what: str, limit: int) -> None:
        """Raise `QuotaReached` where the tenant has *limit* rows already."""
        mine = select(table.c.tenant_id).where(table.c.tenant_id == self.tenant_id).limit(limit)
        if len(self._connection.execute(mine).all()) >= limit:
            raise QuotaReached(what, limit)

    def check_tenant(self) -> None:
        """Raise `NotFound` where there is no such tenant."""
        mine = select(tenants.c.id).where(tenants.c.id == self.tenant_id)
        if self._connection.scalar(mine) is None:
            raise NotFound("tenant", self.tenant_id)

    def mark_changed(self) -> None:
        """Note the change, for the caches of every process."""
        number = self._connection.execute(
            update(revisions).values(number=revisions.c.number + 1).returning(revisions.c.number)
        ).scalar_one()
        changed = update(tenants).where(tenants.c.id == self.tenant_id).values(changed=number)
        self._connection.execute(changed)

    @staticmethod
    def _found(what: str, name: str, row: Row[Any] | None) -> Row[Any]:
        if row is None:
            raise NotFound(what, name)
        return row


def _plain(key: str) -> str:
    # Half a surrogate pair can't be sent to a database, PostgreSQL refuses zero bytes: nothing has such a name.
    return "" if "\0" in key else key.encode(errors="ignore").decode()
