"""One operation of the control API as a value, and the call that reaches its handler."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from msgspec import Struct

from guesthouse.api.ports import Deployer, Work
from guesthouse.ledger.protocol import Ledger
from guesthouse.model.registry import Role, Token
from guesthouse.registry.protocol import Registry, TenantRegistry

T = TypeVar("T")


class Listing(Struct, Generic[T], frozen=True, kw_only=True):
    """A list, or a part of one."""

    items: tuple[T, ...]
    next: str | None = None
    """Hand it in as ``cursor`` for the part that follows; null where this is the last."""


class Nothing(Struct, frozen=True):
    """No parameters, no body, or no answer."""


class Media(StrEnum):
    """What an operation's body is."""

    NONE = ""
    JSON = "application/json"
    WASM = "application/wasm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the operations work on."""

    registry: Registry
    ledger: Ledger
    deployer: Deployer
    work: Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One authenticated, decoded request."""

    token: Token
    services: Services
    path: Mapping[str, str]
    query: Any
    """Of the operation's query type."""
    body: Any
    """Of the operation's body type; bytes for a module."""
    base_url: str
    """Where the caller reached the host, such as ``http://127.0.0.1:8080``."""

    @property
    def tenant_id(self) -> str:
        """Whose token it is."""
        return self.token.tenant_id

    @property
    def registry(self) -> TenantRegistry:
        """The tenant's part of the registry."""
        return self.services.registry.within(self.tenant_id)

    @property
    def may_see_keys(self) -> bool:
        """Whether write keys and hook addresses, which let events in, may be shown."""
        return self.token.role is Role.ADMIN


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with a status of its own."""

    status: int
    value: object


Handler = Callable[[Call], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What may be asked: method and path, what it takes and gives."""

    method: str
    path: str
    """Below ``/api/v1``, with ``{name}`` for its parts."""
    handler: Handler
    summary: str
    query: type[Struct] = Nothing
    media: Media = Media.NONE
    body: Any = Nothing
    gives: Any = Nothing
    status: int = 200
    errors: tuple[int, ...] = ()
    """Statuses of refusals beside those that every operation has."""
    needs_admin: bool | None = None
    """By default, whatever isn't a GET."""

    @property
    def is_for_admins(self) -> bool:
        """Whether a token that may only read is refused."""
        return self.method != "GET" if self.needs_admin is None else self.needs_admin
