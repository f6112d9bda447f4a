"""Errors as answers."""

import json

import pytest

from guesthouse import errors
from guesthouse.api.problems import encode_problem, headers_of, problem_of
from guesthouse.errors import (
    EngineClosed,
    GuesthouseError,
    InvalidInput,
    NotFound,
    RejectedModule,
    StorageFault,
    TenantFull,
)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NotFound("source", "x"), 404, "not_found"),
        (InvalidInput(("a", "b")), 422, "invalid_input"),
        (TenantFull("t", 5, 2.0), 429, "tenant_full"),
        (RejectedModule("bad"), 422, "rejected_module"),
        (StorageFault("full"), 503, "storage_fault"),
        (EngineClosed(), 503, "engine_closed"),
        (KeyError("secret"), 500, "internal_error"),
    ],
)
def test_the_tree_decides_the_status(error: Exception, status: int, code: str) -> None:
    """Callers' errors by their own status, functions' 422, operators' 503, bugs 500."""
    problem = problem_of(error)
    assert (problem.status, problem.code, problem.type) == (status, code, f"urn:guesthouse:{code}")


def test_a_bug_keeps_its_words() -> None:
    """They may hold anything."""
    assert "secret" not in problem_of(KeyError("secret")).detail


def test_each_problem_is_told() -> None:
    """As members of the answer's body."""
    told = json.loads(encode_problem(problem_of(InvalidInput(("a is missing", "b is not a number")))))
    assert told["problems"] == ["a is missing", "b is not a number"]
    assert told["title"] == "Invalid input"


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (TenantFull("t", 5, 0.0), {b"retry-after": b"1", b"x-ratelimit-reset": b"11"}),
        (TenantFull("t", 5, 7.5), {b"retry-after": b"8", b"x-ratelimit-reset": b"18"}),
        (StorageFault("full"), {b"retry-after": b"1"}),
        (NotFound("source", "x"), {}),
        (KeyError("x"), {}),
    ],
)
def test_when_to_come_back(error: Exception, headers: dict[bytes, bytes]) -> None:
    """Rounded up, never at once."""
    assert dict(headers_of(error, 10_999)) == headers


def test_every_status_of_a_callers_error_is_one_of_a_caller() -> None:
    """4xx, all of them, and each code is used once."""
    found = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, GuesthouseError)]
    assert all(400 <= one.status < 500 for one in found if issubclass(one, errors.CallerError))
    codes = [one.code for one in found if "code" in vars(one)]
    assert len(codes) == len(set(codes))
