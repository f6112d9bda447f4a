"""``guesthouse serve`` as operators use it: a process that starts, says so, answers, and stops when told."""

import os
import select
import signal
import socket
import stat
from pathlib import Path

import httpx
import pytest
from tests.support.cli import Command, Served, command_in, process, serving

TOKEN_FILE = "admin.token"  # noqa: S105 - the file's name, not a token


@pytest.fixture
def guesthouse(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process."""
    return command_in(capsys)


def test_the_first_start_makes_a_tenant_and_a_token(tmp_path: Path) -> None:
    """The token's file is its owner's alone and holds nothing else; the host says where it is, and takes it."""
    with serving(tmp_path / "data") as host:
        file = host.data / TOKEN_FILE
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        token = file.read_text()
        assert token == token.strip()
        assert any(str(file) in line for line in host.said)
        headers = {"authorization": f"Bearer {token}"}
        asked = httpx.get(f"{host.url}/api/v1/sources", headers=headers, trust_env=False)
        assert (asked.status_code, asked.json()["items"]) == (200, [])


def test_a_later_start_keeps_the_token(tmp_path: Path) -> None:
    """Starting again changes nothing, and says nothing about tokens."""
    with serving(tmp_path / "data") as host:
        token = (host.data / TOKEN_FILE).read_text()
    with serving(tmp_path / "data") as host:
        assert (host.data / TOKEN_FILE).read_text() == token
        assert len(host.said) == 1


def test_a_lost_token_is_replaced(tmp_path: Path) -> None:
    """Without the file there is a new token after the next start, and the old one is good no longer."""
    with serving(tmp_path / "data") as host:
        old = (host.data / TOKEN_FILE).read_text()
    (tmp_path / "data" / TOKEN_FILE).unlink()
    with serving(tmp_path / "data") as host:
        new = (host.data / TOKEN_FILE).read_text()
        statuses = [
            httpx.get(
                f"{host.url}/api/v1/sources", headers={"authorization": f"Bearer {token}"}, trust_env=False
            ).status_code
            for token in (old, new)
        ]
    assert statuses == [401, 200]


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_when_told(sent: signal.Signals, tmp_path: Path) -> None:
    """SIGTERM and Ctrl-C end it with status 0 and a word; the address is taken back."""
    with serving(tmp_path / "data") as host:
        assert (host.data / "address").read_text() == f"{host.url}\n"
        host.process.send_signal(sent)
        out, _ = host.process.communicate(timeout=60)
        assert host.process.returncode == 0
        assert out.startswith("Stopped")
        assert not (host.data / "address").exists()


def test_it_is_healthy(tmp_path: Path) -> None:
    """The endpoints for machines answer without a token."""
    with serving(tmp_path / "data") as host:
        assert httpx.get(f"{host.url}/healthz", trust_env=False).json() == {"status": "alive"}
        assert httpx.get(f"{host.url}/readyz", trust_env=False).json() == {"status": "ready"}
        assert "guesthouse_engine_guests 0.0" in httpx.get(f"{host.url}/metrics", trust_env=False).text


def test_an_address_in_use_is_told(tmp_path: Path) -> None:
    """One sentence and status 3, and no data folder is made."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with process("serve", "--data", tmp_path / "data", "--listen", listen, stderr=-1) as host:
            _, err = host.communicate(timeout=60)
    assert host.returncode == 3
    assert (
        err == f"guesthouse: the host is at fault (cannot_listen): can't listen on {listen}: Address already in use\n"
    )
    assert not (tmp_path / "data").exists()


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    """A file where the data folder should be: one sentence, status 3."""
    (tmp_path / "data").write_text("")
    with process("serve", "--data", tmp_path / "data", "--listen", "127.0.0.1:0", stderr=-1) as host:
        _, err = host.communicate(timeout=60)
    assert (host.returncode, err.count("\n")) == (3, 1)


@pytest.mark.parametrize("listen", ["8080", "localhost", "127.0.0.1:99999", "[::1]", "::1:80", "127.0.0.1:x"])
def test_a_mistyped_address_is_told(listen: str, guesthouse: Command) -> None:
    """What isn't HOST:PORT is said to be so, with an example."""
    result = guesthouse("serve", "--listen", listen)
    assert result.status == 2
    assert "isn't HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080" in result.err


def test_serving_ends_no_matter_who_is_connected(tmp_path: Path) -> None:
    """A connection that says nothing doesn't keep the host from stopping."""
    with serving(tmp_path / "data") as host:
        address = ("127.0.0.1", int(host.url.rpartition(":")[2]))
        with socket.create_connection(address):
            assert host.stop()[0] == 0


def _workers(host: Served) -> list[int]:
    """Give the processes that the minder started."""
    children = Path(f"/proc/{host.process.pid}/task/{host.process.pid}/children").read_text()
    return [int(child) for child in children.split()]


def _wait_for_end(descriptor: int) -> None:
    """Wait until a process that isn't our child is gone."""
    try:
        assert select.select([descriptor], [], [], 60)[0]
    finally:
        os.close(descriptor)


def test_several_workers_share_the_work(tmp_path: Path) -> None:
    """They answer on one port, one of them may die, and all stop when told."""
    with serving(tmp_path / "data", "--workers", 2) as host:
        workers = _workers(host)
        assert len(workers) == 2
        assert len(host.said) == 2
        os.kill(workers[0], signal.SIGKILL)
        for _ in range(5):
            assert httpx.get(f"{host.url}/readyz", trust_env=False).status_code == 200
        status, out = host.stop()
        assert status == 0
        assert out.startswith("Stopped")
    assert "worker.ended" in (tmp_path / "host.log").read_text()


def test_workers_never_outlive_their_minder(tmp_path: Path) -> None:
    """Where the minder is killed, its workers stop by themselves."""
    with serving(tmp_path / "data", "--workers", 2) as host:
        workers = [os.pidfd_open(worker) for worker in _workers(host)]
        host.process.kill()
        for worker in workers:
            _wait_for_end(worker)


def test_workers_that_cannot_start_are_told(tmp_path: Path) -> None:
    """The worker's own sentence, the minder's, and status 3."""
    (tmp_path / "data").write_text("")
    options = ("--data", tmp_path / "data", "--listen", "127.0.0.1:0", "--workers", 2)
    with process("serve", *options, stderr=-1) as host:
        _, err = host.communicate(timeout=60)
    assert host.returncode == 3
    assert err.endswith("(worker_failed): a worker ended with status 3 before it was ready\n")
