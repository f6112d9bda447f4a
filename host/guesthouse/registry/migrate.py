"""Bring a database's tables up to date, in process, by Alembic; each history has its own version table.

All steps run in the caller's transaction: a database is as it was or wholly up to date.
"""

import threading
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from guesthouse.errors import StorageFault

# Alembic's `op` and `context` are globals of the process.
_ALEMBIC = threading.Lock()


@dataclass(frozen=True, slots=True)
class History:
    """A folder of migrations."""

    folder: Path
    version_table: str
    head: str
    """The latest revision in the folder; written down so that Alembic is only loaded where there is work for it."""


def migrate(connection: Connection, history: History) -> None:
    """Upgrade to the head of *history*; raises `StorageFault` where a newer Guesthouse made the database."""
    if current_revision(connection, history) == history.head:
        return
    # Imported here, as it takes a quarter of a second that only the first start should pay.
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415 - see above
    from alembic.util import CommandError  # noqa: PLC0415 - see above

    config = Config()
    config.set_main_option("script_location", str(history.folder))
    config.set_main_option("path_separator", "newline")
    config.attributes.update(connection=connection, version_table=history.version_table)
    try:
        with _ALEMBIC:
            command.upgrade(config, history.head)
    except CommandError:
        raise StorageFault("the database was made by a newer Guesthouse; run that one", reason="newer") from None


def current_revision(connection: Connection, history: History) -> str | None:
    """Say which revision the tables have; None where there are none."""
    if not inspect(connection).has_table(history.version_table):
        return None
    revision: str | None = connection.scalar(text(f"SELECT version_num FROM {history.version_table}"))  # noqa: S608 - our own constant
    return revision
