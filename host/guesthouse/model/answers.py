"""What the pipeline answers to whoever asked: values that the API turns into responses."""

from msgspec import Struct

from guesthouse.model.record import EventFate
from guesthouse.model.registry import Function, Version
from guesthouse.model.reply import Headers


class Entry(Struct, frozen=True, kw_only=True):
    """What became of one event at the door."""

    event_id: str
    fate: EventFate
    reason: str | None = None
    """Why it was refused; None otherwise."""


class HookAnswer(Struct, frozen=True, kw_only=True):
    """What the sender of a webhook gets; the API lets allowed headers through, and only these."""

    status: int = 200
    headers: Headers = ()
    body: bytes = b""


class Deployment(Struct, frozen=True, kw_only=True):
    """What an upload came to."""

    function: Function
    version: Version
    is_new: bool
    """False where the very same bytes had been uploaded before."""
    problems: tuple[str, ...] = ()
    """See `guesthouse.model.registry.Activation.problems`."""


class Replay(Struct, frozen=True, kw_only=True):
    """Deliveries made anew."""

    deliveries: tuple[tuple[str, str], ...]
    """Pairs (old delivery id, new delivery id)."""
    without_payload: tuple[str, ...] = ()
    """Old deliveries whose payload was swept: they can't be replayed."""
    cursor: str | None = None
    """Where to go on; None where nothing is left."""
