"""What exists: tenants, sources, functions and their versions, destinations, tokens, as values.

None of them carries a secret's value but `Assignment`, which is made for one invocation's needs and never stored.
"""

from enum import StrEnum
from typing import Any, Final

from msgspec import UNSET, Struct, UnsetType

from guesthouse.model.capability import Capabilities, Exposure
from guesthouse.model.filter import EVERYTHING, Filter
from guesthouse.model.limits import DEFAULT_LIMITS, MIB, Limits
from guesthouse.model.reply import Description

CEILINGS: Final = Limits(
    fuel=10_000_000_000,
    memory_bytes=256 * MIB,
    deadline_ms=60_000,
    log_bytes=1 * MIB,
    log_lines=10_000,
    reply_bytes=8 * MIB,
    open_handles=1_024,
    http_calls=1_000,
    http_concurrent=64,
    http_request_bytes=16 * MIB,
    http_response_bytes=64 * MIB,
    http_timeout_ms=60_000,
    http_redirects=20,
)
"""The highest limits that a tenant may ask for, unless the operator says otherwise."""


class Tenant(Struct, frozen=True, kw_only=True):
    """A customer with its own sources, functions, keys and limits."""

    id: str
    """``tnt_...``"""
    name: str
    created_at_ms: int


class Role(StrEnum):
    """What the bearer of a token may do."""

    ADMIN = "admin"
    """Everything within the tenant."""
    VIEWER = "viewer"
    """Read."""


class Token(Struct, frozen=True, kw_only=True):
    """A token of the control API; the text itself is shown once, when it is made, and kept as a hash."""

    id: str
    """``tok_...``"""
    tenant_id: str
    name: str
    role: Role
    created_at_ms: int


class Kind(StrEnum):
    """What a function is for."""

    SOURCE = "source"
    DESTINATION = "destination"
    INSERT = "insert"


class Version(Struct, frozen=True, kw_only=True):
    """One uploaded build of a function; never changes."""

    digest: str
    """The module's sha256 in hexadecimal; names its file as well."""
    function_id: str
    created_at_ms: int
    size_bytes: int
    language: str | None
    """What the module says that it was written in."""
    description: Description
    why_not_snapshotted: str | None = None
    """None where instances start from a snapshot."""

    @property
    def handlers(self) -> tuple[str, ...]:
        """The handlers that it has, such as ``onTrack``."""
        return self.description.handlers


class Function(Struct, frozen=True, kw_only=True):
    """A tenant's code."""

    id: str
    """``fn_...``"""
    tenant_id: str
    name: str
    kind: Kind
    active_version: str | None
    """Digest of the version that is run; None until one is activated."""
    created_at_ms: int


class SecretFacts(Struct, frozen=True, kw_only=True):
    """What may be shown of a stored secret."""

    name: str
    exposure: Exposure
    hosts: tuple[str, ...] = ()
    """Hosts that it is bound to; empty means those of the grants."""
    updated_at_ms: int


class SecretInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A secret as its owner hands it in."""

    value: str
    exposure: Exposure | None = None
    """By default ``reference`` where the function declares the setting as secret, else ``value``."""
    hosts: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Hide the value: reprs reach logs."""
        return f"SecretInput(exposure={self.exposure!r}, hosts={self.hosts!r})"


