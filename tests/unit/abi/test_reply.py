"""What a guest's answer becomes, and what it is told about a bad one."""

from collections.abc import Callable

import msgpack
import pytest

from guesthouse.abi.contract import MAX_EVENT_BYTES, MAX_EVENTS, MAX_MESSAGE_BYTES, MAX_RESULTS
from guesthouse.abi.reply import decode_reply
from guesthouse.errors import BrokenContract
from guesthouse.model.reply import ItemResult, Reply, WebhookResponse
from guesthouse.model.verdict import Verdict


def _reply(**fields: object) -> Reply:
    return decode_reply(msgpack.packb({"verdict": "done", **fields}))


@pytest.mark.parametrize("verdict", Verdict)
def test_a_bare_verdict_is_a_whole_reply(verdict: Verdict) -> None:
    """Nothing but the verdict has to be said, whichever way it is encoded."""
    assert decode_reply(msgpack.packb({"verdict": verdict.value})) == Reply(verdict=verdict)
    assert decode_reply(b"\xde\x00\x01\xd9\x07verdict" + msgpack.packb(verdict.value)) == Reply(verdict=verdict)


def test_a_reply_may_lie_in_borrowed_memory() -> None:
    """A view of a guest's memory is as good as bytes, and nothing of the reply refers to it afterwards."""
    memory = bytearray(msgpack.packb({"verdict": "fail", "event": {"a": "text"}}))
    reply = decode_reply(memoryview(memory))
    memory[:] = bytes(len(memory))
    assert reply == Reply(verdict=Verdict.FAIL, event={"a": "text"})


def test_a_batch_has_a_result_for_each_event() -> None:
    """Results keep their order and what each of them says."""
    reply = _reply(
        results=[{"verdict": "done"}, {"verdict": "retry", "message": "m", "code": "c", "retry_after_ms": 7}]
    )
    retry = ItemResult(verdict=Verdict.RETRY, message="m", code="c", retry_after_ms=7)
    assert reply.results == (ItemResult(verdict=Verdict.DONE), retry)


def test_an_empty_list_of_results_is_not_silence() -> None:
    """Whoever judges the batch can tell results of the wrong length from none at all."""
    assert _reply(results=[]).results == ()
    assert _reply().results is None


def test_a_source_emits_events_and_answers_the_sender() -> None:
    """Events arrive as they were sent; the response's header names are lower case and its body is raw."""
    event = {"type": "track", "properties": {"a": [1, 2.5, None, True, "ä"]}}
    response = {"status": 201, "headers": [["X-A", "1"], ["x-a", "2\t3"]], "body": b"\xff\x00"}
    reply = _reply(events=[event, {}], response=response)
    assert reply.events == (event, {})
    assert reply.response == WebhookResponse(status=201, headers=(("x-a", "1"), ("x-a", "2\t3")), body=b"\xff\x00")


def test_the_last_of_two_equal_keys_counts() -> None:
    """As in every JSON library."""
    data = b"\x83" + b"".join(map(msgpack.packb, ("verdict", "fail", "event", {"a": 1}, "verdict", "done")))
    assert decode_reply(data) == Reply(verdict=Verdict.DONE, event={"a": 1})


@pytest.mark.parametrize("letter", ["x", "ä", "€", "🦊"])
def test_a_long_message_is_cut_not_refused(letter: str) -> None:
    """A message for people never costs the verdict, and is cut between characters."""
    message = _reply(message=letter * MAX_MESSAGE_BYTES).message
    assert message is not None
    assert set(message) == {letter}
    assert MAX_MESSAGE_BYTES - 4 < len(message.encode()) <= MAX_MESSAGE_BYTES


def test_a_long_message_of_a_result_is_cut_too() -> None:
    """The bound holds for each event of a batch."""
    results = _reply(results=[{"verdict": "fail", "message": "x" * 5_000}]).results
    assert results == (ItemResult(verdict=Verdict.FAIL, message="x" * MAX_MESSAGE_BYTES),)


_FITS: dict[str, Callable[[], Reply]] = {
    "results": lambda: _reply(results=[{"verdict": "drop"}] * MAX_RESULTS),
    "events": lambda: _reply(events=[{"a": 1}] * MAX_EVENTS),
    "event": lambda: _reply(event={"a": "x" * (MAX_EVENT_BYTES - 6)}),
    "code": lambda: _reply(code="ä" * 64),
    "retry_after_ms": lambda: _reply(retry_after_ms=1 << 53),
    "status": lambda: _reply(response={"status": 599}),
    "headers": lambda: _reply(response={"status": 100, "headers": [["a", ""]] * 256}),
    "depth": lambda: _reply(event={"a": _nested(62)}),
}


def _nested(depth: int) -> object:
    value: object = None
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("name", _FITS)
def test_what_reaches_a_bound_still_fits(name: str) -> None:
    """Every bound allows its own number."""
    assert _FITS[name]().verdict is Verdict.DONE


_EXCEEDS: dict[str, tuple[Callable[[], Reply], str]] = {
    "event": (lambda: _reply(events=[{}, {"a": "x" * MAX_EVENT_BYTES}]), "reply.events[1] is 32,774 bytes"),
    "headers": (lambda: _reply(response={"status": 200, "headers": [["a", ""]] * 257}), "reply.response.headers"),
    "depth": (lambda: _reply(event={"a": _nested(63)}), "more than 64 containers inside one another"),
    "utf-8 in an event": (
        lambda: decode_reply(b"\x82\xa7verdict\xa4done\xa6events\x91\x81\xa1a\xa1\xff"),
        r"reply.events[0]: the text b'\xff' is not UTF-8",
    ),
    "name": (lambda: _reply(response={"status": 200, "headers": [["", ""]]}), "'' is not a header's name"),
}


@pytest.mark.parametrize("name", _EXCEEDS)
def test_what_exceeds_a_bound_is_named(name: str) -> None:
    """One more is a broken contract that says where."""
    decode, fault = _EXCEEDS[name]
    with pytest.raises(BrokenContract) as caught:
        decode()
    assert fault in str(caught.value)


def test_a_fault_repeats_little_of_what_the_guest_wrote() -> None:
    """A guest can't fill the host's records through its mistakes."""
    with pytest.raises(BrokenContract) as caught:
        decode_reply(msgpack.packb({"verdict": "x" * 100_000}))
    assert str(caught.value) == f"reply.verdict: '{'x' * 59}...' is not a verdict"


def test_a_guest_cannot_forge_a_place() -> None:
    """What looks like a path inside a value stays inside it."""
    with pytest.raises(BrokenContract) as caught:
        _reply(results=[{"verdict": "x` - at `$.events[9]"}])
    assert str(caught.value) == "reply.results[0].verdict: 'x` - at `$.events[9]' is not a verdict"
