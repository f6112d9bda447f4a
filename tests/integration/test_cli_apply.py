"""``guesthouse apply``: a host becomes what a file says, and says first what that changes."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.cli import Command, Result, Served, command_in, serving
from tests.support.guests import DESCRIPTION, ROOT, minimal

from guesthouse.cli.manifest import read_manifest

SETTINGS = [
    {"name": "url", "type": "string", "required": True, "secret": False},
    {"name": "key", "type": "string", "required": False, "secret": True},
]
FUNCTIONS = """
[functions.post]
module = "post.wasm"
"""
WHOLE = (
    FUNCTIONS
    + """
[sources.shop]
[sources.app]

[destinations.crm]
function = "post"
sources = ["shop", "app"]
allow = ["https://crm.example.com/v1"]
settings = { url = "https://crm.example.com/v1/${WHICH:-events}" }
secrets = { key = "${CRM_KEY}" }
filter = { types = ["track"], names = ["Order Completed"] }
limits = { deadline_ms = 2000 }
batching = { events = 10 }
paused = true
"""
)

Apply = Callable[..., Result]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve an empty folder."""
    with serving(tmp_path_factory.mktemp("apply") / "data") as host:
        yield host


@pytest.fixture
def guesthouse(host: Served, capsys: pytest.CaptureFixture[str]) -> Command:
    """Ask that host."""
    run = command_in(capsys)
    return lambda *arguments: run(*arguments, "--data", host.data)


@pytest.fixture
def apply(guesthouse: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Apply:
    """Apply a text, beside a module that it may name."""
    monkeypatch.setenv("CRM_KEY", "swordfish")
    (tmp_path / "post.wasm").write_bytes(minimal(description={**DESCRIPTION, "settings": SETTINGS}))

    def apply_text(text: str, *options: str) -> Result:
        (tmp_path / "guesthouse.toml").write_text(text)
        return guesthouse("apply", tmp_path / "guesthouse.toml", *options)

    return apply_text


def test_a_set_up_is_made_and_then_left_alone(apply: Apply, guesthouse: Command) -> None:
    """A dry run shows and changes nothing; the first run makes it all; the second finds nothing to do."""
    tried = apply(WHOLE, "--dry-run")
    assert (tried.status, tried.err) == (1, "")
    assert guesthouse("source", "list", "--json").json["items"] == []
    made = apply(WHOLE)
    assert (made.status, made.err) == (0, "")
    for told in (
        "+ post",
        "+ shop",
        "+ app",
        "+ crm",
        'url  "https://crm.example.com/v1/events"',
        "secret key",
        "Done",
    ):
        assert told in tried.out + made.out
    assert "swordfish" not in made.out
    before = guesthouse("destination", "list", "--json").json
    again = apply(WHOLE)
    assert (again.status, again.out) == (0, "Nothing to change: the host is as the file says\n")
    assert guesthouse("destination", "list", "--json").json == before
    assert apply(WHOLE, "--dry-run").status == 0
    assert apply(WHOLE, "--json").json == {"changes": [], "notes": [], "applied": True}
    (crm,) = before["items"]
    assert (crm["is_paused"], crm["filter"]["names"], crm["limits"]) == (
        True,
        ["Order Completed"],
        {"deadline_ms": 2000},
    )
    assert (crm["grants"], crm["batching"]["events"], len(crm["source_ids"])) == (["https://crm.example.com/v1"], 10, 2)


def test_a_change_is_shown_and_made(apply: Apply, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what differs is told: a setting by the environment, a source less, another grant, a secret less."""
    assert apply(WHOLE).status == 0
    monkeypatch.setenv("WHICH", "people")
    changed = WHOLE.replace('["shop", "app"]', '["shop"]').replace('com/v1"]', 'com"]')
    changed = changed.replace('secrets = { key = "${CRM_KEY}" }', "").replace("paused = true", "")
    result = apply(changed)
    assert result.out.splitlines() == [
        "destinations",
        "  ~ crm",
        '      settings.url  "https://crm.example.com/v1/events" -> "https://crm.example.com/v1/people"',
        '      allow  ["https://crm.example.com/v1"] -> ["https://crm.example.com"]',
        '      sources  ["app", "shop"] -> ["shop"]',
        "      paused  true -> false",
        "      secret key is removed",
        "1 change",
        "Done",
    ]
    assert apply(changed).out.startswith("Nothing to change")


def test_a_secrets_new_value_is_noticed(apply: Apply, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can read a secret back, so the host compares: the same value changes nothing, another is told."""
    assert apply(WHOLE).status == 0
    monkeypatch.setenv("CRM_KEY", "sailfish")
    result = apply(WHOLE)
    assert "destination crm: secret key has a new value" in result.out
    assert "sailfish" not in result.out
    assert "new value" not in apply(WHOLE).out


def test_a_new_build_is_deployed(apply: Apply, tmp_path: Path) -> None:
    """Another module becomes a version that is run; the old and the new are named by digest."""
    assert apply(FUNCTIONS).status == 0
    (tmp_path / "post.wasm").write_bytes(minimal(memory="2", description={**DESCRIPTION, "settings": SETTINGS}))
    result = apply(FUNCTIONS)
    assert "~ post" in result.out
    assert " -> " in result.out
    assert apply(FUNCTIONS).out.endswith("Nothing to change: the host is as the file says\n")


def test_what_is_not_in_the_file_is_left_alone(apply: Apply, guesthouse: Command) -> None:
    """It is named, and stays."""
    guesthouse("source", "create", "by-hand")
    assert "by-hand" in apply(FUNCTIONS).out
    assert "by-hand" in {one["name"] for one in guesthouse("source", "list", "--json").json["items"]}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[sources", "this isn't TOML"),
        ("[sorces.shop]", "unknown field `sorces`"),
        ("[sources.shop]\nkolour = 1", "unknown field `kolour` - at `$.sources[...]`"),
        ('[destinations.x]\nfunction = "${NOT_SET}"', "not in the environment: NOT_SET"),
        (
            '[destinations.x]\nfunction = "gone"',
            "the destination x names the function gone, which is neither in the file",
        ),
        ("[destinations.x]\nsources = []", "missing required field `function`"),
        ('[functions.f]\nmodule = "gone.wasm"', "gone.wasm: can't be read: No such file or directory"),
    ],
)
def test_a_file_that_is_wrong_is_told(text: str, told: str, apply: Apply) -> None:
    """Where and why, with status 2; nothing is changed."""
    result = apply(text)
    assert (result.status, result.out) == (2, "")
    assert told in result.err


def test_what_the_host_refuses_is_told(apply: Apply) -> None:
    """The host's own words, each problem on a line."""
    text = FUNCTIONS + '[destinations.bad]\nfunction = "post"\nallow = ["nonsense"]\nlimits = { fule = 1 }\n'
    result = apply(text)
    assert result.status == 2
    assert result.err.startswith("guesthouse: destination bad: ")
    assert "there is no limit 'fule'" in result.err
    assert "nonsense" in result.err


def test_the_readmes_file_can_be_read(tmp_path: Path) -> None:
    """What the README shows is such a file; so is the example's."""
    (block,) = re.findall(r"^```toml\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    (tmp_path / "guesthouse.toml").write_text(block)
    shown = read_manifest(tmp_path / "guesthouse.toml", {})
    assert shown.destinations["crm"].settings == {"url": "https://crm.example.com/eu/events"}
    example = read_manifest(ROOT / "examples/shop/guesthouse.toml", {"CRM_URL": "http://a"})
    assert example.destinations["crm"].allow == ("http://a",)
