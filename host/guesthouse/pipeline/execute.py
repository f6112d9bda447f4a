"""One attempt, in a straight line: load what runs, run it, judge, write it down.

Several deliveries of one destination may share an attempt (``onBatch``). A batch whose guest broke is run again in
halves, so that one poisonous event ends up alone.
"""

import logging
from collections.abc import Sequence

from msgspec import Raw

from guesthouse.abi.call import CallContext
from guesthouse.clock import Clock
from guesthouse.errors import GuesthouseError, NotFound, OperatorError, RejectedModule
from guesthouse.ids import new_id, new_ids
from guesthouse.logs import tell
from guesthouse.model.delivery import Outcome
from guesthouse.model.record import AttemptRecord
from guesthouse.model.registry import Assignment
from guesthouse.model.report import Report
from guesthouse.pipeline.judge import Judge, Judgement
from guesthouse.pipeline.modules import Modules
from guesthouse.queue.protocol import Lease, Settlement
from guesthouse.registry.protocol import Registry

BATCH = "onBatch"
DESTINATION_GONE = "destination_gone"
HOST_FAULT_MS = 2_000
"""How long a delivery waits that couldn't be tried because of the host; it counts no attempt."""

_log = logging.getLogger(__name__)


class Executor:
    """Runs the attempts of leased deliveries."""

    def __init__(self, registry: Registry, modules: Modules, judge: Judge, clock: Clock) -> None:
        """Take what says what to run, what runs it, what judges it, and the time."""
        self._registry = registry
        self._modules = modules
        self._judge = judge
        self._clock = clock

    async def run(self, leases: Sequence[Lease]) -> list[Settlement]:
        """Attempt deliveries of one destination, together where its function takes batches; a settlement for each."""
        delivery = leases[0].delivery
        try:
            assignment = await self._registry.within(delivery.tenant_id).assignment(delivery.destination_id)
        except NotFound as error:
            return [self._unfit(lease, DESTINATION_GONE, error) for lease in leases]
        except OperatorError as error:
            return self._postponed(leases, error)
        return await self._attempt(assignment, leases)

    async def _attempt(self, assignment: Assignment, leases: Sequence[Lease]) -> list[Settlement]:
        started_at_ms = self._clock.now_ms()
        try:
            report = await self._invoke(assignment, leases)
        except RejectedModule as error:
            return [self._unfit(lease, error.code, error) for lease in leases]
        except OperatorError as error:
            return self._postponed(leases, error)
        if report.error is not None and not report.error.retryable and len(leases) > 1:
            half = len(leases) // 2
            return await self._attempt(assignment, leases[:half]) + await self._attempt(assignment, leases[half:])
        return self._settle(assignment, leases, report, started_at_ms)

    async def _invoke(self, assignment: Assignment, leases: Sequence[Lease]) -> Report:
        module = await self._modules.get(assignment.version.digest)
        lease, handlers = leases[0], assignment.version.handlers
        handler = f"on{lease.event.type.capitalize()}"
        is_batch = len(leases) > 1 or (handler not in handlers and BATCH in handlers)
        payload = [Raw(each.event.payload) for each in leases] if is_batch else Raw(lease.event.payload)
        return await module.invoke(
            BATCH if is_batch else handler,
            payload,
            settings=assignment.settings,
            capabilities=assignment.capabilities,
            limits=assignment.limits,
            context=CallContext(
                function=assignment.function.name,
                version=assignment.version.digest,
                source=lease.event.source_id,
                destination=assignment.holder.name,
                attempt=lease.attempt,
                deadline_ms=assignment.limits.deadline_ms,
            ),
            tenant=lease.delivery.tenant_id,
            destination=lease.delivery.destination_id,
        )

    def _settle(
        self, assignment: Assignment, leases: Sequence[Lease], report: Report, started_at_ms: int
    ) -> list[Settlement]:
        invocation_id, now = new_id("inv"), self._clock.now_ms()
        settlements = []
        for index, (lease, attempt_id) in enumerate(zip(leases, new_ids("att", len(leases)), strict=True)):
            judged = self._judge.judge(report, index=index, attempt=lease.attempt, age_ms=lease.age_ms)
            due_at_ms = None if judged.delay_ms is None else now + judged.delay_ms
            record = AttemptRecord(
                attempt_id=attempt_id,
                invocation_id=invocation_id,
                delivery_id=lease.delivery.id,
                event_id=lease.event.id,
                tenant_id=lease.delivery.tenant_id,
                source_id=lease.event.source_id,
                destination_id=lease.delivery.destination_id,
                function=assignment.function.name,
                version=assignment.version.digest,
                attempt=lease.attempt,
                started_at_ms=started_at_ms,
                ended_at_ms=now,
                outcome=judged.outcome,
                reason=judged.reason,
                code=judged.code,
                verdict=judged.verdict,
                due_at_ms=due_at_ms,
                backtrace=tuple(frame.function for frame in report.error.backtrace) if report.error else (),
                logs=report.logs if index == 0 else (),
                http=report.http if index == 0 else (),
                usage=report.usage,
            )
            settlements.append(_settlement(lease, judged, due_at_ms, record))
        return settlements

    def _unfit(self, lease: Lease, code: str, error: GuesthouseError) -> Settlement:
        """End a delivery that no attempt can help; it can be replayed when the cause is gone."""
        now = self._clock.now_ms()
        record = AttemptRecord(
            attempt_id=new_id("att"),
            invocation_id=new_id("inv"),
            delivery_id=lease.delivery.id,
            event_id=lease.event.id,
            tenant_id=lease.delivery.tenant_id,
            source_id=lease.event.source_id,
            destination_id=lease.delivery.destination_id,
            function="",
            version="",
            attempt=lease.attempt,
            started_at_ms=now,
            ended_at_ms=now,
            outcome=Outcome.DEAD,
            reason=str(error),
            code=code,
            verdict=None,
        )
        return Settlement(delivery_id=lease.delivery.id, token=lease.token, outcome=Outcome.DEAD, record=record)

    def _postponed(self, leases: Sequence[Lease], error: OperatorError) -> list[Settlement]:
        destination_id, due_at_ms = leases[0].delivery.destination_id, self._clock.now_ms() + HOST_FAULT_MS
        tell(_log, logging.WARNING, "attempt.postponed", destination=destination_id, code=error.code)
        return [given_back(lease, due_at_ms) for lease in leases]


def given_back(lease: Lease, due_at_ms: int | None = None) -> Settlement:
    """Settle a lease as if it had not been: no attempt is counted."""
    return Settlement(delivery_id=lease.delivery.id, token=lease.token, outcome=Outcome.GIVEN_BACK, due_at_ms=due_at_ms)


def _settlement(lease: Lease, judged: Judgement, due_at_ms: int | None, record: AttemptRecord) -> Settlement:
    return Settlement(
        delivery_id=lease.delivery.id,
        token=lease.token,
        outcome=judged.outcome,
        due_at_ms=due_at_ms,
        record=record,
    )
