"""Deliveries: the duty to run one destination on one event, and every move that its state may make."""

from enum import StrEnum

from msgspec import Struct


class State(StrEnum):
    """Where a delivery stands (DESIGN section 1)."""

    PENDING = "pending"
    RUNNING = "running"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    DISCARDED = "discarded"
    DEAD = "dead"
    CANCELLED = "cancelled"


OPEN = frozenset({State.PENDING, State.RUNNING, State.RETRYING})

MOVES: dict[State, frozenset[State]] = {
    State.PENDING: frozenset({State.RUNNING, State.CANCELLED}),
    State.RUNNING: frozenset(
        {State.SUCCEEDED, State.DISCARDED, State.RETRYING, State.DEAD, State.PENDING, State.CANCELLED}
    ),
    State.RETRYING: frozenset({State.PENDING, State.CANCELLED}),
    State.SUCCEEDED: frozenset(),
    State.DISCARDED: frozenset(),
    State.DEAD: frozenset(),
    State.CANCELLED: frozenset(),
}
"""Every move there is. Pending again from running: the lease was lost or given back."""


class Delivery(Struct, frozen=True, kw_only=True):
    """One delivery, as it is accepted."""

    id: str
    """``dlv_...``"""
    event_id: str
    tenant_id: str
    destination_id: str
    replay_of: str | None = None
    """The delivery that this one repeats."""


class Outcome(StrEnum):
    """What the host makes of an attempt for one delivery."""

    SUCCEEDED = "succeeded"
    DISCARDED = "discarded"
    RETRYING = "retrying"
    DEAD = "dead"
    CANCELLED = "cancelled"
    """Somebody closed the delivery; no attempt was made or its result counts no more."""
    GIVEN_BACK = "given_back"
    """A host fault or a stop: counts no attempt, due again at once or at the time given."""
