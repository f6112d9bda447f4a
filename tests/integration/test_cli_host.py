"""The commands that ask a running host, as people and scripts use them; one host serves this whole file."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import pytest
from examples.receiver import Receiver
from tests.support.cli import Command, Served, command_in, process, serving
from tests.support.guests import DESCRIPTION, ROOT, build_c, minimal

if TYPE_CHECKING:
    import subprocess

EVENT = {"type": "track", "event": "Order Completed", "userId": "ada"}
NOWHERE = "http://127.0.0.1:9"
"""A port of this machine where nobody listens."""


class Shop(NamedTuple):
    """A host with a function, a source, and a destination that reaches an API."""

    host: Served
    api: str
    receiver: Receiver
    write_key: str
    wasm: Path
    follower: "subprocess.Popen[str]"

    def deliver(self, message_id: str, **fields: object) -> None:
        """Send an event and wait until the ledger has what the function logged about it."""
        self.host.track(self.write_key, {**EVENT, "messageId": message_id, **fields})
        self.next_log()

    def next_log(self) -> Any:  # noqa: ANN401 - a document
        """Wait for the next line that a function logs, as ``logs --follow`` tells it."""
        assert self.follower.stdout is not None
        return json.loads(self.follower.stdout.readline())


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Set a shop up by the commands themselves."""
    folder = tmp_path_factory.mktemp("shop")
    wasm = folder / "hello.wasm"
    wasm.write_bytes(build_c(ROOT / "examples/hello-c/hello.c"))
    with serving(folder / "data", "--allow-private", "127.0.0.0/8") as host, Receiver(0) as receiver:
        Thread(target=receiver.serve_forever, daemon=True).start()
        api = f"http://127.0.0.1:{receiver.server_port}"
        _asked(host, "deploy", wasm)
        source = _asked(host, "source", "create", "web")
        reach = ("--set", f"url={api}/events", "--allow", api)
        _asked(host, "destination", "create", "crm", "--function", "hello", "--source", "web", *reach)
        with process("logs", "--follow", "--json", "--data", host.data) as follower:
            yield Shop(host, api, receiver, source["write_key"], wasm, follower)
            follower.kill()
        receiver.shutdown()


def _asked(host: Served, *arguments: object) -> Any:  # noqa: ANN401 - a document
    with process(*arguments, "--json", "--data", host.data) as command:
        out, _ = command.communicate(timeout=120)
    assert command.returncode == 0
    return json.loads(out)


@pytest.fixture
def guesthouse(shop: Shop, capsys: pytest.CaptureFixture[str]) -> Command:
    """Ask the shop's host, by its data folder."""
    run = command_in(capsys)
    return lambda *arguments: run(*arguments, "--data", shop.host.data)


def test_deploying_again_changes_nothing(guesthouse: Command, shop: Shop) -> None:
    """The same bytes are the same version; that is said, and isn't an error."""
    result = guesthouse("deploy", shop.wasm)
    assert (result.status, result.err) == (0, "")
    assert "was there already, and is active" in result.out


def test_a_folder_is_deployed(guesthouse: Command, shop: Shop, tmp_path: Path) -> None:
    """A folder stands for its only module, or for what its function.toml names; one without is refused."""
    folder = tmp_path / "greeting"
    folder.mkdir()
    assert "the folder has no module" in guesthouse("deploy", folder).err
    (folder / "a.wasm").write_bytes(shop.wasm.read_bytes())
    assert guesthouse("deploy", folder, "--json").json["function"]["name"] == "greeting"
    (folder / "b.wasm").write_bytes(b"")
    assert "the folder has 2 modules" in guesthouse("deploy", folder).err
    (folder / "function.toml").write_text('name = "named"\nmodule = "a.wasm"\n')
    assert guesthouse("deploy", folder, "--json").json["function"]["name"] == "named"


def test_a_rejected_module_is_the_functions_fault(guesthouse: Command, tmp_path: Path) -> None:
    """What is wrong with it is told, with status 1."""
    path = tmp_path / "bad.wasm"
    path.write_bytes(minimal(imports='(import "env" "gone" (func))'))
    result = guesthouse("deploy", path)
    assert (result.status, result.out) == (1, "")
    assert "env.gone" in result.err


