"""The scheduler's promises, with guests that do nothing but let a fake clock run."""

from collections import deque
from collections.abc import Callable

import pytest

from guesthouse.runtime import scheduler as scheduler_module
from guesthouse.runtime.scheduler import FairQueue, Scheduler

TURN = 2.0
Callback = Callable[[], None]


class Loop:
    """Keeps what was asked for soon; `turn` runs what one turn of an event loop would."""

    def __init__(self) -> None:
        self.soon: deque[Callback] = deque()

    def turn(self) -> None:
        """Run what was asked for before this turn began."""
        for _ in range(len(self.soon)):
            self.soon.popleft()()


class Clock:
    """Stands in for ``perf_counter``."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


class FakeGuest:
    """Runs *slices* slices of *seconds* each, for ever if that is None."""

    def __init__(
        self,
        name: str,
        stage: "Stage",
        *,
        slices: int | None = 1,
        seconds: float = 1.0,
        lane: str = "t/d",
    ) -> None:
        tenant, destination = lane.split("/")
        self.lane = (tenant, destination)
        self.slice_began = 0.0
        self.name = name
        self._stage, self._left, self._seconds = stage, slices, seconds
        self.is_ended = False

    def advance(self) -> bool:
        """See `guesthouse.runtime.scheduler.Runnable.advance`."""
        if self.is_ended:
            return False
        self._stage.ran.append(self.name)
        self._stage.clock.now += self._seconds
        if self._left is not None:
            self._left -= 1
        return self._left != 0


class Stage:
    """A scheduler with everything around it faked."""

    def __init__(self, clock: Clock) -> None:
        self.loop, self.clock = Loop(), clock
        self.ran: list[str] = []
        self.slices: list[float] = []
        self.turns_ended = 0
        self.scheduler: Scheduler[FakeGuest] = Scheduler(
            self.loop.soon.append, turn_seconds=TURN, before_slice=self.slices.append, after_turn=self._ended
        )

    def _ended(self) -> None:
        self.turns_ended += 1

    def guest(
        self, name: str, *, slices: int | None = 1, seconds: float = 1.0, lane: str = "t/d", wake: bool = True
    ) -> FakeGuest:
        """Make a guest and wake it."""
        guest = FakeGuest(name, self, slices=slices, seconds=seconds, lane=lane)
        if wake:
            self.scheduler.wake(guest)
        return guest

    def turn(self) -> list[str]:
        """Run one turn of the loop; who ran in it."""
        self.ran.clear()
        self.loop.turn()
        return list(self.ran)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Put a scheduler on a fake clock."""
    clock = Clock()
    monkeypatch.setattr(scheduler_module, "perf_counter", clock)
    return Stage(clock)


class Item:
    """Something with a lane."""

    def __init__(self, lane: str, number: int) -> None:
        tenant, destination = lane.split("/")
        self.lane = (tenant, destination)
        self.slice_began = 0.0
        self.name = f"{lane}{number}"

    def advance(self) -> bool:
        """Not used here."""
        raise NotImplementedError


def popped(*names: str) -> list[str]:
    """Push items, named by lane and number as in ``a/x1``, and say in which order they come out."""
    queue: FairQueue[Item] = FairQueue()
    for name in names:
        queue.push(Item(name[:-1], int(name[-1])))
    out = []
    while queue:
        out.append(queue.pop().name)
    return out


def test_one_destination_is_first_come_first_served() -> None:
    """Within a destination nobody overtakes."""
    assert popped("a/x1", "a/x2", "a/x3") == ["a/x1", "a/x2", "a/x3"]


def test_tenants_take_turns_however_many_wait() -> None:
    """A tenant with one guest is served after one of another's, not after all of them."""
    assert popped("a/x1", "a/x2", "a/x3", "b/x1") == ["a/x1", "b/x1", "a/x2", "a/x3"]


def test_destinations_take_turns_within_their_tenant() -> None:
    """A tenant's second destination gets the tenant's second turn; more destinations give no more turns."""
    order = popped("a/x1", "a/x2", "a/y1", "a/z1", "b/x1", "b/x2")
    assert order == ["a/x1", "b/x1", "a/y1", "b/x2", "a/z1", "a/x2"]


