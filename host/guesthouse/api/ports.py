"""What the API needs of the rest of the host, beside `guesthouse.registry.protocol` and `guesthouse.ledger.protocol`.

Whoever implements a port raises the errors of `guesthouse.errors`: a `CallerError` is answered with its status, an
`OperatorError` with 503, a `FunctionError` (of an upload) with 422; anything else is a bug, and a 500.
"""

from collections.abc import Sequence
from typing import Protocol

from guesthouse.abi.call import Webhook
from guesthouse.ledger.values import DeliveryQuery
from guesthouse.model.answers import Deployment, Entry, HookAnswer, Replay
from guesthouse.model.normalise import Arrival
from guesthouse.model.registry import Kind, Source


class Door(Protocol):
    """Where events come in."""

    async def source(self, write_key: str) -> Source | None:
        """Say whose write key this is, without a query where nothing changed; None for no known one."""
        ...

    async def accept(self, source: Source, arrivals: Sequence[Arrival]) -> Sequence[Entry]:
        """Put events, their deliveries and the refusals' records into the queue in one durable write.

        Answers an entry for each arrival, in order, when all of it survives the loss of power. Raises `TenantFull` and
        `StorageFault`; then nothing was written.
        """
        ...


class Hooks(Protocol):
    """Where webhooks come in."""

    async def receive(self, hook_token: str, webhook: Webhook, ip: str | None) -> HookAnswer:
        """Run the source's function on a request and give its reply, once what it emitted is durable.

        Raises `NotFound` for an unknown token. A function that broke is answered, not raised: 502, or 504 past the
        deadline, once its request is kept.
        """
        ...


class Deployer(Protocol):
    """Where modules come in."""

    async def deploy(
        self, tenant_id: str, name: str, kind: Kind | None, module: bytes, *, activate: bool
    ) -> Deployment:
        """Judge, prepare and keep a module as a version of the function *name*, which is made where there is none.

        *kind* None takes what the module says. Raises `RejectedModule` and what `TenantRegistry.add_version` does.
        """
        ...


class Work(Protocol):
    """What may be done about deliveries. Everything of another tenant is `NotFound`, or not meant."""

    async def replay(self, tenant_id: str, delivery_ids: Sequence[str]) -> Replay:
        """Make new deliveries of old ones; raises `NotFound` if one doesn't exist, then none is made."""
        ...

    async def replay_query(self, tenant_id: str, query: DeliveryQuery, *, cursor: str | None, limit: int) -> Replay:
        """Make new deliveries of up to *limit* that a query finds; the answer's cursor goes on."""
        ...

    async def cancel(self, tenant_id: str, delivery_ids: Sequence[str], destination_id: str | None) -> int:
        """Cancel open deliveries, those named or all of a destination; answer how many."""
        ...

    async def pause(self, tenant_id: str, destination_id: str) -> None:
        """Lease nothing more from a destination whose registry entry has just been paused."""
        ...

    async def resume(self, tenant_id: str, destination_id: str) -> None:
        """Let a destination go on."""
        ...

    async def destination_deleted(self, tenant_id: str, destination_id: str) -> None:
        """Cancel what was open for a destination that is no more."""
        ...


class Health(Protocol):
    """How the host is."""

    async def problems(self) -> Sequence[str]:
        """Say what keeps the host from its work just now; nothing when it is ready."""
        ...


__all__ = ["Deployer", "Deployment", "Door", "Entry", "Health", "HookAnswer", "Hooks", "Replay", "Work"]
