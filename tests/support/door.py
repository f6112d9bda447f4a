"""A door that remembers who came in, for tests of the API alone."""

from collections.abc import Sequence
from typing import Final

from guesthouse.api.ports import Entry
from guesthouse.model.normalise import Arrival, Normalised, Refused
from guesthouse.model.record import EventFate
from guesthouse.model.registry import Source

WRITE_KEY: Final = "WK"
HOOK_TOKEN: Final = "hook-0123456789"  # noqa: S105 - of no source that exists
SOURCE: Final = Source(
    id="src_1",
    tenant_id="tnt_1",
    name="web",
    write_key=WRITE_KEY,
    hook_token=HOOK_TOKEN,
    created_at_ms=0,
    updated_at_ms=0,
)


class FakeDoor:
    """See `guesthouse.api.ports.Door`; knows one source."""

    def __init__(self) -> None:
        """Let everybody in until *failure* is set."""
        self.calls: list[list[Arrival]] = []
        self.failure: Exception | None = None

    @property
    def arrivals(self) -> list[Arrival]:
        """All that came, in order."""
        return [arrival for call in self.calls for arrival in call]

    @property
    def events(self) -> list[Normalised]:
        """Those that were not refused."""
        return [arrival for arrival in self.arrivals if isinstance(arrival, Normalised)]

    async def source(self, write_key: str) -> Source | None:
        """See `Door.source`."""
        return SOURCE if write_key == WRITE_KEY else None

    async def accept(self, source: Source, arrivals: Sequence[Arrival]) -> Sequence[Entry]:
        """See `Door.accept`."""
        assert source is SOURCE
        if self.failure:
            raise self.failure
        self.calls.append(list(arrivals))
        return [_enter(number, arrival) for number, arrival in enumerate(arrivals)]


def _enter(number: int, arrival: Arrival) -> Entry:
    if isinstance(arrival, Refused):
        return Entry(event_id=f"evt_{number}", fate=EventFate.REFUSED, reason=arrival.reason)
    return Entry(event_id=f"evt_{number}", fate=EventFate.ACCEPTED)