def test_a_source_tells_its_keys(guesthouse: Command, shop: Shop) -> None:
    """Programs get id, name, write key and webhook address; people get them in words; a taken name is refused."""
    made = guesthouse("source", "create", "app", "--json").json
    assert made["id"].startswith("src_")
    assert (made["name"], made["write_key"] != shop.write_key) == ("app", True)
    assert made["hook_url"].startswith(f"{shop.host.url}/v1/hooks/")
    listed = guesthouse("source", "list").out
    assert made["write_key"] in listed
    assert made["hook_url"] in listed
    again = guesthouse("source", "create", "app")
    assert (again.status, again.err) == (2, "guesthouse: there is a source named 'app' already\n")


def test_a_source_may_run_a_function(guesthouse: Command, tmp_path: Path) -> None:
    """A source made with a function answers webhooks at the address that it is given; the list names the function."""
    path = tmp_path / "hook.wasm"
    path.write_bytes(minimal(description={**DESCRIPTION, "kind": "source", "handlers": ["onRequest"]}))
    assert guesthouse("deploy", path).status == 0
    made = guesthouse("source", "create", "hooks", "--function", "hook", "--json").json
    assert httpx.post(made["hook_url"], content=b"{}", trust_env=False).status_code == 200
    (row,) = [line for line in guesthouse("source", "list").out.splitlines() if line.startswith("hooks ")]
    assert "hook" in row.split()


def test_a_destination_needs_what_exists(guesthouse: Command) -> None:
    """Unknown functions, sources and settings are refused by name, and nothing is made."""
    command = ("destination", "create", "none", "--source", "web")
    unknown = guesthouse(*command, "--function", "helo")
    assert unknown.status == 2
    assert "there is no function 'helo'; there are: " in unknown.err
    assert "hello" in unknown.err
    wrong = guesthouse(*command, "--function", "hello", "--set", "colour=red")
    assert wrong.status == 2
    assert "the function has no setting 'colour'" in wrong.err
    assert "the setting 'url' is missing" in wrong.err
    assert "none" not in {item["name"] for item in guesthouse("destination", "list", "--json").json["items"]}


def test_a_destination_pauses_and_goes_on(guesthouse: Command) -> None:
    """Both are seen in the list."""
    assert guesthouse("destination", "pause", "crm").status == 0
    assert "paused" in guesthouse("destination", "list").out
    assert guesthouse("destination", "resume", "crm").out.startswith("resumed the destination crm")
    assert "paused" not in guesthouse("destination", "list").out


def test_explain_tells_an_events_whole_life(guesthouse: Command, shop: Shop) -> None:
    """When it came, where it went, each attempt with its log, request and response."""
    shop.deliver("whole-life")
    result = guesthouse("explain", "whole-life")
    assert (result.status, result.err) == (0, "")
    for told in (
        "track 'Order Completed'",
        "from web",
        "message id whole-life",
        "user ada",
        "crm: succeeded after 1 attempt",
        "the function said done",
        "info   the API answered 200",
        f"POST {shop.api}/events",
        'request   40 bytes: {"event":"Order Completed","user":"ada"}',
        "response  200 in ",
    ):
        assert told in result.out
    (life,) = guesthouse("explain", "whole-life", "--json").json["items"]
    assert life["deliveries"][0]["delivery"]["state"] == "succeeded"


def test_explain_tells_of_duplicates(guesthouse: Command, shop: Shop) -> None:
    """A message id that came twice was delivered once, and both are told."""
    shop.deliver("twice")
    shop.host.track(shop.write_key, {**EVENT, "messageId": "twice"})
    shop.deliver("after-twice")  # records reach the ledger in order
    out = guesthouse("explain", "twice").out
    assert "duplicate" in out
    assert out.count("succeeded after") == 1


