"""Hosts: one spelling for each, and wildcards that mean what they say."""

import pytest

from guesthouse.model.hosts import host_matches, normalise_host, normalise_pattern


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("API.Example.COM", "api.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("_dmarc.example.com", "_dmarc.example.com"),
        ("localhost", "localhost"),
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:DB8:0:0::1]", "[2001:db8::1]"),
        ("[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
    ],
)
def test_a_host_has_one_spelling(written: str, normal: str) -> None:
    """Letters are lowered, international names become ASCII, IPv6 is compressed."""
    assert normalise_host(written) == normal


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "127.1",
        "127.0.1",
        "017700000001",
        "0177.0.0.1",
        "127.0.0.01",
        "1.2.3.4.5",
        "256.1.1.1",
        "example.0x7f",
        "foo.127",
        "\uff11\uff12\uff17.0.0.1.2",
        "127\u30020\u30020\u3002999",
    ],
)
def test_odd_ways_to_write_ipv4_are_refused(host: str) -> None:
    """Decimal, octal, hexadecimal, short and full-width forms are no hosts: only four decimal numbers are."""
    with pytest.raises(ValueError, match="IPv4"):
        normalise_host(host)


def test_full_width_digits_are_seen_for_what_they_are() -> None:
    """International spellings of an address become that address, so that every later check sees it."""
    assert normalise_host("\uff11\uff12\uff17\u30020\u30020\u30021") == "127.0.0.1"


@pytest.mark.parametrize(
    "host",
    [
        "",
        "example.com.",
        "example..com",
        ".example.com",
        "-a.example.com",
        "a" * 64 + ".com",
        ".".join(["a" * 60] * 5),
        "exa mple.com",
        "ex%61mple.com",
        "a,b.com",
        "*.example.com",
        "\ud800.com",
        "[::1",
        "[]",
        "[::1%25eth0]",
        "[fe80::1%eth0]",
        "[127.0.0.1]",
        "a[::1]",
    ],
)
def test_what_is_no_host_is_refused(host: str) -> None:
    """Trailing dots, empty or long labels, escapes, zones and stray characters are refused."""
    with pytest.raises(ValueError, match="host"):
        normalise_host(host)


@pytest.mark.parametrize(
    ("pattern", "host", "expected"),
    [
        ("api.example.com", "api.example.com", True),
        ("api.example.com", "b.api.example.com", False),
        ("*.example.com", "a.example.com", True),
        ("*.example.com", "a.b.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "evilexample.com", False),
        ("*.example.com", "example.com.evil.org", False),
    ],
)
def test_a_wildcard_stands_for_every_name_below_and_not_for_the_apex(pattern: str, host: str, expected: bool) -> None:  # noqa: FBT001 - a parameter of the table above
    """A wildcard begins at a dot, and an exact host is only itself."""
    assert host_matches(normalise_pattern(pattern), host) is expected


@pytest.mark.parametrize(
    "pattern",
    ["*", "*.", "*.com", "*.co.uk", "*.com.au", "a*.example.com", "*.*.example.com", "a.*.com", "**.example.com"],
)
def test_wildcards_that_are_too_wide_are_refused(pattern: str) -> None:
    """Nobody owns a whole registry, and a star is exactly the first label."""
    with pytest.raises(ValueError, match=r"wildcard|wide|host"):
        normalise_pattern(pattern)


def test_addresses_are_granted_literally() -> None:
    """No wildcard stands for a range of addresses."""
    with pytest.raises(ValueError, match="literally"):
        normalise_pattern("*.0.0.1.2"[:9])
