"""What precedes a tenant: which there are, whose key or token this is, who changed. Statements over all rows."""

from typing import Any

from sqlalchemy import Connection, Row, insert, select

from guesthouse.errors import NotFound
from guesthouse.ids import new_id
from guesthouse.model.registry import Source, Tenant, Token
from guesthouse.registry import checks, keys, sources
from guesthouse.registry.cache import Changes
from guesthouse.registry.rows import tenant_of, token_of
from guesthouse.registry.scope import TenantScope
from guesthouse.registry.tables import revisions, source_keys, tenants, tokens


def every_tenant(connection: Connection) -> list[Tenant]:
    """See `Registry.tenants`."""
    return [tenant_of(row) for row in connection.execute(select(tenants).order_by(tenants.c.name))]


def tenant(connection: Connection, id_or_name: str) -> Tenant:
    """See `Registry.tenant`."""
    key = id_or_name.encode(errors="ignore").decode()
    statement = select(tenants).where((tenants.c.id == key) | (tenants.c.name == key))
    rows = sorted(connection.execute(statement).all(), key=lambda row: row.id != key)
    if not rows:
        raise NotFound("tenant", id_or_name)
    return tenant_of(rows[0])


def create_tenant(connection: Connection, name: str, now_ms: int) -> Tenant:
    """See `Registry.create_tenant`."""
    checks.check_name(name)
    id_ = new_id("tnt", now_ms=now_ms)
    connection.execute(insert(tenants).values(id=id_, name=name, changed=0, created_at_ms=now_ms))
    TenantScope(connection, id_).mark_changed()
    return tenant(connection, id_)


def source_by_key(connection: Connection, purpose: str, value: str) -> tuple[Source, int | None] | None:
    """Say whose key this is and when it expires; None where it is nobody's."""
    mine = (source_keys.c.value == value, source_keys.c.purpose == purpose)
    row: Row[Any] | None = connection.execute(select(source_keys).where(*mine)).first()
    if row is None:
        return None
    return sources.one(TenantScope(connection, row.tenant_id), row.source_id), row.expires_at_ms


def token(connection: Connection, text: str) -> Token | None:
    """Say which token has this text; None where none has."""
    row = connection.execute(select(tokens).where(tokens.c.hash == keys.hash_token(text))).first()
    return None if row is None else token_of(row)


def changes(connection: Connection, since: int) -> Changes:
    """Give the number of the latest change, and the tenants that changed after *since*."""
    number = connection.scalar(select(revisions.c.number)) or 0
    if number == since or since < 0:
        return number, []
    return number, list(connection.scalars(select(tenants.c.id).where(tenants.c.changed > since)))