def test_explain_tells_why_not(guesthouse: Command, shop: Shop) -> None:
    """A destination that didn't get the event is named with the reason."""
    shop.host.track(shop.write_key, {"type": "page", "name": "Home", "userId": "ada", "messageId": "unwanted"})
    shop.host.track(shop.write_key, {**EVENT, "messageId": "left-out", "integrations": {"crm": False}})
    shop.deliver("after-unwanted")
    left_out = guesthouse("explain", "left-out")
    assert "crm: not sent: the sender's integrations leave it out" in left_out.out


def test_an_unknown_event_is_told(guesthouse: Command) -> None:
    """One sentence and status 2."""
    result = guesthouse("explain", "never-sent")
    assert (result.status, result.err.count("\n")) == (2, 1)
    assert "no event with the message id 'never-sent' came in" in result.err


def test_strangers_text_never_reaches_the_terminal_raw(guesthouse: Command, shop: Shop) -> None:
    """Escape sequences in names and ids are shown, not obeyed."""
    shop.deliver("raw-1", event="\x1b[31mred\nline", userId="\x1b]0;title\x07")
    for result in (guesthouse("explain", "raw-1"), guesthouse("deliveries", "--message", "raw-1")):
        assert result.status == 0
        assert "\x1b" not in result.out
        assert "\x07" not in result.out
        assert "\\x1b[31mred\\nline" in result.out.replace("\\\\", "\\")


def test_deliveries_are_found(guesthouse: Command, shop: Shop) -> None:
    """By state, event, user, message, source, destination and age; what isn't there is an empty table."""
    shop.deliver("find-me", event="Found", userId="grace")
    asked: tuple[tuple[str, ...], ...] = (
        ("--event", "Found"),
        ("--user", "grace"),
        ("--message", "find-me"),
        ("--message", "find-me", "--state", "succeeded", "--source", "web", "--destination", "crm", "--since", "1h"),
    )
    for options in asked:
        (found,) = guesthouse("deliveries", *options, "--json").json["items"]
        assert found["message_id"] == "find-me"
    (heading, row) = guesthouse("deliveries", *asked[0]).out.splitlines()
    assert heading.split() == [
        *("DELIVERY", "ACCEPTED", "EVENT", "DESTINATION", "STATE", "ATTEMPTS", "NEXT", "MESSAGE", "ID"),
    ]
    assert {"Found", "crm", "succeeded", "find-me"} <= set(row.split())
    assert guesthouse("deliveries", "--event", "Lost", "--json").json["items"] == []


def test_lists_are_cut_where_asked(guesthouse: Command, shop: Shop) -> None:
    """The limit holds, the latest first."""
    shop.deliver("early")
    shop.deliver("late")
    items = guesthouse("deliveries", "--limit", "1", "--json").json["items"]
    assert [item["message_id"] for item in items] == ["late"]


def test_logs_are_told(guesthouse: Command, shop: Shop) -> None:
    """Following tells each line as it is logged; without, those there are, from the level asked for."""
    shop.host.track(shop.write_key, {**EVENT, "messageId": "logged"})
    line = shop.next_log()
    assert (line["message"], line["attempt"]) == ("the API answered 200", 1)
    told = guesthouse("logs", "--limit", "1").out
    assert told.split()[1:3] == ["info", "crm"]
    assert told.endswith("the API answered 200\n")
    assert guesthouse("logs", "--level", "error").out == ""


def test_following_ends_with_ctrl_c(shop: Shop) -> None:
    """One word and the status of an interrupted command."""
    with process("logs", "--follow", "--data", shop.host.data, stderr=-1) as follower:
        assert follower.stdout is not None
        shop.deliver("followed")
        follower.stdout.readline()
        follower.send_signal(signal.SIGINT)
        _, err = follower.communicate(timeout=60)
    assert (follower.returncode, err) == (130, "guesthouse: interrupted\n")


