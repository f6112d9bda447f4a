"""A guest's decoded reply and description, as values."""

from dataclasses import dataclass
from typing import Any

from guesthouse.model.verdict import Verdict

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemResult:
    """The verdict on one event of a batch, by position."""

    verdict: Verdict
    message: str | None = None
    code: str | None = None
    retry_after_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookResponse:
    """A source function's own answer to the webhook's sender, as the guest gave it (the API filters headers)."""

    status: int
    headers: Headers = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What ``guesthouse_call`` answered."""

    verdict: Verdict
    message: str | None = None
    code: str | None = None
    retry_after_ms: int | None = None
    results: tuple[ItemResult, ...] | None = None
    """One for each event of a batch; None when the guest speaks for the batch as a whole."""
    events: tuple[dict[str, Any], ...] = ()
    """What a source function emits."""
    response: WebhookResponse | None = None
    event: dict[str, Any] | None = None
    """An insert function's changed event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting that a function declares."""

    name: str
    type: str
    """``string``, ``boolean``, ``number``, ``array`` or ``map``."""
    label: str | None = None
    description: str | None = None
    required: bool = False
    secret: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What ``guesthouse_describe`` answered."""

    abi: int
    sdk: str
    language: str
    kind: str
    """``source``, ``destination`` or ``insert``."""
    handlers: tuple[str, ...]
    settings: tuple[Setting, ...] = ()
