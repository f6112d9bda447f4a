"""Grants: what they permit, and how they are written."""

import pytest

from guesthouse.model.capability import Grant, Secret
from guesthouse.model.target import Target


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://api.example.com/v1", "https://api.example.com/v1"),
        ("HTTPS://API.example.com", "https://api.example.com/"),
        ("https://api.example.com:443/v1/", "https://api.example.com/v1"),
        ("http://*.Example.com:8080", "http://*.example.com:8080/"),
        ("https://*.bücher.example/ü", "https://*.xn--bcher-kva.example/%C3%BC"),
        ("http://127.0.0.1:9", "http://127.0.0.1:9/"),
        ("http://[0:0::1]/", "http://[::1]/"),
    ],
)
def test_a_grant_is_written_as_a_url(text: str, expected: str) -> None:
    """Case, default ports, trailing slashes and international names are normalised."""
    assert str(Grant.parse(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "api.example.com",
        "ftp://example.com/",
        "https://user@example.com/",
        "https://example.com/?a=b",
        "https://example.com/#a",
        "https://*/",
        "https://*.com/",
        "https://*.co.uk/",
        "https://a*.example.com/",
        "https://example.com:0/",
        "https://example.com:70000/",
        "https://example.com:x/",
        "https://2130706433/",
        "https://example.com/a/../b",
        "https://example.com/a%2fb",
        "https://example.com./",
    ],
)
def test_a_bad_grant_is_refused_with_its_text(text: str) -> None:
    """The message quotes the grant and says what is wrong with it."""
    with pytest.raises(ValueError, match=r"the grant '.+' is not valid: .+"):
        Grant.parse(text)


def test_a_bad_method_is_refused() -> None:
    """Methods are names."""
    with pytest.raises(ValueError, match="not a method"):
        Grant.parse("https://example.com/", methods=["GET POST"])


@pytest.mark.parametrize(
    ("method", "url", "expected"),
    [
        ("POST", "https://api.example.com/v1", True),
        ("POST", "https://api.example.com/v1?x=1", True),
        ("POST", "https://api.example.com/v1/items", True),
        ("POST", "https://api.example.com/v1x", False),
        ("POST", "https://api.example.com/v", False),
        ("POST", "https://api.example.com/", False),
        ("POST", "https://api.example.com/V1", False),
        ("POST", "https://api.example.com/%76%31", False),
        ("POST", "https://api.example.com//v1", False),
        ("GET", "https://api.example.com/v1", False),
        ("POST", "http://api.example.com/v1", False),
        ("POST", "https://api.example.com:8443/v1", False),
        ("POST", "https://example.com/v1", False),
        ("POST", "https://api.example.com.evil.org/v1", False),
    ],
)
def test_a_grant_permits_exactly_what_it_names(method: str, url: str, expected: bool) -> None:  # noqa: FBT001 - a parameter of the table above
    """Scheme, host, port, method, and the path in whole segments as sent: all have to agree."""
    grant = Grant.parse("https://api.example.com/v1", methods=["post"])
    assert grant.permits(method, Target.parse(url)) is expected


def test_no_methods_mean_every_method() -> None:
    """A grant that names no methods doesn't restrict them."""
    assert Grant.parse("https://e.com").permits("PURGE", Target.parse("https://e.com/"))


def test_the_hosts_of_a_secret_are_spelled_as_grants_are() -> None:
    """They are compared with normalised hosts; what is no host is refused at once."""
    assert Secret(name="k", value="v", hosts=("API.Example.com",)).hosts == ("api.example.com",)
    with pytest.raises(ValueError, match="wide"):
        Secret(name="k", value="v", hosts=("*.com",))


def test_the_value_of_a_secret_stays_out_of_its_repr() -> None:
    """Reprs reach logs."""
    assert "hunter2" not in repr(Secret(name="k", value="hunter2"))
