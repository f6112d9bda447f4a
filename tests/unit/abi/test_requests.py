"""What guests ask of the host, as values."""

import msgpack
import pytest

from guesthouse.abi.requests import (
    CacheDelete,
    CacheGet,
    CacheSet,
    HmacSign,
    HmacVerify,
    HttpRequest,
    decode_cache_delete,
    decode_cache_get,
    decode_cache_set,
    decode_hmac_sign,
    decode_hmac_verify,
    decode_http_request,
)
from guesthouse.errors import BrokenContract


def test_a_request_needs_a_method_and_a_url() -> None:
    """Redirects are followed and the host's own timeout holds where nothing else is said, nil included."""
    bare = {"method": "GET", "url": "https://example.com/"}
    nulls = {"headers": None, "body": None, "timeout_ms": None, "redirect": None}
    told = decode_http_request(msgpack.packb(bare))
    assert told == HttpRequest(method="GET", url="https://example.com/")
    assert told.redirect
    assert told.timeout_ms is None
    assert decode_http_request(msgpack.packb({**bare, **nulls})) == told


def test_header_names_become_lower_case() -> None:
    """Repeats and order stay, and values are left as they are."""
    headers = [["Accept", "A"], ["X-Tag", "1"], ["x-tag", "2"]]
    told = decode_http_request(msgpack.packb({"method": "GET", "url": "", "headers": headers, "redirect": False}))
    assert told.headers == (("accept", "A"), ("x-tag", "1"), ("x-tag", "2"))
    assert not told.redirect


def test_what_can_be_refused_is_not_judged_here() -> None:
    """Bad URLs, methods, header values and algorithms are well-formed: their refusal is a result."""
    odd = {"method": "G T", "url": "nonsense", "headers": [["a", "b\r\nc"]], "timeout_ms": 0}
    assert decode_http_request(msgpack.packb(odd)).url == "nonsense"
    assert decode_hmac_sign(msgpack.packb({"secret": "", "algorithm": "rot13", "data": b""})).algorithm == "rot13"


def test_signatures_and_the_cache() -> None:
    """Every other request is read field by field."""
    sign = {"secret": "key", "algorithm": "sha256", "data": b"\xff"}
    assert decode_hmac_sign(msgpack.packb(sign)) == HmacSign(secret="key", algorithm="sha256", data=b"\xff")  # noqa: S106 - a name
    verify = decode_hmac_verify(msgpack.packb({**sign, "signature": b"\x00"}))
    assert verify == HmacVerify(secret="key", algorithm="sha256", data=b"\xff", signature=b"\x00")  # noqa: S106 - a name
    assert decode_cache_get(msgpack.packb({"key": "k"})) == CacheGet(key="k")
    assert decode_cache_delete(msgpack.packb({"key": "k"})) == CacheDelete(key="k")
    stored = decode_cache_set(msgpack.packb({"key": "k", "value": b"v", "ttl_ms": 1}))
    assert stored == CacheSet(key="k", value=b"v", ttl_ms=1)


def test_values_of_requests_are_frozen() -> None:
    """What was decided about a request stays true of it."""
    told = decode_cache_get(msgpack.packb({"key": "k"}))
    with pytest.raises(AttributeError):
        told.key = "other"  # type: ignore[misc] # the point of the test


def test_a_request_has_far_fewer_values_than_a_reply() -> None:
    """Thousands of headers are refused before any of them is made."""
    headers = [["a", "b"]] * 257
    with pytest.raises(BrokenContract, match=r"^http_send.headers: expected array of length <= 256$"):
        decode_http_request(msgpack.packb({"method": "GET", "url": "", "headers": headers}))
    with pytest.raises(BrokenContract, match=r"more values than a message may hold$"):
        decode_http_request(msgpack.packb({"method": "GET", "url": "", "headers": headers * 8}))
