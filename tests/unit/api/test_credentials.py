"""Keys and tokens in headers."""

from base64 import b64encode

import pytest

from guesthouse.api.credentials import MAX_KEY, basic_key, bearer_token


@pytest.mark.parametrize(
    ("header", "key"),
    [
        (b"Basic " + b64encode(b"key:"), "key"),
        (b"Basic " + b64encode(b"key"), "key"),
        (b"Basic " + b64encode(b"key:password:x"), "key"),
        (b"bAsIc   " + b64encode(b"key:") + b"  ", "key"),
        (b"Basic " + b64encode(b"ke:").rstrip(b"="), "ke"),
        (b"Basic " + b64encode(b"k" * MAX_KEY), "k" * MAX_KEY),
        (b"Basic " + b64encode(b"k" * (MAX_KEY + 1)), None),
        (b"Basic " + b64encode(b":key"), None),
        (b"Basic " + b64encode(b"k\x00y:"), None),
        (b"Basic " + b64encode(b"k\ny:"), None),
        (b"Basic " + b64encode(b"k\xff:"), None),
        (b"Basic " + b64encode("k\xe9y:".encode()), None),
        (b"Basic a", None),
        (b"Basic ****", None),
        (b"Basic", None),
        (b"Basic ", None),
        (b"Bearer key", None),
        (b"", None),
    ],
)
def test_write_keys(header: bytes, key: str | None) -> None:
    """Basic's user name; what can't be a key is none."""
    assert basic_key(header) == key


@pytest.mark.parametrize(
    ("header", "token"),
    [
        (b"Bearer abc", "abc"),
        (b"bearer  abc ", "abc"),
        (b"Bearer ", None),
        (b"Bearer a\x00", None),
        (b"Bearer \xff", None),
        (b"Bearer " + b"a" * (MAX_KEY + 1), None),
        (b"Basic YWJj", None),
        (b"", None),
    ],
)
def test_bearer_tokens(header: bytes, token: str | None) -> None:
    """The scheme in any case; what can't be a token is none."""
    assert bearer_token(header) == token
