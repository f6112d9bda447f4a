"""The queue against the state machine: whatever is called in whatever order, `MOVES` are the only moves."""

import asyncio
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.support.queues import HOST, SECOND_MS, FakeClock, House, settlement

from guesthouse.model.delivery import MOVES, OPEN, Outcome, State
from guesthouse.queue.protocol import Lease, QueueConfig, Selector
from guesthouse.queue.sqlite import open_queue

T = TypeVar("T")
CLOSES = {
    Outcome.SUCCEEDED: State.SUCCEEDED,
    Outcome.DISCARDED: State.DISCARDED,
    Outcome.DEAD: State.DEAD,
    Outcome.RETRYING: State.RETRYING,
    Outcome.GIVEN_BACK: State.PENDING,
}
DELAY_MS = 10 * SECOND_MS
DESTINATIONS = ("dst_1", "dst_2", "dst_3")


class QueueMachine(RuleBasedStateMachine):
    """One host, a few destinations, and a dictionary that says what must be so."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = FakeClock()
        self.states: dict[str, State] = {}
        self.due_ms: dict[str, int] = {}
        self.attempts: dict[str, int] = {}
        self.held: set[str] = set()
        self.leases: dict[str, Lease] = {}
        self.stale: list[Lease] = []
        self.records = 0
        self.run(self._open())

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run to the end on the machine's own loop."""
        return self.loop.run_until_complete(coroutine)

    async def _open(self) -> None:
        path = Path(self.folder.name) / "queue.db"
        queue = await open_queue(path, clock=self.clock, boot="boot_1", config=QueueConfig(lost_leases=10_000))
        self.house = House(queue, self.clock)
        await queue.beat(HOST, 64)

    def move(self, delivery_id: str, to: State) -> None:
        """Move a delivery in the model, if the table allows it."""
        at = self.states[delivery_id]
        assert to in MOVES[at], (at, to)
        self.states[delivery_id] = to

    def ripen(self) -> None:
        """Let the retries that are due be pending."""
        for delivery_id, state in self.states.items():
            if state is State.RETRYING and self.due_ms[delivery_id] <= self.clock.monotonic_ms:
                self.move(delivery_id, State.PENDING)

    @rule(destinations=st.sets(st.sampled_from(DESTINATIONS), max_size=3), count=st.integers(1, 3))
    def accept(self, destinations: set[str], count: int) -> None:
        """Accept events."""
        for accepted in self.run(self.house.accept(*sorted(destinations), count=count)):
            self.records += 1
            for delivery in accepted.deliveries:
                self.states[delivery.id] = State.PENDING
                self.due_ms[delivery.id] = self.clock.monotonic_ms
                self.attempts[delivery.id] = 0

    @rule(limit=st.integers(1, 5))
    def lease(self, limit: int) -> None:
        """Lease: only what is pending and due and not held, and as much of it as was asked for."""
        leases = self.run(self.house.lease(limit=limit))
        due = 0
        for looked in self.run(self._look()).values():
            is_due = looked.state is State.PENDING and (looked.due_at_ms or 0) <= self.clock.now_ms()
            due += is_due and not looked.holds
        assert len(leases) == limit or not due
        for lease in leases:
            delivery_id = lease.delivery.id
            assert lease.delivery.destination_id not in self.held
            assert self.due_ms[delivery_id] <= self.clock.monotonic_ms
            assert lease.attempt == self.attempts[delivery_id] + 1
            self.move(delivery_id, State.RUNNING)
            self.leases[delivery_id] = lease

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), outcome=st.sampled_from(sorted(CLOSES)), delay_ms=st.sampled_from([0, DELAY_MS]))
    def settle(self, data: st.DataObject, outcome: Outcome, delay_ms: int) -> None:
        """Settle a lease, and once more."""
        lease = self.leases.pop(data.draw(st.sampled_from(sorted(self.leases))))
        item = settlement(lease, outcome, due_at_ms=self.clock.now_ms() + delay_ms)
        assert self.run(self.house.queue.settle([item])) == [True]
        assert self.run(self.house.queue.settle([item])) == [True]
        self.records += 1
        self.move(lease.delivery.id, CLOSES[outcome])
        self.due_ms[lease.delivery.id] = self.clock.monotonic_ms + delay_ms
        self.attempts[lease.delivery.id] += outcome is not Outcome.GIVEN_BACK

    @precondition(lambda self: self.stale)
    @rule(data=st.data(), outcome=st.sampled_from(sorted(CLOSES)))
    def settle_late(self, data: st.DataObject, outcome: Outcome) -> None:
        """Settle with a lease that was lost or cancelled."""
        lease = data.draw(st.sampled_from(self.stale))
        assert self.run(self.house.settle(lease, outcome)) is False

    @precondition(lambda self: self.states)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """Cancel a delivery, open or not."""
        delivery_id = data.draw(st.sampled_from(sorted(self.states)))
        is_open = self.states[delivery_id] in OPEN
        assert self.run(self.house.queue.cancel(Selector(delivery_ids=(delivery_id,)))) == is_open
        if is_open:
            self.records += 1
            self.move(delivery_id, State.CANCELLED)
            self._lose(delivery_id)

    @rule(milliseconds=st.sampled_from([1, DELAY_MS - 1, DELAY_MS]))
    def wait(self, milliseconds: int) -> None:
        """Let time pass."""
        self.clock.advance(milliseconds)
        self.run(self.house.queue.beat(HOST, 64))

    @rule()
    def lose_host(self) -> None:
        """Let the host's leases run out."""
        self.clock.advance(100 * SECOND_MS)
        swept = self.run(self.house.queue.sweep())
        assert swept.lost == len(self.leases)
        for delivery_id in list(self.leases):
            self.move(delivery_id, State.PENDING)
            self.due_ms[delivery_id] = self.clock.monotonic_ms
            self._lose(delivery_id)
        self.run(self.house.queue.beat(HOST, 64))

    @rule(destination=st.sampled_from(DESTINATIONS), is_held=st.booleans())
    def hold(self, destination: str, is_held: bool) -> None:  # noqa: FBT001 - hypothesis draws it by name
        """Hold or release a destination."""
        if is_held:
            self.run(self.house.queue.hold(destination, None, "paused"))
            self.held.add(destination)
        else:
            self.run(self.house.queue.release(destination, "paused"))
            self.held.discard(destination)

    @rule()
    def reopen(self) -> None:
        """Close and open again."""
        self.run(self.house.queue.close())
        self.run(self._open())

    @invariant()
    def the_queue_agrees(self) -> None:
        """Every delivery stands where the model says, and the numbers add up."""
        self.ripen()
        looked = self.run(self._look())
        assert {one: standing.state for one, standing in looked.items()} == {
            one: state for one, state in self.states.items() if state in OPEN
        }
        depths = self.run(self.house.queue.depths())
        assert sum(depth.running for depth in depths) == len(self.leases)
        assert sum(depth.open for depth in depths) == len(looked)
        assert len(self.run(self.house.queue.drain(5_000))[0]) == self.records

    def teardown(self) -> None:
        """Close."""
        self.run(self.house.queue.close())
        self.loop.close()
        self.folder.cleanup()

    async def _look(self) -> dict[str, Any]:
        return dict(await self.house.queue.look(list(self.states)))

    def _lose(self, delivery_id: str) -> None:
        if delivery_id in self.leases:
            self.stale.append(self.leases.pop(delivery_id))


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
