"""The database under the registry: first start, second start, several at once, and what breaks."""

import asyncio
import os
import sqlite3
import stat
import sys
from pathlib import Path

import pytest
from tests.support.clock import FakeClock
from tests.support.storage import Place, wire

from guesthouse.errors import StorageFault
from guesthouse.model.registry import Role, SourceInput
from guesthouse.registry.database import Database, DatabaseConfig
from guesthouse.registry.migrate import History
from guesthouse.registry.sealing import KEY_FILE
from guesthouse.registry.sql import SqlRegistry
from guesthouse.registry.sql_tenant import SqlTenantRegistry
from guesthouse.registry.tables import HISTORY

pytestmark = pytest.mark.anyio

IMPATIENT = DatabaseConfig(busy_seconds=0.01)
WRITER = """
import asyncio, sys
from guesthouse.model.registry import SourceInput
from tests.support.storage import Place
from pathlib import Path
async def main(folder, tenant_id, mark):
    async with Place("sqlite", Path(folder)).registry() as registry:
        for number in range(20):
            await registry.within(tenant_id).create_source(SourceInput(name=f"{mark}{number}"))
asyncio.run(main(*sys.argv[1:]))
"""


async def test_an_empty_folder_becomes_a_registry(tmp_path: Path) -> None:
    """Tables, key and folders are made at the first start, for nobody else's eyes, and used at the second."""
    place = Place("sqlite", tmp_path)
    registry = await SqlRegistry.open(place.url, tmp_path)
    tenant = await registry.create_tenant("acme")
    key = (tmp_path / KEY_FILE).read_bytes()
    await registry.close()
    registry = await SqlRegistry.open(place.url, tmp_path)
    assert list(await registry.tenants()) == [tenant]
    await registry.close()
    assert (tmp_path / KEY_FILE).read_bytes() == key
    for file in (place.file, tmp_path / KEY_FILE):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_a_migration_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """All of it or none of it, tables included; the next start tries again."""
    (tmp_path / "versions").mkdir()
    (tmp_path / "env.py").write_text((HISTORY.folder / "env.py").read_text())
    step = 'from alembic import op\nrevision, down_revision = "1", None\n'
    step += 'def upgrade():\n    op.execute("CREATE TABLE a (b)")\n'
    (tmp_path / "versions" / "one.py").write_text(step + '    op.execute("oops")\n')
    place = Place("sqlite", tmp_path)
    history = History(tmp_path, "revision", "1")
    with pytest.raises(StorageFault):
        await Database.open(place.url, history)
    raw = sqlite3.connect(place.file)
    assert raw.execute("SELECT name FROM sqlite_master").fetchall() == []
    raw.close()
    (tmp_path / "versions" / "one.py").write_text(step)
    await (await Database.open(place.url, history)).close()


async def test_two_hosts_may_start_at_once(tmp_path: Path) -> None:
    """On an empty folder: one makes the tables and the key, both use them."""
    place = Place("sqlite", tmp_path)
    first, second = await asyncio.gather(*(SqlRegistry.open(place.url, tmp_path) for _ in range(2)))
    tenant = await first.create_tenant("acme")
    assert await second.tenant("acme") == tenant
    await asyncio.gather(first.close(), second.close())


async def test_a_change_is_seen_by_other_processes_within_a_second(tenant: SqlTenantRegistry, place: Place) -> None:
    """Cached answers of another registry end half a second after the change at the latest."""
    clock = FakeClock()
    source_id, destination_id = await wire(tenant)
    source = await tenant.source(source_id)
    _, text = await tenant.create_token("ci", Role.ADMIN)
    async with place.registry(clock) as other:
        assert await other.source_by_write_key(source.write_key) == source
        assert len(await other.within(tenant.tenant_id).routes(source_id)) == 1
        await tenant.delete_destination(destination_id)
        rotated = await tenant.rotate_write_key(source_id)
        (token,) = await tenant.tokens()
        await tenant.delete_token(token.id)
        clock.advance(500)
        assert await other.source_by_write_key(source.write_key) is None
        assert await other.source_by_write_key(rotated.write_key) == rotated
        assert not await other.within(tenant.tenant_id).routes(source_id)
        assert await other.authenticate(text) is None


async def test_nothing_is_asked_while_nothing_changes(
    tenant: SqlTenantRegistry, registry: SqlRegistry, place: Place
) -> None:
    """Cached answers need no database: even one that is gone."""
    source_id, destination_id = await wire(tenant)
    source = await tenant.source(source_id)

    async def answers() -> list[object]:
        return [
            await registry.source_by_write_key(source.write_key),
            await tenant.routes(source_id),
            await tenant.assignment(destination_id),
        ]

    known = await answers()
    place.file.write_bytes(b"gone")
    assert await answers() == known


