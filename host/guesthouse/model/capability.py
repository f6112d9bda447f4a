"""What an invocation may reach: grants for HTTP, secrets, and the operator's exceptions."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from guesthouse.model.hosts import host_matches, normalise_pattern
from guesthouse.model.target import DEFAULT_PORTS, Target, check_path, split_port, split_url


class Exposure(StrEnum):
    """How a guest holds a secret."""

    VALUE = "value"
    """The guest sees it."""
    REFERENCE = "reference"
    """The guest holds a token; the host puts the value in, towards bound hosts only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Permission to send HTTP requests to one scheme, host, port and path prefix."""

    scheme: str
    host: str
    """Lower case, ASCII: exact, or ``*.example.com`` for every name below it."""
    port: int
    path: str = "/"
    """Prefix in whole segments, compared with the URL as it is sent."""
    methods: frozenset[str] = frozenset()
    """Upper case; empty means every method."""
    secrets_over_http: bool = False
    """Whether references may be replaced in plain http requests."""

    @classmethod
    def parse(cls, text: str, *, methods: Iterable[str] = (), secrets_over_http: bool = False) -> "Grant":
        """Make a grant of a URL such as ``https://*.example.com:8443/v1``.

        Raises ``ValueError`` for userinfo, a query or fragment, wildcards over whole registries, and whatever
        `Target.parse` refuses.
        """
        try:
            scheme, host, port, path = _parse_place(text)
            names = frozenset(_check_method(method) for method in methods)
        except ValueError as error:
            raise ValueError(f"the grant {text!r} is not valid: {error}") from None
        return cls(scheme=scheme, host=host, port=port, path=path, methods=names, secrets_over_http=secrets_over_http)

    def reaches(self, target: Target) -> bool:
        """Say whether scheme, host and port are granted."""
        return target.port == self.port and target.scheme == self.scheme and host_matches(self.host, target.host)

    def covers(self, path: str) -> bool:
        """Say whether a path, as sent, is the granted one or below it."""
        prefix = self.path
        return prefix in ("/", path) or path.startswith(f"{prefix}/")

    def permits(self, method: str, target: Target) -> bool:
        """Say whether a request with this (upper-case) method may be sent there."""
        return self.reaches(target) and self.covers(target.path) and (not self.methods or method in self.methods)

    def __str__(self) -> str:
        """Write it as `parse` reads it, without the methods."""
        port = "" if self.port == DEFAULT_PORTS.get(self.scheme) else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}{self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A setting marked secret."""

    name: str
    value: str
    exposure: Exposure = Exposure.VALUE
    hosts: tuple[str, ...] = ()
    """Hosts that the secret is bound to, written as in a grant; a reference is replaced towards these only."""

    def __post_init__(self) -> None:
        """Spell the hosts in the one way that they are compared in; raises ``ValueError`` for what is no host."""
        object.__setattr__(self, "hosts", tuple(normalise_pattern(host) for host in self.hosts))

    def __repr__(self) -> str:
        """Hide the value: reprs reach logs."""
        return f"Secret(name={self.name!r}, exposure={self.exposure!r}, hosts={self.hosts!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """Everything that one invocation may reach; nothing by default."""

    grants: tuple[Grant, ...] = ()
    secrets: tuple[Secret, ...] = ()


NOTHING = Capabilities()


def _parse_place(text: str) -> tuple[str, str, int, str]:
    scheme, authority, path, query = split_url(text)
    if query or "#" in text:
        raise ValueError("a grant has neither query nor fragment")
    host, port = split_port(scheme, authority)
    return scheme, normalise_pattern(host), port, check_path(path).rstrip("/") or "/"


def _check_method(method: str) -> str:
    name = method.upper()
    if not name.isascii() or not name.replace("-", "").isalpha():
        raise ValueError(f"{method!r} is not a method")
    return name
