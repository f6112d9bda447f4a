"""The control API does what its document says: schemathesis tries it with whatever the document allows, and more."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_schema_conformance,
    status_code_conformance,
)
from tests.support.background import Place, served_in_background
from tests.support.control import MODULE

from guesthouse.api.control.openapi import describe
from guesthouse.api.control.routes import OPERATIONS, PREFIX

AnyCase = Case[Any]
DOCUMENT = json.loads(describe(OPERATIONS, PREFIX))
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    ignored_auth,
]


@schemathesis.serializer("application/wasm")
def write_module(_context: schemathesis.SerializationContext, value: object) -> bytes:
    """Write whatever was made up behind the header of a module."""
    return MODULE + repr(value).encode()


@pytest.fixture(scope="module")
def place(storage: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Serve an API for all of this module's requests."""
    folder = shutil.copytree(storage, tmp_path_factory.mktemp("openapi") / "data")
    with served_in_background(folder) as place:
        yield place


@SCHEMA.parametrize()
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_operation_keeps_its_word(case: AnyCase, place: Place) -> None:
    """No 5xx, only documented statuses, media types and shapes, and nothing without a token."""
    url, headers = place
    response = case.call(base_url=url, headers=headers)
    case.validate_response(response, checks=CHECKS, headers=headers)


def test_the_document_is_served(place: Place) -> None:
    """To anybody, as it was tested."""
    url, _ = place
    response = httpx.get(f"{url}{PREFIX}/openapi.json")
    assert response.json() == DOCUMENT


def test_every_operation_is_described() -> None:
    """By a sentence, under a name of its own."""
    told = [operation for path in DOCUMENT["paths"].values() for operation in path.values()]
    assert len({operation["operationId"] for operation in told}) == len(told) == len(OPERATIONS)
    assert all(operation["description"].endswith(".") for operation in told)
