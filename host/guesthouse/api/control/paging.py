"""Lists in parts: the parameters that every query has beside its own."""

from typing import Annotated, TypeVar

from msgspec import Meta, Struct

from guesthouse.api.control.operation import Listing
from guesthouse.ledger.protocol import DEFAULT_LIMIT, MAX_LIMIT
from guesthouse.ledger.values import AttemptQuery, DeliveryQuery, EventQuery, Page

Q = TypeVar("Q", bound=Struct)
T = TypeVar("T")

Limit = Annotated[int, Meta(ge=1, le=MAX_LIMIT)]
Time = Annotated[int, Meta(ge=0, le=1 << 53)]
"""Milliseconds since 1970; no database holds any number that a stranger writes."""


class DeliveryFilter(DeliveryQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which deliveries, within what a database can hold."""

    since_ms: Time | None = None
    until_ms: Time | None = None


class EventList(EventQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events, and which part of them."""

    since_ms: Time | None = None
    until_ms: Time | None = None
    cursor: str | None = None
    limit: Limit = DEFAULT_LIMIT


class DeliveryList(DeliveryFilter, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which deliveries, and which part of them."""

    cursor: str | None = None
    limit: Limit = DEFAULT_LIMIT


class AttemptList(AttemptQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which attempts, and which part of them."""

    since_ms: Time | None = None
    until_ms: Time | None = None
    cursor: str | None = None
    limit: Limit = DEFAULT_LIMIT


def only(type_: type[Q], asked: Struct) -> Q:
    """Give the query alone, without the parameters of paging."""
    return type_(**{name: getattr(asked, name) for name in type_.__struct_fields__})


def listing(page: Page[T]) -> Listing[T]:
    """Show a part of a list."""
    return Listing(items=page.items, next=page.next)
