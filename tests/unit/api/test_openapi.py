"""The table of operations and what is written of it."""

import json
from typing import Any

from guesthouse.api.control.openapi import describe
from guesthouse.api.control.routes import OPERATIONS

DOCUMENT = json.loads(describe(OPERATIONS, "/api/v1"))


def _references(part: Any) -> set[str]:  # noqa: ANN401 - any part of the document
    if isinstance(part, dict):
        own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
        return own.union(*map(_references, part.values()))
    return set().union(*map(_references, part)) if isinstance(part, list) else set()


def test_every_reference_leads_somewhere() -> None:
    """Types are described once, under their names."""
    names = {reference.removeprefix("#/components/schemas/") for reference in _references(DOCUMENT)}
    assert names <= set(DOCUMENT["components"]["schemas"])


def test_what_changes_things_is_for_admins() -> None:
    """A viewer's token is for GET, and not for all of that."""
    assert not [one.path for one in OPERATIONS if one.method != "GET" and not one.is_for_admins]


def test_parameters_are_those_of_the_query() -> None:
    """With their bounds, and without null, which a query can't say."""
    parameters = {one["name"]: one for one in DOCUMENT["paths"]["/api/v1/logs"]["get"]["parameters"]}
    assert set(parameters) == {"destination_id", "level", "cursor", "limit"}
    assert parameters["limit"]["schema"]["maximum"] == 500
    assert "null" not in json.dumps(parameters)
    assert not parameters["cursor"]["required"]


def test_pairs_are_arrays_of_two() -> None:
    """Few tools know prefixItems."""
    assert "prefixItems" not in json.dumps(DOCUMENT)
