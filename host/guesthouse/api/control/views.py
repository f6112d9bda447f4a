"""What the control API shows where the registry's and ledger's own values say too much or too little."""

from typing import Any

from msgspec import Struct, msgpack, structs

from guesthouse.api.hooks import PREFIX
from guesthouse.model.record import EventRecord
from guesthouse.model.registry import Source, Token


class SourceView(Struct, frozen=True, kw_only=True):
    """A source; the keys are null for tokens that may only read."""

    id: str
    name: str
    write_key: str | None
    hook_url: str | None
    """Where its webhooks go."""
    function_id: str | None
    settings: dict[str, Any]
    secrets: tuple[Any, ...]
    grants: tuple[str, ...]
    limits: dict[str, int]
    created_at_ms: int
    updated_at_ms: int


class EventView(Struct, frozen=True, kw_only=True):
    """An event at the door, with what functions get of it."""

    record: EventRecord
    """Its ``payload`` is empty here."""
    payload: Any
    """Null where it was swept."""


class NewToken(Struct, frozen=True, kw_only=True):
    """A token just made."""

    token: Token
    text: str
    """Shown now and never again."""


def view_source(source: Source, base_url: str, *, with_keys: bool) -> SourceView:
    """Show a source to whom it may be shown."""
    return SourceView(
        id=source.id,
        name=source.name,
        write_key=source.write_key if with_keys else None,
        hook_url=f"{base_url}{PREFIX}{source.hook_token}" if with_keys else None,
        function_id=source.function_id,
        settings=source.settings,
        secrets=source.secrets,
        grants=source.grants,
        limits=source.limits,
        created_at_ms=source.created_at_ms,
        updated_at_ms=source.updated_at_ms,
    )


def view_event(record: EventRecord) -> EventView:
    """Show an event as JSON has it."""
    payload = msgpack.decode(record.payload) if record.payload else None
    return EventView(record=structs.replace(record, payload=b""), payload=payload)
