"""The golden messages that every SDK tests against: what is in the files is what the contract says."""

from typing import Any

import msgpack
import pytest
from tests.support.abi import DECODERS, arrived, written
from tests.support.malformed import Malformed
from tests.support.vectors import FOLDER, Vector, files, malformed, vectors

from guesthouse.abi import results
from guesthouse.abi.call import CallContext, encode_call
from guesthouse.errors import BrokenContract

_KINDS = ("call", "reply", "description", "request", "result")
_UNKNOWN = {"future", "x"}


def _every(*kinds: str) -> pytest.MarkDecorator:
    found = [vector for kind in kinds for vector in vectors(kind)]
    return pytest.mark.parametrize("vector", found, ids=[vector.name for vector in found])


def test_the_files_are_what_the_generator_writes() -> None:
    """Nobody edits a vector by hand, and none is left behind when its message goes."""
    written_now = {str(path): content for path, content in files()}
    on_disk = {str(path.relative_to(FOLDER)): path.read_bytes() for path in FOLDER.glob("*/*")}
    assert on_disk == written_now


@_every(*_KINDS)
def test_both_files_of_a_vector_say_the_same(vector: Vector) -> None:
    """The msgpack package, which shares no code with the host, reads and writes each vector exactly."""
    assert msgpack.unpackb(vector.data) == vector.message
    assert msgpack.packb(vector.message) == vector.data


@_every("call")
def test_the_host_writes_the_golden_calls(vector: Vector) -> None:
    """A call is encoded to the very bytes of its vector."""
    told = vector.message
    context = CallContext(**told["context"])
    assert encode_call(told["handler"], told["payload"], told["settings"], context) == vector.data


@_every("reply", "description", "request")
def test_the_host_reads_the_golden_messages(vector: Vector) -> None:
    """Everything that a vector says arrives, and unknown keys are passed over."""
    name = vector.name.split("/")[1]
    decode = DECODERS.get(vector.kind) or next(DECODERS[known] for known in DECODERS if name.startswith(known))
    sent = {key: value for key, value in vector.message.items() if key not in _UNKNOWN}
    assert arrived(sent, written(decode(vector.data)))


def _encode_result(message: dict[str, Any]) -> bytes:
    match message:
        case {"status": status, "headers": headers, "body": body, "url": url}:
            return results.encode_http_response(status, [(name, value) for name, value in headers], body, url)
        case {"error": {"code": code, "message": text}}:
            return results.encode_refusal(results.Refusal(code), text)
        case {"signature": signature}:
            return results.encode_signature(signature)
        case {"valid": valid}:
            return results.encode_valid(valid)
        case {"found": _, "value": value}:
            return results.encode_cached(value)
    return results.encode_done()


@_every("result")
def test_the_host_writes_the_golden_results(vector: Vector) -> None:
    """A result is encoded to the very bytes of its vector."""
    assert _encode_result(vector.message) == vector.data


_BROKEN = malformed()


@pytest.mark.parametrize("broken", [broken for _, broken in _BROKEN], ids=[name for name, _ in _BROKEN])
def test_the_host_refuses_the_malformed_messages(broken: Malformed) -> None:
    """Each is a broken contract that says what is wrong, and where."""
    with pytest.raises(BrokenContract) as caught:
        DECODERS[broken.message](broken.data)
    assert str(caught.value) == broken.fault
