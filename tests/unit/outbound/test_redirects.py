"""Redirects, without any I/O: methods, bodies, locations, and what is left behind when the origin changes."""

import pytest

from guesthouse.abi.results import Refusal
from guesthouse.model.capability import Exposure, Secret
from guesthouse.model.target import Target
from guesthouse.runtime.outbound.failures import RefusedError
from guesthouse.runtime.outbound.redirects import Hop, next_hop
from guesthouse.runtime.secrets import Vault

NO_SECRETS = Vault()


def hop(method: str = "POST", url: str = "https://a.example/x/y?z=1", body: bytes = b"body", **headers: str) -> Hop:
    """Make a request; underscores in header names become dashes."""
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Hop(method, Target.parse(url), pairs, body)


@pytest.mark.parametrize(
    ("status", "method", "expected"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (303, "PUT", "GET"),
        (303, "HEAD", "HEAD"),
        (303, "GET", "GET"),
        (301, "PUT", "PUT"),
        (302, "DELETE", "DELETE"),
        (307, "POST", "POST"),
        (308, "PATCH", "PATCH"),
    ],
)
def test_methods_change_as_in_browsers(status: int, method: str, expected: str) -> None:
    """POST becomes GET on 301 and 302, everything but HEAD on 303, nothing on 307 and 308."""
    assert next_hop(hop(method), status, "/", NO_SECRETS).method == expected


def test_a_rewritten_request_has_no_body_and_no_word_of_it() -> None:
    """Headers that describe the body go with it; the others stay."""
    following = next_hop(hop(content_type="a/b", content_encoding="x", accept="*/*"), 303, "/", NO_SECRETS)
    assert (following.body, following.headers) == (b"", (("accept", "*/*"),))


def test_a_body_is_sent_again_on_307() -> None:
    """With its headers."""
    following = next_hop(hop(content_type="a/b"), 307, "/", NO_SECRETS)
    assert (following.body, following.headers) == (b"body", (("content-type", "a/b"),))


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("https://b.example/q", "https://b.example/q"),
        ("//b.example/q", "https://b.example/q"),
        ("/q?r#s", "https://a.example/q?r"),
        ("q", "https://a.example/x/q"),
        ("../q", "https://a.example/q"),
        ("?q", "https://a.example/x/y?q"),
        ("", "https://a.example/x/y?z=1"),
        ("#f", "https://a.example/x/y?z=1"),
        ("/ü", "https://a.example/%C3%BC"),
    ],
)
def test_locations_are_resolved(location: str, expected: str) -> None:
    """Against the URL that answered, as RFC 3986 says."""
    assert next_hop(hop(), 307, location, NO_SECRETS).target.url == expected


@pytest.mark.parametrize(
    "location",
    [
        "ftp://b.example/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://user:pass@b.example/",
        "https://2130706433/",
        "https://b.example\\@evil.example/",
        "/\\evil.example/",
        "/a%2fb",
        "/%2e%2e/",
        "/a\tb",
        "https://b.example:99999/",
        "https://[::1",
        "http://",
        "\ud800",
    ],
)
def test_a_bad_location_is_refused(location: str) -> None:
    """What a guest may not request, nobody may redirect it to."""
    with pytest.raises(RefusedError) as caught:
        next_hop(hop(), 307, location, NO_SECRETS)
    assert caught.value.code is Refusal.PROTOCOL_ERROR


@pytest.mark.parametrize(
    "location", ["https://b.example/", "http://a.example/", "https://a.example:8443/", "https://sub.a.example/"]
)
def test_credentials_stay_behind_when_the_origin_changes(location: str) -> None:
    """Scheme, host and port make the origin; standard and custom credentials are dropped, the rest goes along."""
    first = hop(authorization="Bearer x", cookie="a=b", x_api_key="k", x_auth_token="t", accept="*/*")  # noqa: S106 - no real one
    assert next_hop(first, 307, location, NO_SECRETS).headers == (("accept", "*/*"),)


def test_credentials_go_along_within_an_origin() -> None:
    """A redirect to another path of the same host keeps them."""
    first = hop(authorization="Bearer x")
    assert next_hop(first, 307, "/elsewhere", NO_SECRETS).headers == first.headers


@pytest.mark.parametrize("exposure", list(Exposure))
@pytest.mark.parametrize("template", ["{}", "Bearer {}", "key={};"])
def test_any_header_that_holds_a_secret_stays_behind(exposure: Exposure, template: str) -> None:
    """However innocent its name is."""
    vault = Vault([Secret(name="k", value="sk_live_1234", exposure=exposure, hosts=("a.example",))])
    first = hop(x_info=template.format(vault.settings["k"]), accept="*/*")
    assert next_hop(first, 307, "https://b.example/", vault).headers == (("accept", "*/*"),)


@pytest.mark.parametrize("exposure", list(Exposure))
def test_a_body_that_holds_a_secret_goes_to_no_other_origin(exposure: Exposure) -> None:
    """The redirect is refused rather than followed with half a request."""
    vault = Vault([Secret(name="k", value="sk_live_1234", exposure=exposure)])
    first = hop(body=b"client_secret=" + vault.settings["k"].encode())
    with pytest.raises(RefusedError) as caught:
        next_hop(first, 308, "https://b.example/", vault)
    assert caught.value.code is Refusal.DENIED_HOST
    assert next_hop(first, 308, "/other", vault).body == first.body
    assert next_hop(first, 303, "https://b.example/", vault).body == b""
