"""An event as the host keeps it: validated, normalised, encoded once."""

from msgspec import Struct

EVENT_TYPES = ("track", "identify", "page", "screen", "group", "alias", "delete", "set")


class Event(Struct, frozen=True, kw_only=True):
    """One accepted event."""

    id: str
    """``evt_...``"""
    tenant_id: str
    source_id: str
    message_id: str
    """The client's, at most 100 characters, or one that the host assigned."""
    type: str
    """One of `EVENT_TYPES`."""
    name: str | None = None
    """``event`` of a track, ``name`` of a page or screen, ``collection`` of a set."""
    user_id: str | None = None
    anonymous_id: str | None = None
    received_at_ms: int
    payload: bytes
    """The normalised event as MessagePack, as functions get it."""
