"""Webhooks: a source function turns a request into events, and its sender hears of it only when they are durable."""

import logging
from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from guesthouse.abi.call import CallContext, Webhook
from guesthouse.clock import Clock
from guesthouse.errors import DeadlineExceeded, FunctionError, NotFound
from guesthouse.ids import new_id
from guesthouse.model.answers import HookAnswer
from guesthouse.model.delivery import Outcome
from guesthouse.model.normalise import normalise_emitted
from guesthouse.model.normalise_frame import make_frame
from guesthouse.model.record import AttemptRecord, EventFate, EventRecord
from guesthouse.model.registry import Assignment, Source
from guesthouse.model.report import Report
from guesthouse.model.verdict import Verdict
from guesthouse.pipeline.accept import FrontDoor
from guesthouse.pipeline.modules import Modules
from guesthouse.queue.protocol import Queue
from guesthouse.registry.protocol import Registry

WEBHOOK = "webhook"
"""The type of the ledger's record of a request whose function did not end well."""
HANDLER = "onRequest"
_KEPT = "the function did not handle the request; it is kept and can be replayed"
_ANSWERS: Mapping[Verdict | None, int] = MappingProxyType({Verdict.DONE: 200, Verdict.DROP: 200})

_log = logging.getLogger(__name__)


class SourceHooks:
    """See `guesthouse.api.ports.Hooks`."""

    def __init__(self, registry: Registry, queue: Queue, door: FrontDoor, modules: Modules, clock: Clock) -> None:
        """Take what says which function, where events and records go, what runs it, and the time."""
        self._registry = registry
        self._queue = queue
        self._door = door
        self._modules = modules
        self._clock = clock

    async def receive(self, hook_token: str, webhook: Webhook, ip: str | None) -> HookAnswer:
        """See `guesthouse.api.ports.Hooks.receive`."""
        source = await self._registry.source_by_hook_token(hook_token)
        if source is None or source.function_id is None:
            raise NotFound("webhook", "no source function listens here")
        return await self.run(source, webhook, ip)

    async def run(self, source: Source, webhook: Webhook, ip: str | None = None) -> HookAnswer:
        """Run a source's function on a request; what it emits is durable before the answer is given."""
        started_at_ms = self._clock.now_ms()
        assignment = await self._registry.within(source.tenant_id).assignment(source.id)
        report = await self._invoke(assignment, source, webhook)
        reply = report.reply
        if reply is None or reply.verdict not in _ANSWERS:
            await self._keep(assignment, source, webhook, report, started_at_ms)
            is_late = isinstance(report.error, DeadlineExceeded)
            return HookAnswer(status=504 if is_late else 502, body=_KEPT.encode())
        if reply.events:
            frame = make_frame(source_id=source.id, received_at_ms=started_at_ms, ip=ip)
            await self._door.accept(source, [normalise_emitted(event, frame) for event in reply.events])
        if reply.response is None:
            return HookAnswer()
        return HookAnswer(status=reply.response.status, headers=reply.response.headers, body=reply.response.body)

    async def _invoke(self, assignment: Assignment, source: Source, webhook: Webhook) -> Report:
        module = await self._modules.get(assignment.version.digest)
        return await module.invoke(
            HANDLER,
            webhook,
            settings=assignment.settings,
            capabilities=assignment.capabilities,
            limits=assignment.limits,
            context=CallContext(
                function=assignment.function.name,
                version=assignment.version.digest,
                source=source.name,
                deadline_ms=assignment.limits.deadline_ms,
            ),
            tenant=source.tenant_id,
            destination=source.id,
        )

    async def _keep(
        self, assignment: Assignment, source: Source, webhook: Webhook, report: Report, started_at_ms: int
    ) -> None:
        """Keep a request whose function did not end well as a dead delivery of the source to itself."""
        event_id, delivery_id, now = new_id("evt"), new_id("dlv"), self._clock.now_ms()
        event = EventRecord(
            event_id=event_id,
            tenant_id=source.tenant_id,
            source_id=source.id,
            message_id=event_id,
            type=WEBHOOK,
            name=f"{webhook.method} {webhook.url}"[:200],
            user_id=None,
            anonymous_id=None,
            received_at_ms=started_at_ms,
            fate=EventFate.ACCEPTED,
            deliveries=((delivery_id, source.id),),
            payload=msgspec.msgpack.encode(webhook),
        )
        error, reply = report.error, report.reply
        attempt = AttemptRecord(
            attempt_id=new_id("att"),
            invocation_id=new_id("inv"),
            delivery_id=delivery_id,
            event_id=event_id,
            tenant_id=source.tenant_id,
            source_id=source.id,
            destination_id=source.id,
            function=assignment.function.name,
            version=assignment.version.digest,
            attempt=1,
            started_at_ms=started_at_ms,
            ended_at_ms=now,
            outcome=Outcome.DEAD,
            reason=str(error) if error else reply.message if reply else None,
            code=error.code if error else reply.code if reply else None,
            verdict=reply.verdict if reply else None,
            backtrace=_places(error),
            logs=report.logs,
            http=report.http,
            usage=report.usage,
        )
        await self._queue.accept([], [event, attempt])
        _log.warning("webhook.kept", extra={"source": source.id, "delivery": delivery_id, "code": attempt.code})


def _places(error: FunctionError | None) -> tuple[str, ...]:
    return tuple(frame.function for frame in error.backtrace) if error else ()
