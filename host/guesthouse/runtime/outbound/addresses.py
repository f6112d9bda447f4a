"""The addresses that guests never reach, and the socket factory in which nothing passes them by.

Names, redirects, literals in odd spellings and answers that change between check and connect all end in one place: the
socket. So the check is made there, on the address that is about to be connected to. The table is ours because the
standard library calls several of these networks global.

Source: the IANA special-purpose address registries for IPv4 and IPv6.
"""

import socket
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from errno import EADDRNOTAVAIL
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Listeners = Callable[[], Collection[tuple[str, int]]]
AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]

FORBIDDEN_ERRNO: Final = -7_001
"""No system call fails with it, and it survives when several failures are made one."""

FORBIDDEN: Final[tuple[Network, ...]] = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",  # private
            "100.64.0.0/10",  # carrier-grade NAT
            "127.0.0.0/8",  # loopback
            "169.254.0.0/16",  # link-local, cloud metadata
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # protocol assignments
            "192.0.2.0/24",  # documentation
            "192.31.196.0/24",  # AS112
            "192.52.193.0/24",  # AMT
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",  # private
            "192.175.48.0/24",  # AS112
            "198.18.0.0/15",  # benchmarking
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, broadcast
            "::/3",  # unspecified, loopback, IPv4-compatible and -mapped, NAT64, discard, everything unassigned
            "2001::/23",  # protocol assignments: Teredo, benchmarking, ORCHID
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4
            "2620:4f:8000::/48",  # AS112
            "3fff::/20",  # documentation
            "4000::/2",  # unassigned
            "8000::/1",  # unassigned, unique-local, link-local, site-local, multicast
        ),
    )
)

_EMBEDDING: Final = tuple(
    (IPv6Network(network), shift)
    for network, shift in (
        ("::/96", 0),  # IPv4-compatible
        ("::ffff:0:0/96", 0),  # IPv4-mapped
        ("::ffff:0:0:0/96", 0),  # IPv4-translated
        ("64:ff9b::/96", 0),  # NAT64
        ("64:ff9b:1::/48", 0),  # local NAT64, as it is used with a prefix of 96 bits
        ("2001::/32", 64),  # Teredo: the server
        ("2002::/16", 80),  # 6to4
    )
)
_TEREDO: Final = IPv6Network("2001::/32")
_IPV4_MASK: Final = 0xFFFFFFFF
_EMBEDS_NOTHING: Final = 0xFFFF
"""``::`` and ``::1`` lie among the IPv4-compatible addresses without being any."""


class ForbiddenAddressError(OSError):
    """The name leads to an address that guests never reach; an OSError because connectors treat those."""

    def __init__(self) -> None:
        super().__init__(FORBIDDEN_ERRNO, "forbidden address")


class _Networks:
    """A set of networks, looked through as whole numbers: ten times as fast as `ipaddress` does it."""

    def __init__(self, networks: Iterable[Network]) -> None:
        self._rows: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
        for network in networks:
            self._rows[network.version].append((int(network.netmask), int(network.network_address)))

    def __contains__(self, address: Address) -> bool:
        number = int(address)
        return any(number & mask == base for mask, base in self._rows[address.version])


_FORBIDDEN: Final = _Networks(FORBIDDEN)


class AddressGuard:
    """Decides on the address of every socket.

    *allow_private* lists the operator's exceptions; an exception for an IPv6 network doesn't cover the IPv4 addresses
    that are embedded in it. *own_listeners* answers the host's own listening addresses and ports, which no exception
    covers; ``0.0.0.0`` and ``::`` stand for every address of this machine.
    """

    def __init__(self, allow_private: Sequence[Network] = (), own_listeners: Listeners = tuple) -> None:
        self._exceptions = _Networks(allow_private)
        self._own_listeners = own_listeners

    def is_forbidden(self, text: str, port: int) -> bool:
        """Say whether guests must not connect there; what isn't an address is forbidden."""
        try:
            layers = tuple(_layers(ip_address(text)))
        except ValueError:
            return True
        return not all(self._is_public(layer) for layer in layers) or self._is_own(layers, port)

    def open_socket(self, info: AddressInfo) -> socket.socket:
        """Open the socket that will be connected to this address: aiohttp's socket factory.

        Raises `ForbiddenAddressError`.
        """
        family, kind, protocol, _, address = info
        if self.is_forbidden(address[0], address[1]):
            raise ForbiddenAddressError
        return socket.socket(family=family, type=kind, proto=protocol)

    def _is_public(self, address: Address) -> bool:
        return address not in _FORBIDDEN or address in self._exceptions

    def _is_own(self, layers: Sequence[Address], port: int) -> bool:
        hosts = [host for host, own_port in self._own_listeners() if own_port == port]
        return any(_is_listener(layer, host) for host in hosts for layer in layers)


def _layers(address: Address) -> Iterator[Address]:
    """Yield the address and the IPv4 addresses that are embedded in it."""
    yield address
    if isinstance(address, IPv4Address):
        return
    number = int(address)
    for network, shift in _EMBEDDING:
        if address in network and number > _EMBEDS_NOTHING:
            yield IPv4Address(number >> shift & _IPV4_MASK)
    if address in _TEREDO:
        yield IPv4Address(~number & _IPV4_MASK)


def _is_listener(address: Address, host: str) -> bool:
    """Say whether a listener on *host* is reached at *address*; a host that is a name counts as every address."""
    try:
        listener = ip_address(host)
    except ValueError:
        return _is_local(address)
    return _is_local(address) if listener.is_unspecified else address == listener


def _is_local(address: Address) -> bool:
    """Say whether the address is this machine's: whether a socket can be bound to it."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004 - the version is its name
    if address.is_unspecified:
        return True
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError as error:
        return error.errno != EADDRNOTAVAIL
    return True
