"""A circuit breaker for each destination: one that accepts nothing is left alone, and probed now and then.

Deliveries that wait behind an open breaker spend no attempts.
"""

from dataclasses import dataclass, field

CLOSED, OPEN, PROBING = "closed", "open", "probing"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """When to open, and for how long."""

    failures: int = 20
    """Retryable failures in a row that open it."""
    first_ms: int = 5_000
    longest_ms: int = 300_000


@dataclass(slots=True)
class _Circuit:
    state: str = CLOSED
    failures: int = 0
    opened: int = 0
    """Times it was opened in a row."""


@dataclass(slots=True)
class Breakers:
    """The circuits of all destinations that have failed lately."""

    policy: BreakerPolicy = field(default_factory=BreakerPolicy)
    _circuits: dict[str, _Circuit] = field(default_factory=dict)

    def state(self, destination_id: str) -> str:
        """Say whether a destination's circuit is ``closed``, ``open`` or ``probing``."""
        circuit = self._circuits.get(destination_id)
        return circuit.state if circuit else CLOSED

    def succeeded(self, destination_id: str) -> None:
        """Note that the destination works."""
        self._circuits.pop(destination_id, None)

    def failed(self, destination_id: str) -> int | None:
        """Note a failure that is retried; for how long to hold the destination, where that opens its circuit."""
        circuit = self._circuits.setdefault(destination_id, _Circuit())
        circuit.failures += 1
        is_probe = circuit.state == PROBING
        if circuit.state == OPEN or not (is_probe or circuit.failures >= self.policy.failures):
            return None
        circuit.state = OPEN
        circuit.opened += 1
        return min(self.policy.longest_ms, self.policy.first_ms << min(circuit.opened - 1, 16))

    def probe(self, destination_id: str) -> bool:
        """Note that a held destination is leased from again: its first deliveries are probes."""
        circuit = self._circuits.get(destination_id)
        if circuit is None:
            return False
        if circuit.state == OPEN:
            circuit.state = PROBING
        return circuit.state == PROBING
