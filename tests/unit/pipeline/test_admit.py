"""The door's matching: which destinations get an event, and why the others don't."""

from typing import Any

import pytest

from guesthouse.model.filter import EVERYTHING, Filter
from guesthouse.model.normalise import Normalised
from guesthouse.model.record import EventFate
from guesthouse.model.registry import Destination, Route, Source
from guesthouse.pipeline.accept import SWITCHED_OFF, admit
from guesthouse.queue.protocol import Acceptance

SOURCE = Source(
    id="src_1",
    tenant_id="tnt_1",
    name="web",
    write_key="k",
    hook_token="h",  # noqa: S106 - of no source that exists
    created_at_ms=0,
    updated_at_ms=0,
)


def route(
    name: str = "crm", *handlers: str, wanted: Filter = EVERYTHING, is_paused: bool = False, is_active: bool = True
) -> Route:
    """Let a destination listen."""
    destination = Destination(
        id=f"dst_{name}",
        tenant_id="tnt_1",
        name=name,
        function_id="fn_1",
        filter=wanted,
        is_paused=is_paused,
        created_at_ms=0,
        updated_at_ms=0,
    )
    return Route(destination=destination, handlers=frozenset(handlers or ("onTrack",)) if is_active else frozenset())


def come(*routes: Route, **more: Any) -> Acceptance:  # noqa: ANN401 - fields of Normalised
    """Let an event come in."""
    facts: dict[str, Any] = {
        "message_id": "m1",
        "type": "track",
        "name": "Signup",
        "user_id": "u1",
        "anonymous_id": None,
        "received_at_ms": 5,
        "integrations": {},
        "payload": b"payload",
    }
    return admit(SOURCE, "evt_1", Normalised(**{**facts, **more}), routes)


def passed_over(acceptance: Acceptance) -> dict[str, str]:
    """Tell why destinations don't get it."""
    assert acceptance.record is not None
    return dict(acceptance.record.passed_over)


def test_every_destination_that_wants_it_gets_a_delivery_of_its_own() -> None:
    """And event, deliveries and record tell the same."""
    made = come(route("crm"), route("mail"))
    assert [one.destination_id for one in made.deliveries] == ["dst_crm", "dst_mail"]
    assert len({one.id for one in made.deliveries}) == 2
    assert {one.event_id for one in made.deliveries} == {made.event.id} == {"evt_1"}
    assert {one.tenant_id for one in made.deliveries} == {"tnt_1"}
    assert made.record is not None
    assert made.record.fate is EventFate.ACCEPTED
    assert made.record.deliveries == tuple((one.id, one.destination_id) for one in made.deliveries)
    assert (made.record.payload, made.event.payload) == (b"payload", b"payload")
    assert (made.record.source_id, made.record.message_id, made.record.user_id) == ("src_1", "m1", "u1")


def test_an_event_that_nobody_wants_is_unmatched() -> None:
    """It is recorded all the same."""
    made = come()
    assert made.deliveries == ()
    assert made.record is not None
    assert made.record.fate is EventFate.UNMATCHED


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (route("crm", is_active=False), "no_active_version"),
        (route("crm", "onIdentify"), "no_handler"),
        (route("crm", wanted=Filter(types=("page",))), "filtered_type"),
        (route("crm", wanted=Filter(names=("Order Completed",))), "filtered_name"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_who_does_not_get_it_is_told_why(one: Route, why: str) -> None:
    """The ledger can explain each destination that was passed over."""
    made = come(one, route("mail"))
    assert passed_over(made) == {"dst_crm": why}
    assert [delivery.destination_id for delivery in made.deliveries] == ["dst_mail"]


def test_a_function_with_on_batch_takes_every_type() -> None:
    """It needs no handler for single events."""
    assert len(come(route("crm", "onBatch"), type="alias", name=None).deliveries) == 1


@pytest.mark.parametrize(
    ("integrations", "is_wanted"),
    [
        ({}, True),
        ({"crm": True}, True),
        ({"crm": False}, False),
        ({"All": False}, False),
        ({"All": False, "crm": True}, True),
        ({"All": False, "crm": {"option": 1}}, True),
        ({"CRM": False}, True),
        ({"mail": False}, True),
    ],
)
def test_integrations_switch_destinations_off(integrations: dict[str, object], is_wanted: bool) -> None:  # noqa: FBT001 - a column of the table
    """By the destination's name; All stands for those that aren't named."""
    made = come(route("crm"), integrations=integrations)
    assert bool(made.deliveries) is is_wanted
    assert passed_over(made) == ({} if is_wanted else {"dst_crm": SWITCHED_OFF})


def test_a_paused_destination_still_gets_its_deliveries() -> None:
    """They wait in the queue until it is resumed."""
    assert len(come(route("crm", is_paused=True)).deliveries) == 1