def test_popping_from_an_empty_queue_is_a_key_error() -> None:
    """Nobody waits: there is no one to give."""
    with pytest.raises(KeyError):
        FairQueue[Item]().pop()


def test_a_woken_guest_runs_at_once_when_nobody_else_wants_to(stage: Stage) -> None:
    """An idle engine costs no turn of the loop."""
    stage.guest("first")
    assert stage.ran == ["first"]


def test_each_slice_is_announced_with_the_time_it_began(stage: Stage) -> None:
    """The ticker is armed before a slice, and the guest knows when its slice began."""
    guest = stage.guest("first", slices=2)
    stage.turn()
    assert stage.slices == [100.0, 101.0]
    assert guest.slice_began == 101.0


def test_running_at_once_ends_with_the_budget_of_the_turn(stage: Stage) -> None:
    """Guests woken in one turn of the loop share its budget; the rest run in the next."""
    for name in "abcd":
        stage.guest(name)
    assert stage.ran == ["a", "b"]
    assert stage.turn() == ["c", "d"]


def test_a_guest_woken_while_another_waits_queues_behind_it(stage: Stage) -> None:
    """Running at once is no way past the queue."""
    stage.guest("spinner", slices=None, seconds=0.1)
    stage.guest("late", seconds=0.1)
    assert stage.ran == ["spinner"]


def test_a_turn_takes_no_more_than_its_budget(stage: Stage) -> None:
    """However many want to run, a turn ends once its budget is used up, by at most one slice more."""
    for number in range(10):
        stage.guest(str(number), slices=None, seconds=0.9)
    began = stage.clock.now
    stage.turn()
    assert TURN <= stage.clock.now - began < TURN + 0.9


def test_fresh_guests_run_before_spent_ones(stage: Stage) -> None:
    """An honest guest needn't queue behind those that spin."""
    for name in ("spin1", "spin2"):
        stage.guest(name, slices=None)
    stage.turn()
    stage.guest("honest", seconds=0.1)
    assert stage.turn()[0] == "honest"


def test_spent_guests_get_on_while_fresh_ones_keep_coming(stage: Stage) -> None:
    """Fresh guests take at most half of the budget while spent ones wait, so that those that compute get on too."""
    stage.guest("spinner", slices=None, seconds=0.5)
    for _ in range(5):
        for number in range(9):
            stage.guest(f"fresh{number}", seconds=0.5)
        ran = stage.turn()
        assert ran.count("spinner") == 2
        assert len(ran) == 4


def test_spent_guests_of_different_tenants_take_turns(stage: Stage) -> None:
    """Five spinners of one tenant get no more than the single one of another."""
    for number in range(5):
        stage.guest(f"a{number}", slices=None, seconds=0.5, lane="a/d")
    stage.guest("b", slices=None, seconds=0.5, lane="b/d")
    for _ in range(5):
        stage.turn()
    ran = [name for _ in range(10) for name in stage.turn()]
    assert ran.count("b") == len(ran) / 2 == 20
    assert {ran.count(f"a{number}") for number in range(5)} == {4}


def test_a_guest_that_waits_is_not_run_again(stage: Stage) -> None:
    """A guest that waits for the world is in no queue, and an idle scheduler asks for no turns."""
    stage.guest("waits")
    assert stage.turn() == []
    assert not stage.loop.soon


def test_a_turn_is_asked_for_once_however_many_wake(stage: Stage) -> None:
    """Waking a thousand guests puts one callback on the loop."""
    for number in range(20):
        stage.guest(str(number), slices=None)
    assert len(stage.loop.soon) == 1


def test_a_guest_that_ended_while_it_was_queued_does_nothing(stage: Stage) -> None:
    """Cancelled in the queue, it takes nothing of the budget and is gone."""
    stage.guest("first", seconds=TURN)
    queued = stage.guest("queued")
    queued.is_ended = True
    assert stage.turn() == []
    assert not stage.loop.soon


def test_a_turn_ends_with_what_was_asked_for(stage: Stage) -> None:
    """What must not happen while a guest runs (raising a noted signal) happens after the turn, also of an idle one."""
    stage.guest("first")
    assert stage.turns_ended == 0
    stage.turn()
    assert stage.turns_ended == 1
