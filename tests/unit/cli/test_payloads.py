"""What ``--event`` may hold, and what each mistake in it is told."""

import pytest

from guesthouse.abi.call import Webhook
from guesthouse.abi.contract import HANDLERS
from guesthouse.cli.exits import BadInput
from guesthouse.cli.payloads import BATCH_BYTES, BY_TYPE, WEBHOOK_BYTES, payload_of, webhook

TRACK = {"type": "track", "event": "Order Completed", "userId": "ada"}


@pytest.mark.parametrize(("kind", "handler"), BY_TYPE.items())
def test_an_event_goes_to_the_handler_of_its_type(kind: str, handler: str) -> None:
    """Each type of the contract has its handler, and the payload is the event as it is."""
    event = {"type": kind, "userId": "ada"}
    assert payload_of(event, None) == (handler, event)


def test_every_handler_can_be_reached() -> None:
    """By the type of an event, by a list, or by a request: none of the contract's handlers is forgotten."""
    assert {*BY_TYPE.values(), "onBatch", "onRequest"} == set(HANDLERS)


def test_a_list_is_a_batch() -> None:
    """A list goes to onBatch, an empty one too."""
    assert payload_of([TRACK, TRACK], None) == ("onBatch", [TRACK, TRACK])
    assert payload_of([], "onBatch") == ("onBatch", [])


def test_a_named_handler_outranks_the_type() -> None:
    """Whoever names a handler gets it, whatever the event says of itself."""
    assert payload_of({"any": "thing"}, "onIdentify") == ("onIdentify", {"any": "thing"})


def test_what_looks_like_a_request_is_one() -> None:
    """Without a type, method and url make a request; with onRequest named, url alone does."""
    assert payload_of({"method": "PUT", "url": "/hook"}, None) == ("onRequest", Webhook(method="PUT", url="/hook"))
    assert payload_of({"url": "/hook"}, "onRequest") == ("onRequest", Webhook(method="POST", url="/hook"))


def test_a_request_is_taken_as_it_came_in() -> None:
    """Header names become lower case, repeated ones stay; the query comes from the URL; the body is raw bytes."""
    request = webhook({"url": "/h?a=1&b=&a=2", "headers": [["X-A", "1"], ["x-a", "2"]], "body": "grüß"})
    assert request.headers == (("x-a", "1"), ("x-a", "2"))
    assert request.query == (("a", "1"), ("b", ""), ("a", "2"))
    assert request.body == "grüß".encode()


@pytest.mark.parametrize(
    ("given", "body"),
    [
        ({}, b""),
        ({"body": None}, b""),
        ({"body": {"a": [1]}}, b'{"a":[1]}'),
        ({"body": [1, "x"]}, b'[1,"x"]'),
        ({"body_base64": "AP8="}, b"\x00\xff"),
    ],
)
def test_a_body_may_be_json_or_bytes(given: dict[str, object], body: bytes) -> None:
    """What isn't a string is sent as its JSON, and base64 as the bytes it stands for."""
    assert webhook({"url": "/", **given}).body == body


@pytest.mark.parametrize(
    ("document", "handler", "told"),
    [
        (7, None, "this is a number"),
        (None, None, "this is null"),
        ("track", "onTrack", "this is a string"),
        ({"event": "x"}, None, "the event has no type"),
        ({"type": "click"}, None, "the event's type is 'click', none of track,"),
        ({"type": ["track"]}, None, "the event's type is ['track'], none of"),
        (TRACK, "onBatch", "onBatch takes a list"),
        ([TRACK], "onTrack", "onTrack takes one JSON object"),
        ([TRACK, 1], None, "event 2 of the batch is a number"),
        ([{}] * 2_501, None, "a batch of 2,501 events is too large; 2,500 are allowed"),
        ([{"x": "y" * 30_000}] * 20, None, f"{BATCH_BYTES:,} are allowed"),
        ([TRACK, {"x": "y" * 40_000}], None, "event 2 of the batch is 40,008 bytes as JSON; 32,768 are allowed"),
        ({**TRACK, "x": "y" * 40_000}, None, "32,768 are allowed"),
        ({"method": "GET"}, "onRequest", "url is a string that isn't empty, not null"),
        ({"method": 1, "url": "/"}, None, "method is a string that isn't empty, not a number"),
        ({"url": "/", "headers": "x"}, "onRequest", "headers are an object of strings"),
        ({"url": "/", "headers": {"a": 1}}, "onRequest", "headers are an object of strings"),
        ({"url": "/", "headers": [["a"]]}, "onRequest", "headers are an object of strings"),
        ({"url": "/", "headers": [["a", "b"]] * 257}, "onRequest", "257 headers; 256 are allowed"),
        ({"url": "/?" + "a=b&" * 300}, "onRequest", "the request's url can't be read"),
        ({"url": "//[", "body": ""}, "onRequest", "the request's url can't be read"),
        ({"url": "/", "Body": ""}, "onRequest", "a request has no 'Body'; it has method, url,"),
        ({"url": "/", "body": "", "body_base64": ""}, "onRequest", "not both"),
        ({"url": "/", "body_base64": "?"}, "onRequest", "isn't base64"),
        ({"url": "/", "body_base64": 1}, "onRequest", "isn't base64"),
        ({"url": "/", "body": "x" * (WEBHOOK_BYTES + 1)}, "onRequest", "1,048,577 bytes; 1,048,576 are allowed"),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, str) else None,
)
def test_each_mistake_is_told(document: object, handler: str | None, told: str) -> None:
    """The message names what was found and what is wanted."""
    with pytest.raises(BadInput) as caught:
        payload_of(document, handler)
    assert told in str(caught.value)
