"""Header fields: the host's, the guest's, and the dangerous."""

import pytest

from guesthouse.abi.results import Refusal
from guesthouse.runtime.outbound.failures import RefusedError
from guesthouse.runtime.outbound.headers import (
    MAX_REQUEST_HEADERS,
    check_values,
    filter_request,
    filter_response,
    is_sensitive,
)


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "content-length",
        "Transfer-Encoding",
        "Connection",
        "Keep-Alive",
        "Proxy-Authorization",
        "Proxy-Connection",
        "Expect",
        "Upgrade",
        "TE",
        "Trailer",
        "Accept-Encoding",
        "HTTP2-Settings",
    ],
)
def test_headers_that_are_the_hosts_are_dropped(name: str) -> None:
    """Framing, routing and hop-by-hop headers are out of the guest's reach, in any case."""
    assert filter_request([(name, "x"), ("X-Own", " kept\t")]) == (("X-Own", "kept"),)


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nb", "ü", "a" * 129, "\x00"])
def test_a_bad_name_is_refused(name: str) -> None:
    """Names are tokens."""
    with pytest.raises(RefusedError) as caught:
        filter_request([(name, "x")])
    assert caught.value.code is Refusal.BAD_REQUEST


@pytest.mark.parametrize("value", ["a\r\nEvil: 1", "a\nb", "a\rb", "a\x00b", "\x1b[0m", "a\x7f", "\ud800"])
def test_a_value_cannot_break_out_of_its_header(value: str) -> None:
    """Line breaks, NUL and other controls are refused, even in headers that are dropped."""
    with pytest.raises(RefusedError):
        filter_request([("X-Own", value)])
    with pytest.raises(RefusedError):
        filter_request([("Host", value)])


def test_a_secret_cannot_break_out_of_its_header_either() -> None:
    """What is put in the place of a token is checked as well."""
    with pytest.raises(RefusedError):
        check_values([("Authorization", "Bearer a\r\nb")])


def test_request_headers_are_bounded() -> None:
    """In number and in bytes."""
    with pytest.raises(RefusedError) as caught:
        filter_request([("a", "b")] * (MAX_REQUEST_HEADERS + 1))
    assert caught.value.code is Refusal.REQUEST_TOO_LARGE
    with pytest.raises(RefusedError):
        filter_request([("a", "b" * 65_536)])


def test_a_response_keeps_what_is_the_guests() -> None:
    """Names are lowered; hop-by-hop headers go; bytes that are no UTF-8 don't break the encoding of the result."""
    raw = [(b"Content-Type", b"a/b"), (b"Connection", b"close"), (b"X-Odd", b"\xff"), (b"Content-Length", b"1")]
    assert filter_response(raw, decoded=False) == (
        ("content-type", "a/b"),
        ("x-odd", "\ufffd"),
        ("content-length", "1"),
    )


def test_a_decoded_body_loses_the_headers_of_its_encoding() -> None:
    """Content-Encoding and Content-Length speak of bytes that the guest doesn't get."""
    raw = [(b"Content-Encoding", b"gzip"), (b"Content-Length", b"9"), (b"ETag", b"x")]
    assert filter_response(raw, decoded=True) == (("etag", "x"),)


def test_response_headers_are_bounded_together() -> None:
    """Many headers, each of a legal size, are refused."""
    with pytest.raises(RefusedError) as caught:
        filter_response([(b"x", b"y" * 8_000)] * 9, decoded=False)
    assert caught.value.code is Refusal.RESPONSE_TOO_LARGE


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Authorization", True),
        ("Cookie", True),
        ("X-Api-Key", True),
        ("X-Auth-Token", True),
        ("X-Hub-Signature", True),
        ("Content-Type", False),
        ("Accept", False),
    ],
)
def test_headers_that_look_like_credentials_are_known(name: str, expected: bool) -> None:  # noqa: FBT001 - a parameter of the table above
    """Custom credentials are as sensitive as the standard ones."""
    assert is_sensitive(name) is expected