def test_replay_delivers_again(guesthouse: Command, shop: Shop) -> None:
    """A delivery named, or found by a query, is made anew and arrives; both at once are refused."""
    shop.deliver("again")
    (first,) = guesthouse("deliveries", "--message", "again", "--json").json["items"]
    before = len(shop.receiver.lines)
    replayed = guesthouse("replay", first["id"])
    assert replayed.status == 0
    assert replayed.out.startswith(f"{first['id']} -> dlv_")
    shop.next_log()
    assert guesthouse("replay", "--message", "again", "--state", "succeeded").status == 0
    shop.next_log()
    shop.next_log()
    assert len(shop.receiver.lines) == before + 3
    assert guesthouse("replay").status == 2
    assert guesthouse("replay", first["id"], "--state", "dead").status == 2


def test_secrets_of_the_command_line_stay_secret(
    guesthouse: Command, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret comes from the environment or the command line; nothing prints it."""
    settings = [
        {"name": "key", "type": "string", "required": True, "secret": True},
        {"name": "most", "type": "number", "required": False, "secret": False},
    ]
    described = {"abi": 1, "sdk": "x", "language": "wat", "kind": "destination", "handlers": ["onTrack"]}
    path = tmp_path / "keyed.wasm"
    path.write_bytes(minimal(description={**described, "settings": settings}))
    assert guesthouse("deploy", path).status == 0
    monkeypatch.setenv("key", "swordfish")
    command = ("destination", "create", "keyed", "--function", "keyed")
    assert "the setting 'most' is of the type number" in guesthouse(*command, "--secret", "key", "--set", "most=x").err
    made = guesthouse(*command, "--secret", "key", "--set", "most=7", "--json")
    assert (made.json["settings"], made.json["secrets"][0]["name"]) == ({"most": 7}, "key")
    assert "swordfish" not in made.out + (shop.host.data.with_name("host.log")).read_text()


# Which host ---------------------------------------------------------------------------------------------------------


def test_the_environment_names_a_host(
    shop: Shop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """GUESTHOUSE_URL and GUESTHOUSE_TOKEN do without a data folder; one of them alone is refused."""
    run = command_in(capsys)
    monkeypatch.setenv("GUESTHOUSE_URL", f"{shop.host.url}/")
    assert "GUESTHOUSE_URL and GUESTHOUSE_TOKEN belong together" in run("source", "list").err
    monkeypatch.setenv("GUESTHOUSE_TOKEN", (shop.host.data / "admin.token").read_text())
    assert "web" in run("source", "list").out
    monkeypatch.setenv("GUESTHOUSE_TOKEN", "wrong")
    wrong = run("source", "list")
    assert (wrong.status, wrong.err) == (2, "guesthouse: the token is missing or wrong\n")
    for nonsense in ("nonsense", "http://", "http://[::1", "ftp://127.0.0.1", "http://127.0.0.1:x"):
        monkeypatch.setenv("GUESTHOUSE_URL", nonsense)
        refused = run("source", "list")
        assert (refused.status, "GUESTHOUSE_URL is not an address" in refused.err) == (2, True)


def test_a_host_that_is_not_there_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No host in the folder, or none at the address: one sentence that helps, and status 3."""
    run = command_in(capsys)
    nobody = run("source", "list", "--data", tmp_path)
    assert nobody.status == 3
    assert f"start one with guesthouse serve --data {tmp_path}" in nobody.err
    monkeypatch.setenv("GUESTHOUSE_URL", NOWHERE)
    monkeypatch.setenv("GUESTHOUSE_TOKEN", "x")
    away = run("source", "list")
    assert (away.status, f"{NOWHERE} doesn't answer: " in away.err) == (3, True)


def test_functions_never_reach_the_host_itself(guesthouse: Command, shop: Shop) -> None:
    """Its own port is forbidden to them, though this machine's addresses are allowed and the URL is granted."""
    own = ("--set", f"url={shop.host.url}/healthz", "--allow", shop.host.url)
    assert guesthouse("source", "create", "own").status == 0
    assert guesthouse("destination", "create", "own", "--function", "hello", "--source", "own", *own).status == 0
    (source,) = [one for one in guesthouse("source", "list", "--json").json["items"] if one["name"] == "own"]
    shop.host.track(source["write_key"], {**EVENT, "messageId": "to-itself"})
    shop.deliver("after-to-itself")
    assert "denied_address" in guesthouse("explain", "to-itself").out
