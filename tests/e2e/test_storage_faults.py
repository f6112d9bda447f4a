"""Storage that fails: a clear error, nothing lost, and all is well when the cause is gone."""

import asyncio
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.guests import ROOT
from tests.support.served import Estate, fresh_ids

from guesthouse.app import open_host
from guesthouse.errors import StorageFault

pytestmark = pytest.mark.anyio


async def test_a_full_disk_refuses_events_and_loses_none(estate: Estate) -> None:
    """503 and a sentence for the sender; what was accepted waits; with room again everything goes on by itself."""
    process = await estate.start()
    before, during = fresh_ids(20), fresh_ids(5)
    assert await estate.send(process.url, before)
    process.process.send_signal(signal.SIGUSR1)
    status, body = await refused(estate, process.url, during)
    assert status == 503
    problem = json.loads(body)
    assert problem["code"] == "storage_fault"
    assert problem["detail"]
    assert process.process.returncode is None
    process.process.send_signal(signal.SIGUSR2)
    async with asyncio.timeout(20):
        while not await estate.send(process.url, during):
            pass
    await estate.arrived()
    await estate.settled()
    assert await process.stop() == 0
    assert len(await estate.reckon()) == 25


async def refused(estate: Estate, url: str, message_ids: list[str]) -> tuple[int, bytes]:
    """Send until it is refused: the signal may come a moment later than the first request."""
    async with asyncio.timeout(20):
        while True:
            status, body = await estate.post(url, message_ids[:1])
            if status != 200:
                return status, body


async def test_a_host_killed_while_the_disk_is_full_loses_nothing(estate: Estate) -> None:
    """What was accepted before is delivered by the next one."""
    process = await estate.start()
    assert await estate.send(process.url, fresh_ids(50))
    process.process.send_signal(signal.SIGUSR1)
    await refused(estate, process.url, fresh_ids(1))
    await process.kill()
    again = await estate.start()
    await estate.arrived()
    await estate.settled()
    assert await again.stop() == 0
    await estate.reckon()


async def test_a_read_only_folder_is_refused_with_a_clear_error(estate: Estate) -> None:
    """The host says what is wrong and ends; nothing is changed, and it starts when the folder can be written again."""
    process = await estate.start()
    assert await estate.send(process.url, fresh_ids(5))
    await estate.arrived()
    await estate.settled()
    await process.stop()
    ended = await asyncio.to_thread(run_read_only, estate.data)
    assert ended.returncode != 0
    assert "may this user write there?" in ended.stderr
    assert "Traceback" not in ended.stderr
    again = await estate.start()
    assert await estate.send(again.url, fresh_ids(5))
    await estate.arrived()
    await estate.settled()
    assert await again.stop() == 0
    assert len(await estate.reckon()) == 10


def run_read_only(data: Path) -> "subprocess.CompletedProcess[str]":
    """Run a host over a folder that is mounted read-only for it alone; skips the test where that isn't allowed."""
    mount = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1"'
    unshare = shutil.which("unshare")
    if unshare is None or run(unshare, mount, data).returncode != 0:
        pytest.skip("this user can't mount")
    return run(
        unshare, f'{mount} && exec {sys.executable} -m guesthouse.cli serve --listen 127.0.0.1:0 --data "$1"', data
    )


def run(unshare: str, script: str, data: Path) -> "subprocess.CompletedProcess[str]":
    """Run a shell script in a mount namespace of its own."""
    return subprocess.run(  # noqa: S603 - our own script
        [unshare, "--mount", "sh", "-c", script, "sh", str(data)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


async def test_a_folder_that_cant_be_made_is_a_clear_error(tmp_path: Path) -> None:
    """A file stands in its place."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageFault, match="can't be made"):
        async with open_host(tmp_path / "file" / "data"):
            pass