async def test_two_processes_write_at_once(tenant: SqlTenantRegistry, place: Place) -> None:
    """Each waits for the other; nothing is lost and nothing fails."""
    command = (sys.executable, "-c", WRITER, str(place.folder), tenant.tenant_id)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    writers = [await asyncio.create_subprocess_exec(*command, mark, env=environment) for mark in "ab"]
    for number in range(20):
        await tenant.create_source(SourceInput(name=f"c{number}"))
    assert [await writer.wait() for writer in writers] == [0, 0]
    assert {source.name for source in await tenant.sources()} == {f"{mark}{n}" for mark in "abc" for n in range(20)}


async def test_of_two_who_want_a_name_one_gets_it(tenant: SqlTenantRegistry) -> None:
    """The other is told that it is taken."""
    wanted = [tenant.create_source(SourceInput(name="web")) for _ in range(5)]
    answers = await asyncio.gather(*wanted, return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["NameTaken"] * 4 + ["Source"]


async def test_a_file_that_is_no_database_is_a_clear_error(tmp_path: Path) -> None:
    """And is left as it is."""
    place = Place("sqlite", tmp_path)
    place.file.write_bytes(b"This is not a database. " * 100)
    with pytest.raises(StorageFault, match="is damaged or isn't a Guesthouse database") as fault:
        await SqlRegistry.open(place.url, tmp_path)
    assert fault.value.reason == "corrupt"
    assert place.file.read_bytes().startswith(b"This is not")


async def test_a_damaged_database_is_a_clear_error(tenant: SqlTenantRegistry, place: Place) -> None:
    """Also when the damage is found later, in the middle of a question."""
    await wire(tenant)
    async with place.registry() as other:
        part = other.within(tenant.tenant_id)
        with sqlite3.connect(place.file) as raw:
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        raw.close()
        with place.file.open("r+b") as file:
            file.seek(4_096)
            file.write(os.urandom(place.file.stat().st_size - 4_096))
        with pytest.raises(StorageFault) as fault:
            await part.destinations()
    assert fault.value.reason == "corrupt"


async def test_a_locked_database_is_a_clear_error(tenant: SqlTenantRegistry, place: Place) -> None:
    """Whoever writes waits for a while, then is told; readers don't wait, and it works again afterwards."""
    async with place.registry(config=IMPATIENT) as other:
        part = other.within(tenant.tenant_id)
        raw = sqlite3.connect(place.file, isolation_level=None)
        raw.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageFault, match="locked by another process") as fault:
            await part.create_source(SourceInput(name="web"))
        assert fault.value.reason == "locked"
        assert not await part.sources()
        raw.execute("ROLLBACK")
        raw.close()
        assert (await part.create_source(SourceInput(name="web"))).name == "web"


async def test_a_full_disk_is_a_clear_error_and_recovers(tenant: SqlTenantRegistry) -> None:
    """Nothing is half done; when there is room again, it works again."""
    database = tenant._shared.database
    await database.write(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count=1").close())
    made: list[object] = []

    async def fill() -> None:
        while True:
            made.append(await tenant.create_source(SourceInput(name=f"s{len(made):04}")))

    with pytest.raises(StorageFault) as fault:
        await fill()
    assert fault.value.reason == "full"
    assert list(await tenant.sources()) == made
    await tenant.create_source(SourceInput(name="after"))  # on a new connection, without the bound


async def test_a_read_only_database_is_a_clear_error_and_recovers(tenant: SqlTenantRegistry) -> None:
    """Reading goes on; when it may be written again, it works again."""
    database = tenant._shared.database
    await database.write(lambda connection: connection.exec_driver_sql("PRAGMA query_only=ON").close())
    with pytest.raises(StorageFault) as fault:
        await tenant.create_source(SourceInput(name="web"))
    assert fault.value.reason == "read_only"
    assert not await tenant.sources()
    await tenant.create_source(SourceInput(name="web"))  # on a new connection


async def test_a_missing_folder_is_a_clear_error(tmp_path: Path) -> None:
    """It names what can't be opened."""
    with pytest.raises(StorageFault, match="can't be opened"):
        await SqlRegistry.open(f"sqlite:///{tmp_path}/no/where.db", tmp_path)


@pytest.mark.parametrize(
    "url", ["", "guesthouse.db", "sqlite://", "sqlite:///:memory:", "postgresql://u@h/d", "oracle://x"]
)
async def test_an_address_of_nothing_we_know_is_refused(tmp_path: Path, url: str) -> None:
    """With a sentence that shows how it is written."""
    with pytest.raises(ValueError, match="database"):
        await SqlRegistry.open(url, tmp_path)


async def test_a_database_of_a_newer_guesthouse_is_left_alone(place: Place) -> None:
    """Instead of being guessed at."""
    raw = sqlite3.connect(place.file)
    with raw:
        raw.execute("UPDATE registry_revision SET version_num = '9999'")
    raw.close()
    with pytest.raises(StorageFault, match="newer Guesthouse"):
        await SqlRegistry.open(place.url, place.folder)


async def test_a_closed_registry_says_so(place: Place) -> None:
    """Closing twice is fine; asking is a fault, no crash."""
    registry = await SqlRegistry.open(place.url, place.folder)
    await registry.close()
    await registry.close()
    with pytest.raises(StorageFault, match="is closed"):
        await registry.tenants()
