"""A scope reaches one tenant's rows, whatever it is asked to do with them."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine, insert, select

from guesthouse.errors import NotFound, QuotaReached
from guesthouse.registry.scope import TenantScope
from guesthouse.registry.tables import METADATA, tenants, tokens

EVERYTHING = tokens.c.name != ""


@pytest.fixture
def connection() -> Iterator[Connection]:
    """Give a database with a token of each of two tenants."""
    engine = create_engine("sqlite://")
    with engine.connect() as opened:
        METADATA.create_all(opened)
        for mark in ("1", "2"):
            row = {"id": f"tnt_{mark}", "name": mark, "changed": 0, "created_at_ms": 0}
            opened.execute(insert(tenants).values(row))
            token = {"id": f"tok_{mark}", "name": mark, "role": "admin", "hash": mark, "created_at_ms": 0}
            TenantScope(opened, f"tnt_{mark}").insert(tokens, token)
        yield opened
    engine.dispose()


@pytest.fixture
def scope(connection: Connection) -> TenantScope:
    """Give the first tenant's scope."""
    return TenantScope(connection, "tnt_1")


def names(connection: Connection) -> list[str]:
    """Give the names of all tokens there are."""
    return sorted(connection.scalars(select(tokens.c.name)))


def test_reading_stays_within(scope: TenantScope) -> None:
    """Also where the condition would hold for others."""
    assert [row.id for row in scope.rows(tokens, EVERYTHING)] == ["tok_1"]
    assert scope.first(tokens, tokens.c.id == "tok_2") is None
    with pytest.raises(NotFound):
        scope.find(tokens, "token", "tok_2")


def test_joining_stays_within(connection: Connection) -> None:
    """A joined table's rows are the tenant's own as well."""
    others = tokens.alias("others")
    same = (others.c.role == tokens.c.role, others.c.id == "tok_2")
    found = TenantScope(connection, "tnt_1").rows(tokens, *same, joined=[others])  # type: ignore[list-item] # an alias
    assert not found


def test_changing_stays_within(connection: Connection, scope: TenantScope) -> None:
    """Others' rows keep their values."""
    scope.update(tokens, EVERYTHING, values={"name": "changed"})
    assert names(connection) == ["2", "changed"]


def test_deleting_stays_within(connection: Connection, scope: TenantScope) -> None:
    """Others' rows stay."""
    assert scope.delete(tokens, EVERYTHING) == 1
    assert names(connection) == ["2"]


def test_counting_stays_within(scope: TenantScope) -> None:
    """Each tenant has a quota of its own."""
    scope.make_room(tokens, "tokens", 2)
    with pytest.raises(QuotaReached, match="1 tokens"):
        scope.make_room(tokens, "tokens", 1)


def test_inserting_is_in_ones_own_name(connection: Connection, scope: TenantScope) -> None:
    """Whatever the values say."""
    token = {"id": "tok_3", "tenant_id": "tnt_2", "name": "3", "role": "admin", "hash": "3", "created_at_ms": 0}
    scope.insert(tokens, token)
    assert connection.scalar(select(tokens.c.tenant_id).where(tokens.c.id == "tok_3")) == "tnt_1"
