"""The OpenAPI 3.1 document, made from the table of operations and the types that they take and give."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec import json

from guesthouse.api.control.operation import Media, Nothing, Operation
from guesthouse.api.problems import Problem

_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_ALWAYS: Final = (401, 422, 500, 503)
_WITH_BODY: Final = (400, 408, 413, 415)
_WORDS: Final = {
    200: "Done",
    201: "Made",
    204: "Done",
    400: "It can't be read",
    401: "The token is missing or wrong",
    403: "The token may only read",
    404: "There is no such thing",
    408: "It took too long to arrive",
    409: "It doesn't go with what there is",
    413: "It is too large",
    415: "It is of another type",
    422: "Something in it is wrong",
    429: "The tenant's queue is full",
    500: "A bug, which is logged",
    503: "The host can't, for now",
}
_NO_CONTENT: Final = 204
_FIRST_REFUSAL: Final = 400


def describe(operations: Sequence[Operation], prefix: str) -> bytes:
    """Write the document."""
    types = _types(operations)
    schemas, components = json.schema_components(types, ref_template="#/components/schemas/{name}")
    components = _simplify(components)
    known = dict(zip(map(_key, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        told = _describe(operation, known, components)
        paths.setdefault(prefix + operation.path, {})[operation.method.lower()] = told
    return json.encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "Guesthouse control API", "version": "1"},
            "security": [{"bearer": []}],
            "paths": paths,
            "components": {
                "schemas": components,
                "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            },
        }
    )


def _types(operations: Iterable[Operation]) -> list[Any]:
    """Give each type once."""
    types: dict[str, Any] = {_key(Problem): Problem}
    for operation in operations:
        for type_ in (operation.query, operation.body, operation.gives):
            types.setdefault(_key(type_), type_)
    return list(types.values())


def _simplify(schema: Any) -> Any:  # noqa: ANN401 - a schema or a part of one
    """Write tuples of one type as arrays of a fixed length: few tools understand ``prefixItems``."""
    if isinstance(schema, list):
        return [_simplify(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    parts = schema.get("prefixItems", [])
    if parts and all(part == parts[0] for part in parts):
        schema = {name: value for name, value in schema.items() if name != "prefixItems"} | {"items": parts[0]}
    return {name: _simplify(part) for name, part in schema.items()}


def _key(type_: object) -> str:
    return repr(type_)


def _describe(operation: Operation, known: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": operation.handler.__name__,
        "summary": operation.summary,
        "description": operation.handler.__doc__,
        "parameters": [*_path_parameters(operation), *_query_parameters(operation, known, components)],
        "responses": _responses(operation, known),
    }
    if operation.media is Media.JSON:
        told["requestBody"] = _content(Media.JSON, known[_key(operation.body)]) | {"required": True}
    elif operation.media is Media.WASM:
        told["requestBody"] = _content(Media.WASM, {}) | {"required": True}
    return told


def _path_parameters(operation: Operation) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in _PARAMETER.findall(operation.path)
    ]


def _query_parameters(operation: Operation, known: dict[str, Any], components: dict[str, Any]) -> list[dict[str, Any]]:
    if operation.query is Nothing:
        return []
    reference = known[_key(operation.query)]["$ref"]
    schema = components[reference.rpartition("/")[2]]
    required = schema.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _without_null(property_)}
        for name, property_ in schema["properties"].items()
    ]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Leave null out of a parameter's types: a query can't say it."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    rest = {name: value for name, value in schema.items() if name not in ("anyOf", "default") or value is not None}
    if not choices:
        return rest
    rest.pop("anyOf")
    return {**rest, **choices[0]} if len(choices) == 1 else {**rest, "anyOf": choices}


def _responses(operation: Operation, known: dict[str, Any]) -> dict[str, Any]:
    statuses = {operation.status, *operation.errors, *_ALWAYS}
    if operation.media is not Media.NONE:
        statuses.update(_WITH_BODY)
    if operation.is_for_admins:
        statuses.add(403)
    return {str(status): _response(status, operation, known) for status in sorted(statuses)}


def _response(status: int, operation: Operation, known: dict[str, Any]) -> dict[str, Any]:
    said = {"description": _WORDS[status]}
    if status == _NO_CONTENT:
        return said
    if status < _FIRST_REFUSAL:
        return said | _content(Media.JSON, known[_key(operation.gives)])
    return said | _content("application/problem+json", known[_key(Problem)])


def _content(media: str, schema: object) -> dict[str, Any]:
    return {"content": {str(media): {"schema": schema}}}
