"""The table of addresses that guests never reach, and its exceptions."""

import socket
from ipaddress import ip_network

import pytest

from guesthouse.runtime.outbound.addresses import AddressGuard, ForbiddenAddressError

FORBIDDEN = [
    "0.0.0.0",  # noqa: S104 - an address to refuse, not to bind
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::808:808",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:7f00:1",
    "64:ff9b::7f00:1",
    "64:ff9b::8.8.8.8",
    "64:ff9b:1::a9fe:a9fe",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:808:808::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%lo",
    "fec0::1",
    "ff02::1",
    "not an address",
    "",
    "2130706433",
    "127.1",
]


@pytest.mark.parametrize("address", FORBIDDEN)
def test_special_addresses_are_forbidden(address: str) -> None:
    """Every special-purpose network, every embedding of IPv4 in IPv6, and whatever is no address."""
    assert AddressGuard().is_forbidden(address, 443)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "8.8.8.8", "100.63.255.255", "172.32.0.1", "192.0.1.1", "223.255.255.255", "2606:4700::1111"]
)
def test_public_addresses_are_not(address: str) -> None:
    """The table ends where the special networks end."""
    assert not AddressGuard().is_forbidden(address, 443)


def test_the_operator_may_except_a_network() -> None:
    """An exception covers its network and nothing beside it."""
    guard = AddressGuard([ip_network("127.0.0.0/8"), ip_network("::1/128")])
    assert not guard.is_forbidden("127.0.0.1", 80)
    assert not guard.is_forbidden("::1", 80)
    assert guard.is_forbidden("10.0.0.1", 80)
    assert guard.is_forbidden("::ffff:127.0.0.1", 80)


@pytest.mark.parametrize(
    "address", ["::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "2002:a00:1::1", "::a00:1", "2001:0:a00:1::"]
)
def test_an_exception_does_not_reach_into_embedded_addresses(address: str) -> None:
    """Excepting all of IPv6 still forbids the private IPv4 addresses that hide in it."""
    guard = AddressGuard([ip_network("::/0")])
    assert guard.is_forbidden(address, 80)


def test_a_teredo_client_is_unmasked() -> None:
    """Teredo writes the client's address inverted."""
    guard = AddressGuard([ip_network("::/0")])
    assert guard.is_forbidden("2001:0:808:808:0:0:80ff:fffe", 80)
    assert not guard.is_forbidden("2001:0:808:808:0:0:f7f7:f7f7", 80)


def test_excepting_nat64_leaves_public_addresses_behind_it() -> None:
    """A network that has IPv6 only reaches IPv4 through NAT64; its operator excepts the prefix."""
    guard = AddressGuard([ip_network("64:ff9b::/96")])
    assert not guard.is_forbidden("64:ff9b::8.8.8.8", 80)
    assert guard.is_forbidden("64:ff9b::127.0.0.1", 80)


@pytest.mark.parametrize("listener", ["127.0.0.1", "0.0.0.0", "::", "localhost"])  # noqa: S104 - listeners to keep guests from
def test_own_listeners_are_never_excepted(listener: str) -> None:
    """Whatever the operator allows, guests don't reach the host itself; other ports of the machine they may."""
    guard = AddressGuard([ip_network("127.0.0.0/8")], lambda: {(listener, 8080)})
    assert guard.is_forbidden("127.0.0.1", 8080)
    assert not guard.is_forbidden("127.0.0.1", 8081)


def test_a_listener_on_every_address_leaves_other_machines_alone() -> None:
    """The port of a listener on 0.0.0.0 is forbidden on this machine, not everywhere."""
    guard = AddressGuard((), lambda: {("0.0.0.0", 443)})  # noqa: S104 - see above
    assert not guard.is_forbidden("1.1.1.1", 443)


def test_the_socket_factory_opens_no_socket_to_a_forbidden_address() -> None:
    """The check is where the connection is made, so that nothing passes it by."""
    info = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", 80))
    with pytest.raises(ForbiddenAddressError):
        AddressGuard().open_socket(info)
    AddressGuard([ip_network("127.0.0.0/8")]).open_socket(info).close()