class Batching(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How deliveries are gathered for a function that has ``onBatch``."""

    events: int = 100
    bytes: int = 1 * MIB
    wait_ms: int = 1_000
    """Kept, but not heeded yet: a batch is made of what is due at the same time."""


class Source(Struct, frozen=True, kw_only=True):
    """Where events come in. What is said of settings, secrets, grants and limits is for its source function."""

    id: str
    """``src_...``"""
    tenant_id: str
    name: str
    write_key: str
    hook_token: str
    """The unguessable end of its webhook address."""
    function_id: str | None = None
    settings: dict[str, Any] = {}
    secrets: tuple[SecretFacts, ...] = ()
    grants: tuple[str, ...] = ()
    limits: dict[str, int] = {}
    created_at_ms: int
    updated_at_ms: int


class Destination(Struct, frozen=True, kw_only=True):
    """A destination function put to work."""

    id: str
    """``dst_...``"""
    tenant_id: str
    name: str
    function_id: str
    source_ids: tuple[str, ...] = ()
    """The sources it listens to, sorted."""
    settings: dict[str, Any] = {}
    """Without the secret ones."""
    secrets: tuple[SecretFacts, ...] = ()
    grants: tuple[str, ...] = ()
    """Texts that `guesthouse.model.grants.parse_grant` reads."""
    limits: dict[str, int] = {}
    """Fields of `guesthouse.model.limits.Limits` that differ from the default."""
    filter: Filter = EVERYTHING
    batching: Batching | None = None
    is_paused: bool = False
    created_at_ms: int
    updated_at_ms: int


class SourceInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A source to make; secrets by name."""

    name: str
    function_id: str | None = None
    settings: dict[str, Any] = {}
    secrets: dict[str, SecretInput] = {}
    grants: tuple[str, ...] = ()
    limits: dict[str, int] = {}


class SourceChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a source; what isn't given stays. See `DestinationChange` for secrets."""

    name: str | UnsetType = UNSET
    function_id: str | UnsetType | None = UNSET
    settings: dict[str, Any] | UnsetType = UNSET
    secrets: dict[str, SecretInput | None] = {}
    grants: tuple[str, ...] | UnsetType = UNSET
    limits: dict[str, int] | UnsetType = UNSET


class DestinationInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A destination to make; secrets by name."""

    name: str
    function_id: str
    source_ids: tuple[str, ...] = ()
    settings: dict[str, Any] = {}
    secrets: dict[str, SecretInput] = {}
    grants: tuple[str, ...] = ()
    limits: dict[str, int] = {}
    filter: Filter = EVERYTHING
    batching: Batching | None = None
    is_paused: bool = False


class DestinationChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a destination; what isn't given stays, what is given replaces the old value whole."""

    name: str | UnsetType = UNSET
    function_id: str | UnsetType = UNSET
    source_ids: tuple[str, ...] | UnsetType = UNSET
    settings: dict[str, Any] | UnsetType = UNSET
    secrets: dict[str, SecretInput | None] = {}
    """The only one that is merged: others are kept, as nobody can read them back; None deletes."""
    grants: tuple[str, ...] | UnsetType = UNSET
    limits: dict[str, int] | UnsetType = UNSET
    filter: Filter | UnsetType = UNSET
    batching: Batching | UnsetType | None = UNSET
    is_paused: bool | UnsetType = UNSET


class Activation(Struct, frozen=True, kw_only=True):
    """What activating a version did."""

    function: Function
    problems: tuple[str, ...] = ()
    """Destinations and sources whose settings don't fit the version, and how; they are run all the same."""


class Assignment(Struct, frozen=True, kw_only=True):
    """All that running a destination (or a source's function) needs, from one moment's state of the registry."""

    holder: Destination | Source
    function: Function
    version: Version
    settings: dict[str, Any]
    """Without the secret ones."""
    capabilities: Capabilities
    """Grants, and secrets with their values."""
    limits: Limits = DEFAULT_LIMITS


class Route(Struct, frozen=True, kw_only=True):
    """A destination that listens to a source, with what decides whether it wants an event."""

    destination: Destination
    handlers: frozenset[str]
    """Of the active version; empty where none is active."""

    def why_not(self, type_: str, name: str | None) -> str | None:
        """Say why an event isn't wanted, by a stable code; None where it is."""
        if not self.handlers:
            return "no_active_version"
        if f"on{type_.capitalize()}" not in self.handlers and "onBatch" not in self.handlers:
            return "no_handler"
        return self.destination.filter.why_not(type_, name)
