"""Webhooks: a source function turns a request into events, and its sender hears of it only when they are durable."""

import logging
from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from msgspec import structs

from guesthouse.abi.call import CallContext, Webhook
from guesthouse.clock import Clock
from guesthouse.errors import DeadlineExceeded, FunctionError, NotFound
from guesthouse.ids import new_id
from guesthouse.logs import tell
from guesthouse.model.answers import HookAnswer
from guesthouse.model.delivery import Outcome
from guesthouse.model.normalise import normalise_emitted
from guesthouse.model.normalise_frame import make_frame
from guesthouse.model.record import AttemptRecord, EventFate, EventRecord
from guesthouse.model.registry import Assignment, Source
from guesthouse.model.reply import Reply
from guesthouse.model.report import Report
from guesthouse.model.verdict import Verdict
from guesthouse.pipeline.accept import FrontDoor
from guesthouse.pipeline.modules import Modules
from guesthouse.queue.protocol import Queue
from guesthouse.registry.protocol import Registry

WEBHOOK = "webhook"
"""The type of the ledger's record of a request whose function did not end well."""
HANDLER = "onRequest"
HIDDEN_TOKEN = "token"  # noqa: S105 - what stands in the place of one
_KEPT = "the function did not handle the request; it is kept and can be replayed"
_GOOD: Mapping[Verdict, Outcome] = MappingProxyType({Verdict.DONE: Outcome.SUCCEEDED, Verdict.DROP: Outcome.DISCARDED})

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
        # Whoever reads the ledger, and the function itself, must not learn where to send more.
        hidden = structs.replace(webhook, url=webhook.url.replace(hook_token, HIDDEN_TOKEN))
        return await self.run(source, hidden, ip)

    async def run(self, source: Source, webhook: Webhook, ip: str | None = None) -> HookAnswer:
        """Run a source's function on a request; what it emits is durable before the answer is given."""
        started_at_ms = self._clock.now_ms()
        assignment, report = await self._invoke(source, webhook)
        reply = report.reply
        if reply is None or reply.verdict not in _GOOD:
            event = _event(source, webhook, new_id("dlv"), started_at_ms)
            attempt = self._attempt(event, assignment, report, started_at_ms)
            await self._queue.accept([], [event, attempt])
            delivery_id, code = attempt.delivery_id, attempt.code
            tell(_log, logging.WARNING, "webhook.kept", source=source.id, delivery=delivery_id, code=code)
            is_late = isinstance(report.error, DeadlineExceeded)
            return HookAnswer(status=504 if is_late else 502, body=_KEPT.encode())
        await self._emit(source, reply, started_at_ms, ip)
        if reply.response is None:
            return HookAnswer()
        return HookAnswer(status=reply.response.status, headers=reply.response.headers, body=reply.response.body)

    async def replay(self, source: Source, event: EventRecord, delivery_id: str, replay_of: str) -> None:
        """Run a source's function again on a request that was kept; the ledger learns how that ended."""
        started_at_ms = self._clock.now_ms()
        assignment, report = await self._invoke(source, msgspec.msgpack.decode(event.payload, type=Webhook))
        if report.reply is not None and report.reply.verdict in _GOOD:
            await self._emit(source, report.reply, started_at_ms, None)
        again = structs.replace(event, deliveries=((delivery_id, source.id),), replays=((delivery_id, replay_of),))
        await self._queue.accept([], [again, self._attempt(again, assignment, report, started_at_ms)])

    async def _emit(self, source: Source, reply: Reply, received_at_ms: int, ip: str | None) -> None:
        if reply.events:
            frame = make_frame(source_id=source.id, received_at_ms=received_at_ms, ip=ip)
            await self._door.accept(source, [normalise_emitted(event, frame) for event in reply.events])

    async def _invoke(self, source: Source, webhook: Webhook) -> tuple[Assignment, Report]:
        assignment = await self._registry.within(source.tenant_id).assignment(source.id)
        module = await self._modules.get(assignment.version.digest)
        report = await module.invoke(
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
        return assignment, report

    def _attempt(self, event: EventRecord, assignment: Assignment, report: Report, started_at_ms: int) -> AttemptRecord:
        error, reply = report.error, report.reply
        return AttemptRecord(
            attempt_id=new_id("att"),
            invocation_id=new_id("inv"),
            delivery_id=event.deliveries[0][0],
            event_id=event.event_id,
            tenant_id=event.tenant_id,
            source_id=event.source_id,
            destination_id=event.source_id,
            function=assignment.function.name,
            version=assignment.version.digest,
            attempt=1,
            started_at_ms=started_at_ms,
            ended_at_ms=self._clock.now_ms(),
            outcome=_GOOD.get(report.verdict, Outcome.DEAD) if report.verdict else Outcome.DEAD,
            reason=str(error) if error else reply.message if reply else None,
            code=error.code if error else reply.code if reply else None,
            verdict=reply.verdict if reply else None,
            backtrace=_places(error),
            logs=report.logs,
            http=report.http,
            usage=report.usage,
        )


def _event(source: Source, webhook: Webhook, delivery_id: str, received_at_ms: int) -> EventRecord:
    """Make the record of a request whose function did not end well: a delivery of the source to itself."""
    event_id = new_id("evt")
    return EventRecord(
        event_id=event_id,
        tenant_id=source.tenant_id,
        source_id=source.id,
        message_id=event_id,
        type=WEBHOOK,
        name=webhook.method,  # the URL holds the token
        user_id=None,
        anonymous_id=None,
        received_at_ms=received_at_ms,
        fate=EventFate.ACCEPTED,
        deliveries=((delivery_id, source.id),),
        payload=msgspec.msgpack.encode(webhook),
    )


def _places(error: FunctionError | None) -> tuple[str, ...]:
    return tuple(frame.function for frame in error.backtrace) if error else ()
