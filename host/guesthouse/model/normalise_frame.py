"""What all events of one call share."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import Struct

from guesthouse.model.normalise_time import NO_SKEW, from_ms, read_time, write_time

_NOTHING: Final[dict[str, Any]] = {}


class Frame(Struct, frozen=True, kw_only=True):
    """Where and when a call came in, and what its client says about all of its events; made by `make_frame`."""

    source_id: str
    received_at_ms: int
    received: datetime
    received_at: str
    sent_at: str | None
    skew: timedelta
    """How far the client's clock is behind ours."""
    context: Mapping[str, Any]
    integrations: Mapping[str, Any]
    ip: str | None
    """Where a browser's call came from; None for servers' calls, whose address says nothing of the user."""


def make_frame(  # noqa: PLR0913 - the parts of a call, nearly all with a default
    *,
    source_id: str,
    received_at_ms: int,
    sent_at: object = None,
    context: Mapping[str, Any] | None = None,
    integrations: Mapping[str, Any] | None = None,
    ip: str | None = None,
) -> Frame:
    """Make the frame of a call; *sent_at* is what the client says, whatever that is."""
    received, sent = from_ms(received_at_ms), read_time(sent_at)
    return Frame(
        source_id=source_id,
        received_at_ms=received_at_ms,
        received=received,
        received_at=write_time(received),
        sent_at=write_time(sent) if sent else None,
        skew=received - sent if sent else NO_SKEW,
        context=context or _NOTHING,
        integrations=integrations or _NOTHING,
        ip=ip,
    )
