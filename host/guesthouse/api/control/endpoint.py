"""From HTTP to an operation's handler and back: authenticate, decode, call, encode; one handler for all errors."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from msgspec import ValidationError, json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from guesthouse.api.bodies import Gone, read_body
from guesthouse.api.control.operation import Answer, Call, Media, Nothing, Operation, Services
from guesthouse.api.credentials import bearer_token
from guesthouse.api.problems import (
    LOG,
    MEDIA_TYPE,
    Problem,
    encode_problem,
    headers_of,
    make_problem,
    problem_of,
    tell_error,
)
from guesthouse.clock import Clock
from guesthouse.errors import Forbidden, InvalidInput, Malformed, TooLarge, TooSlow, Unauthenticated, WrongMedia
from guesthouse.logs import tell
from guesthouse.model.normalise_json import Unfit, check_depth
from guesthouse.model.registry import Role, Token

MAX_JSON_BYTES: Final = 1 << 20
MAX_MODULE_BYTES: Final = 32 << 20
JSON_SECONDS: Final = 30.0
MODULE_SECONDS: Final = 300.0
MAX_PARAMETER: Final = 1_024
"""Characters of one part of a path or query."""
_NO_CONTENT: Final = 204


Endpoint = Callable[[Request], Awaitable[Response]]


def make_endpoint(operation: Operation, services: Services, clock: Clock) -> Endpoint:
    """Make the endpoint of an operation."""

    async def endpoint(request: Request) -> Response:
        try:
            token = await _authenticate(request, services, operation)
            call = await _read_call(request, token, services, operation)
            given = await operation.handler(call)
        except Gone:
            tell(LOG, logging.INFO, "request.abandoned", path=request.url.path)
            return Response(status_code=499)
        except Exception as error:  # noqa: BLE001 - the tree's base and bugs: all are answered, bugs with 500
            return _refuse(error, request, clock)
        if operation.method != "GET":
            facts: dict[str, Any] = {"tenant": token.tenant_id, "token": token.id, **call.path}
            tell(LOG, logging.INFO, "control.changed", operation=operation.summary, **facts)
        return _encode(given, operation.status)

    return endpoint


async def _authenticate(request: Request, services: Services, operation: Operation) -> Token:
    text = bearer_token(request.headers.get("authorization", "").encode("latin-1"))
    token = await services.registry.authenticate(text) if text else None
    if token is None:
        raise Unauthenticated("token")
    if operation.is_for_admins and token.role is not Role.ADMIN:
        raise Forbidden(token.role)
    return token


async def _read_call(request: Request, token: Token, services: Services, operation: Operation) -> Call:
    return Call(
        token=token,
        services=services,
        path={name: _check_parameter(name, value) for name, value in request.path_params.items()},
        query=_read_query(request, operation),
        body=await _read_body(request, operation),
        base_url=f"{request.url.scheme}://{request.url.netloc}",
    )


def _check_parameter(name: str, value: str) -> str:
    if len(value) > MAX_PARAMETER or "\x00" in value:
        raise InvalidInput((f"{name} must have at most {MAX_PARAMETER:,} characters, and no NUL among them",))
    return value


def _read_query(request: Request, operation: Operation) -> object:
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in given:
            raise InvalidInput((f"the parameter {name!r:.100} comes twice",))
        given[name] = _check_parameter(name, value)
    try:
        return msgspec.convert(given, operation.query, strict=False)
    except ValidationError as error:
        raise InvalidInput((f"the query: {error}",)) from None


async def _read_body(request: Request, operation: Operation) -> object:
    if operation.media is Media.NONE:
        return Nothing()
    is_json = operation.media is Media.JSON
    media = request.headers.get("content-type", operation.media).partition(";")[0].strip().lower()
    if media != operation.media:
        raise WrongMedia(operation.media, media)
    limit, seconds = (MAX_JSON_BYTES, JSON_SECONDS) if is_json else (MAX_MODULE_BYTES, MODULE_SECONDS)
    data = await read_body(request.scope, request.receive, "the body", limit=limit, seconds=seconds)
    return _decode(data, operation.body) if is_json else data


def _decode(data: bytes, type_: Any) -> object:  # noqa: ANN401 - whatever msgspec takes for a type
    try:
        check_depth(json.decode(data))
        return json.decode(data, type=type_)
    except ValidationError as error:
        raise InvalidInput((f"the body: {error}",)) from None
    except Unfit as unfit:
        raise InvalidInput((f"the body: {unfit}",)) from None
    except UnicodeDecodeError:
        raise Malformed("the body is not UTF-8") from None
    except msgspec.DecodeError as error:
        raise Malformed(f"the body is not JSON: {error}") from None
    except RecursionError:
        raise Malformed("the body is nested too deep") from None


def _encode(given: object, status: int) -> Response:
    if isinstance(given, Answer):
        status, given = given.status, given.value
    if status == _NO_CONTENT:
        return Response(status_code=status)
    return Response(json.encode(given, enc_hook=str), status, {"Cache-Control": "no-store"}, "application/json")


def _refuse(error: Exception, request: Request, clock: Clock) -> Response:
    tell_error(error, "control.refused", method=request.method, path=request.url.path, client=_client(request))
    headers = {name.decode(): value.decode() for name, value in headers_of(error, clock.now_ms())}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, TooLarge | TooSlow):
        headers["Connection"] = "close"
    return _respond(problem_of(error), headers)


def _respond(problem: Problem, headers: dict[str, str]) -> Response:
    headers["Cache-Control"] = "no-store"
    return Response(encode_problem(problem), problem.status, headers, MEDIA_TYPE.decode())


async def refuse_route(request: Request, error: Exception) -> Response:
    """Answer what no route takes, as starlette's exception handler."""
    if not isinstance(error, HTTPException):
        raise error
    code = error.detail.lower().replace(" ", "_")
    problem = make_problem(error.status_code, code, f"{request.method} of this path is not something that is done here")
    facts: dict[str, Any] = {"method": request.method, "path": request.url.path, "client": _client(request)}
    tell(LOG, logging.INFO, "request.refused", status=problem.status, code=code, **facts)
    return _respond(problem, dict(error.headers or {}))


def _client(request: Request) -> str | None:
    return request.client.host if request.client else None
