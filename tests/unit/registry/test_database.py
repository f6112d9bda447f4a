"""Migrations, faults, and who may write SQL."""

import ast
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, create_engine
from sqlalchemy.exc import DatabaseError, ResourceClosedError

import guesthouse
from guesthouse.ledger import tables as ledger
from guesthouse.registry import tables as registry
from guesthouse.registry.faults import translate
from guesthouse.registry.migrate import History, migrate

PARTS = [(registry.HISTORY, registry.METADATA), (ledger.HISTORY, ledger.METADATA)]
ROOT = Path(guesthouse.__file__).parent
STATEMENTS = {"select", "insert", "update", "delete", "text", "exists"}


@pytest.mark.parametrize(("history", "metadata"), PARTS)
def test_the_migrations_make_the_tables_of_the_code(history: History, metadata: MetaData) -> None:
    """From nothing; whoever changes a table writes a migration."""
    with create_engine("sqlite://").connect() as connection:
        migrate(connection, history)
        known = {*metadata.tables, history.version_table}
        context = MigrationContext.configure(
            connection,
            opts={
                "include_name": lambda name, kind, _: kind != "table" or name in known,
                "version_table": history.version_table,
            },
        )
        assert compare_metadata(context, metadata) == []


@pytest.mark.parametrize("history", [history for history, _ in PARTS])
def test_the_head_written_down_is_the_head(history: History) -> None:
    """`History.head` follows the folder."""
    config = Config()
    config.set_main_option("script_location", str(history.folder))
    config.set_main_option("path_separator", "newline")
    assert ScriptDirectory.from_config(config).get_heads() == [history.head]


@pytest.mark.parametrize(
    "name",
    sorted(name for name in dir(sqlite3) if name.startswith("SQLITE_") and isinstance(getattr(sqlite3, name), int)),
)
def test_every_fault_has_a_sentence(name: str) -> None:
    """Whatever the library reports; extended codes mean what their primary one means."""
    cause = sqlite3.DatabaseError("disk on fire at /secret/path")
    cause.sqlite_errorcode = getattr(sqlite3, name)
    fault = translate(DatabaseError("SELECT hunter2", {}, cause), "guesthouse.db", is_uncertain=True)
    assert str(fault).startswith("the database guesthouse.db ")
    assert "hunter2" not in str(fault)
    assert (fault.retryable, fault.is_uncertain) == (True, True)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (sqlite3.SQLITE_BUSY, "locked"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "locked"),
        (sqlite3.SQLITE_READONLY_DBMOVED, "read_only"),
        (sqlite3.SQLITE_CORRUPT, "corrupt"),
        (sqlite3.SQLITE_NOTADB, "corrupt"),
        (sqlite3.SQLITE_FULL, "full"),
        (sqlite3.SQLITE_IOERR_FSYNC, "io"),
        (sqlite3.SQLITE_CANTOPEN, "unreachable"),
        (sqlite3.SQLITE_MISUSE, "unavailable"),
    ],
)
def test_a_fault_has_a_stable_reason(code: int, reason: str) -> None:
    """For alerts and runbooks."""
    cause = sqlite3.DatabaseError()
    cause.sqlite_errorcode = code
    assert translate(DatabaseError("", {}, cause), "guesthouse.db").reason == reason


def test_a_fault_of_the_library_itself_is_one_too() -> None:
    """SQLAlchemy's own errors have no code."""
    assert translate(ResourceClosedError("closed"), "guesthouse.db").reason == "unavailable"


@pytest.mark.parametrize(
    ("folder", "writers"),
    [("registry", {"scope.py", "hosts.py", "migrate.py"}), ("ledger", {"scope.py", "sweeping.py"})],
)
def test_statements_are_written_where_tenants_are_told_apart(folder: str, writers: set[str]) -> None:
    """No other module can forget whose rows it asks for: it can't ask at all.

    `hosts` precedes tenants, `migrate` and `sweeping` go over all of them; the ledger's `writing` only inserts.
    """
    guilty = {
        path.name
        for path in (ROOT / folder).glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "sqlalchemy"
        if STATEMENTS & {alias.name for alias in node.names}
    }
    assert guilty == writers
