"""Host names and IP literals in one canonical spelling, so that comparing two of them is comparing strings.

Whatever has a second spelling that some resolver would accept (decimal, octal, hexadecimal or short IPv4, a trailing
dot, percent escapes, a zone) is refused; letters are lowered, international names become their ASCII form (UTS 46).
"""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

import idna

_NAME_CHARS: Final = 253
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NUMERIC_END: Final = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
_REGISTRY_LABELS: Final = frozenset({"ac", "co", "com", "edu", "go", "gob", "gov", "gouv", "net", "ne", "or", "org"})
_REGISTRY_DEPTH: Final = 2
_COUNTRY_CHARS: Final = 2


def normalise_host(text: str) -> str:
    """Return the one spelling of a host: a lower-case ASCII name, dotted IPv4, or bracketed compressed IPv6.

    Raises ``ValueError``, whose message says what is wrong.
    """
    if text.startswith("["):
        return _normalise_ipv6(text)
    name = text.lower() if text.isascii() else _to_ascii(text)
    if _NUMERIC_END.fullmatch(name):
        return _normalise_ipv4(name)
    if name.endswith("."):
        raise ValueError("the host ends in a dot")
    if len(name) > _NAME_CHARS or not _NAME.fullmatch(name):
        raise ValueError("the host is not a valid name" if name else "the host is missing")
    return name


def is_ip(host: str) -> bool:
    """Say whether a normalised host is an IP literal."""
    return host.startswith("[") or (host[-1].isdigit() and _NUMERIC_END.fullmatch(host) is not None)


def normalise_pattern(text: str) -> str:
    """Return the one spelling of a host as grants write it: exact, or ``*.`` and a name that somebody can own.

    Raises ``ValueError`` for anything else with a star, and for wildcards over registries (``*.com``, ``*.co.uk``).
    """
    if "*" not in text:
        return normalise_host(text)
    if not text.startswith("*.") or "*" in text[1:]:
        raise ValueError("a wildcard is the whole first label, as in *.example.com")
    parent = normalise_host(text[2:])
    if is_ip(parent):
        raise ValueError("an IP address is granted literally, never by a wildcard")
    if _is_registry(parent):
        raise ValueError(f"*.{parent} is too wide: name at least one registered domain, as in *.example.com")
    return f"*.{parent}"


def host_matches(pattern: str, host: str) -> bool:
    """Say whether a normalised host is the pattern or, where that is a wildcard, below it (never the apex)."""
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern


def _is_registry(name: str) -> bool:
    labels = name.split(".")
    if len(labels) == 1:
        return True
    return len(labels) == _REGISTRY_DEPTH and len(labels[1]) == _COUNTRY_CHARS and labels[0] in _REGISTRY_LABELS


def _to_ascii(text: str) -> str:
    try:
        return idna.encode(text, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise ValueError("the host is not a valid international name") from None


def _normalise_ipv4(name: str) -> str:
    try:
        return str(IPv4Address(name))
    except AddressValueError:
        raise ValueError("an IPv4 address is written as four decimal numbers") from None


def _normalise_ipv6(text: str) -> str:
    try:
        address = IPv6Address(text[1:-1] if text.endswith("]") else "")
    except AddressValueError:
        address = None
    if address is None or address.scope_id is not None:
        raise ValueError("the host is not a valid IPv6 address")
    return f"[{address.compressed}]"
