"""The contract's numbers, as SDKs have them compiled in, and the page that tells them."""

import re
from pathlib import Path

import pytest

from guesthouse.abi import contract
from guesthouse.abi.call import CallContext, encode_call
from guesthouse.abi.reply import decode_reply
from guesthouse.abi.results import DONE, ELAPSED, Refusal, encode_done
from guesthouse.model.reply import Reply
from guesthouse.model.verdict import Verdict

_ABI_MD = (Path(__file__).parents[3] / "guest-sdks" / "ABI.md").read_text()


def test_the_version_is_in_the_module_name() -> None:
    """A guest of another version fails at link time, by name."""
    assert f"guesthouse_v{contract.ABI_VERSION}" == contract.IMPORT_MODULE


def test_signatures_hold_only_what_wasm32_passes() -> None:
    """Pointers, lengths and handles are i32; times and packed answers i64."""
    for parameters, results in (*contract.IMPORTS.values(), *contract.EXPORTS.values()):
        assert {*parameters, *results} <= {"i32", "i64"}
        assert len(results) <= 1


@pytest.mark.parametrize("name", [*contract.IMPORTS, *contract.EXPORTS, *contract.OPTIONAL_EXPORTS])
def test_the_page_tells_every_function_with_its_signature(name: str) -> None:
    """An author of an SDK needs nothing but ABI.md."""
    everything = {**contract.IMPORTS, **contract.EXPORTS, **contract.OPTIONAL_EXPORTS}
    parameters, results = everything[name]
    told = next(line for line in _ABI_MD.splitlines() if line.startswith(f"| `{name}("))
    signature = told.split("`")[1]
    assert signature.count(": i") == len(parameters)
    assert signature.endswith(f" -> {results[0]}" if results else ")")


_WORDS = [*contract.HANDLERS, *contract.KINDS, *contract.SETTING_TYPES, *Refusal, *Verdict]


@pytest.mark.parametrize("word", _WORDS)
def test_the_page_tells_every_word(word: str) -> None:
    """Handlers, kinds, types of settings, codes of refusals, verdicts."""
    assert f"`{word}`" in _ABI_MD


@pytest.mark.parametrize(
    "bound",
    [
        *(contract.MAX_DEPTH, contract.MAX_REPLY_VALUES, contract.MAX_DESCRIPTION_VALUES, contract.MAX_REQUEST_VALUES),
        *(contract.MAX_RESULTS, contract.MAX_EVENTS, contract.MAX_CODE_LENGTH, contract.MAX_HEADERS),
        *(contract.MAX_SETTINGS, contract.MAX_NAME_LENGTH, contract.MAX_TEXT_LENGTH, contract.WAIT_MAX_HANDLES),
    ],
)
def test_the_page_tells_every_bound(bound: int) -> None:
    """As a number that a reader can search for."""
    assert f"{bound:,}" in _ABI_MD


def _example(heading: str) -> bytes:
    """Bytes of the first block of hex after *heading*: pairs of digits before the first word that is none."""
    block = _ABI_MD.split(heading)[1].split("```")[1]
    lines = (re.match(r"(?:[0-9a-f]{2} +)+", line) for line in block.strip().splitlines())
    return bytes.fromhex("".join(line[0] for line in lines if line))


def test_the_worked_example_works() -> None:
    """The call and the reply in hex are what the host writes and reads."""
    context = CallContext(function="f", version="v", source="s", destination="d", attempt=1, deadline_ms=5_000)
    call = encode_call("onTrack", {"type": "track", "event": "Hi"}, {}, context)
    assert _example("An example in hex\n") == call
    assert f"guesthouse_alloc({len(call)})" in _ABI_MD
    assert decode_reply(_example("wants to be called again")) == Reply(verdict=Verdict.RETRY, retry_after_ms=1_500)


def test_digests_are_numbered() -> None:
    """The numbers are compiled into guests and never change."""
    assert dict(contract.DIGEST_ALGORITHMS) == {1: "md5", 2: "sha1", 3: "sha224", 4: "sha256", 5: "sha384", 6: "sha512"}


def test_a_timer_has_nothing_to_say() -> None:
    """Its result is empty, and that of storing and deleting is always the same."""
    assert ELAPSED == b""
    assert encode_done() is DONE
