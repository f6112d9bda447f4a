"""The registry: what exists. Every backend's promises, in one place; ``tests/contract/registry`` holds them.

`Registry` speaks for the whole host: whose key is this, what listens there. Everything that belongs to a tenant is
reached through its `TenantRegistry` only, to which other tenants' things do not exist (`NotFound`).

Raised everywhere: `StorageFault` where the database can't be used; nothing was changed then.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from guesthouse.model.registry import (
    Activation,
    Assignment,
    Destination,
    DestinationChange,
    DestinationInput,
    Function,
    Kind,
    Role,
    Route,
    Source,
    SourceChange,
    SourceInput,
    Tenant,
    Token,
    Version,
)
from guesthouse.model.reply import Description


class TenantRegistry(Protocol):
    """One tenant's part. Names are unique among a tenant's things of one kind; lists are sorted by name."""

    @property
    def tenant_id(self) -> str:
        """Whose part this is."""
        ...

    async def functions(self) -> Sequence[Function]:
        """List the functions."""
        ...

    async def function(self, id_or_name: str) -> Function:
        """Give a function; raises `NotFound`."""
        ...

    async def create_function(self, name: str, kind: Kind) -> Function:
        """Make a function without versions; raises `NameTaken`, `InvalidInput`, `QuotaReached`."""
        ...

    async def delete_function(self, function_id: str) -> None:
        """Delete a function and its versions; raises `InUse` while a source or destination runs it."""
        ...

    async def versions(self, function_id: str) -> Sequence[Version]:
        """List a function's versions, the newest first."""
        ...

    async def version(self, function_id: str, digest: str) -> Version:
        """Give a version; raises `NotFound`."""
        ...

    async def add_version(
        self,
        function_id: str,
        module: bytes,
        description: Description,
        *,
        language: str | None = None,
        why_not_snapshotted: str | None = None,
    ) -> Version:
        """Keep a build with what the engine found out about it; the same bytes again give the version there is.

        Raises `InvalidInput` where it is of another kind than the function. It is not activated.
        """
        ...

    async def activate(self, function_id: str, digest: str) -> Activation:
        """Make a version the one that is run, from the next attempt on; the active one again changes nothing."""
        ...

    async def roll_back(self, function_id: str) -> Activation:
        """Activate the version that was active before the active one; raises `NoEarlierVersion`."""
        ...

    async def sources(self) -> Sequence[Source]:
        """List the sources."""
        ...

    async def source(self, id_or_name: str) -> Source:
        """Give a source; raises `NotFound`."""
        ...

    async def create_source(self, wanted: SourceInput) -> Source:
        """Make a source with a fresh write key and hook token; raises `NameTaken`, `InvalidInput`, `QuotaReached`."""
        ...

    async def change_source(self, source_id: str, change: SourceChange) -> Source:
        """Change a source; the same again changes nothing, `updated_at_ms` included."""
        ...

    async def rotate_write_key(self, source_id: str, *, overlap_ms: int = 0) -> Source:
        """Give the source a new write key; the old one is good for *overlap_ms* longer."""
        ...

    async def rotate_hook_token(self, source_id: str, *, overlap_ms: int = 0) -> Source:
        """Give the source a new hook token; the old one is good for *overlap_ms* longer."""
        ...

    async def delete_source(self, source_id: str) -> None:
        """Delete a source with its keys and secrets; destinations no longer listen to it."""
        ...

    async def destinations(self) -> Sequence[Destination]:
        """List the destinations."""
        ...

    async def destination(self, id_or_name: str) -> Destination:
        """Give a destination; raises `NotFound`."""
        ...

    async def create_destination(self, wanted: DestinationInput) -> Destination:
        """Put a destination function to work; raises `NameTaken`, `InvalidInput`, `NotFound`, `QuotaReached`.

        Settings and secrets are checked against the function's active version, where it has one.
        """
        ...

    async def change_destination(self, destination_id: str, change: DestinationChange) -> Destination:
        """Change a destination; the same again changes nothing, `updated_at_ms` included."""
        ...

    async def delete_destination(self, destination_id: str) -> None:
        """Delete a destination with its secrets. Its open deliveries are the queue's business."""
        ...

    async def has_secret(self, holder_id: str, name: str, value: str) -> bool:
        """Say whether a source or destination has a secret with just this value (for showing differences)."""
        ...

    async def assignment(self, holder_id: str) -> Assignment:
        """Give all that running a destination, or a source's function, needs; cached.

        Raises `NotFound` where it doesn't exist, has no function, or no version of that is active, and
        `UnreadableSecret`.
        """
        ...

    async def routes(self, source_id: str) -> Sequence[Route]:
        """Give the destinations that listen to a source, paused ones included; cached, `NotFound` never raised."""
        ...

    async def tokens(self) -> Sequence[Token]:
        """List the tokens."""
        ...

    async def create_token(self, name: str, role: Role) -> tuple[Token, str]:
        """Make a token; its text is given now and never again."""
        ...

    async def delete_token(self, token_id: str) -> None:
        """Revoke a token."""
        ...


class Registry(Protocol):
    """The whole of it. Cached answers follow a change in this process at once, in others within a second."""

    def within(self, tenant_id: str) -> TenantRegistry:
        """Give a tenant's part; makes no query, so an unknown tenant has an empty part."""
        ...

    async def tenants(self) -> Sequence[Tenant]:
        """List the tenants."""
        ...

    async def tenant(self, id_or_name: str) -> Tenant:
        """Give a tenant; raises `NotFound`."""
        ...

    async def create_tenant(self, name: str) -> Tenant:
        """Make a tenant; raises `NameTaken`, `InvalidInput`."""
        ...

    async def source_by_write_key(self, write_key: str) -> Source | None:
        """Say whose write key this is; cached, without a query where nothing changed."""
        ...

    async def source_by_hook_token(self, hook_token: str) -> Source | None:
        """Say whose hook token this is; cached, without a query where nothing changed."""
        ...

    async def authenticate(self, token: str) -> Token | None:
        """Say what the bearer of a control API token may do; None where it is unknown or revoked. Cached."""
        ...

    def module_path(self, digest: str) -> Path:
        """Say where the file of a version is; `guesthouse.runtime.engine.Engine.load` reads it."""
        ...

    async def module(self, digest: str) -> bytes:
        """Read and verify a version's module; raises `MissingModule`."""
        ...

    async def revision(self) -> int:
        """Give a number that grows with every change, at most half a second stale."""
        ...

    async def close(self) -> None:
        """Give files and threads back; closing twice does nothing."""
        ...
