"""A version of a function, loaded: instances start from here."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from guesthouse.abi.call import CallContext
from guesthouse.model.capability import NOTHING, Capabilities
from guesthouse.model.limits import DEFAULT_LIMITS, Limits
from guesthouse.model.reply import Reply
from guesthouse.model.report import Report, Usage
from guesthouse.model.verdict import Verdict
from guesthouse.runtime.artefact import Artefact
from guesthouse.runtime.sandbox import Call
from guesthouse.runtime.wasm.shape import PAGE_BYTES

if TYPE_CHECKING:
    from guesthouse.model.reply import Description
    from guesthouse.runtime.engine import Engine
    from guesthouse.runtime.wasm.inspect import Inspection


class Module:
    """One version of a function, ready to be invoked any number of times, from any number of tasks."""

    def __init__(self, engine: "Engine", digest: str, artefact: Artefact, module: int, instance_pre: int) -> None:
        """Built by `Engine.load`."""
        self.digest = digest
        self.facts: Inspection = artefact.facts
        self.description: Description = artefact.description
        self.needs_initialise = artefact.needs_initialise
        self.why_not_snapshotted = artefact.why_not_snapshotted
        self.instance_pre = instance_pre
        self.address = module
        self.active = 0
        """Invocations under way."""
        self.is_closed = False
        self.memory_min_bytes = artefact.memory_min_pages * PAGE_BYTES
        self._engine = engine

    async def invoke(  # noqa: PLR0913 - each is a fact of the attempt; all but two have defaults
        self,
        handler: str,
        payload: object,
        *,
        settings: Mapping[str, object] | None = None,
        capabilities: Capabilities = NOTHING,
        limits: Limits = DEFAULT_LIMITS,
        context: CallContext | None = None,
        tenant: str = "",
        destination: str = "",
    ) -> Report:
        """Run *handler* on *payload* in a fresh instance.

        *payload* is an event, a list of events (``onBatch``) or a `guesthouse.abi.call.Webhook` (``onRequest``).
        A handler that the function doesn't have is ``unsupported`` without running it.
        Secrets of *capabilities* join *settings* as their exposure says. *tenant* and *destination* are whose turn it
        is in the scheduler. What the guest does wrong is in the report; raised are `OperatorError` (the host is at
        fault: no free slot, engine closed) and ``ValueError`` (limits above the engine's ceilings, a payload that
        MessagePack can't hold). Cancelling the task cancels the guest.
        """
        if handler not in self.description.handlers:
            return _unsupported(handler)
        call = Call(
            handler=handler,
            payload=payload,
            settings=settings or {},
            capabilities=capabilities,
            limits=limits,
            context=context or CallContext(version=self.digest, deadline_ms=limits.deadline_ms),
            tenant=tenant,
            destination=destination,
        )
        invocation = self._engine.start(self, call)
        try:
            return await invocation.result()
        finally:
            self._engine.end(self, invocation)

    def close(self) -> None:
        """Unload, once the invocations under way have ended; a further one is a ``ValueError``."""
        self.is_closed = True
        self._engine.unload(self)


def _unsupported(handler: str) -> Report:
    """Answer for a guest that lacks the handler: it is known without running it."""
    reply = Reply(verdict=Verdict.UNSUPPORTED, message=f"the function has no {handler}")
    usage = Usage(fuel=0, peak_memory_bytes=0, duration_ms=0.0, cpu_ms=0.0)
    return Report(reply=reply, error=None, usage=usage)
