"""Every decoder of the contract by the name of its message, and values as a guest would have written them."""

from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from enum import StrEnum
from typing import Any, Final

import msgspec

from guesthouse.abi import description, reply, requests

Decoder = Callable[[bytes], object]

DECODERS: Final[dict[str, Decoder]] = {
    "reply": reply.decode_reply,
    "description": description.decode_description,
    "http_send": requests.decode_http_request,
    "hmac_sign": requests.decode_hmac_sign,
    "hmac_verify": requests.decode_hmac_verify,
    "cache_get": requests.decode_cache_get,
    "cache_set": requests.decode_cache_set,
    "cache_delete": requests.decode_cache_delete,
}


def written(value: object) -> Any:  # noqa: ANN401 - whatever MessagePack can hold
    """Turn a decoded value back into what was sent: maps, lists, text."""
    match value:
        case StrEnum():
            return value.value
        case dict():
            return {key: written(item) for key, item in value.items()}
        case list() | tuple():
            return [written(item) for item in value]
        case msgspec.Struct():
            return _pairs(value, value.__struct_fields__)
    if is_dataclass(value):
        return _pairs(value, (field.name for field in fields(value)))
    return value


def _pairs(value: object, names: Iterable[str]) -> dict[str, Any]:
    return {name: written(getattr(value, name)) for name in names}


def arrived(sent: object, told: object) -> bool:
    """Say whether everything that was sent, but nil, is in what was made of it."""
    if isinstance(sent, dict) and isinstance(told, dict):
        return all(value is None or arrived(value, told.get(key)) for key, value in sent.items())
    if isinstance(sent, list) and isinstance(told, list):
        return len(sent) == len(told) and all(map(arrived, sent, told))
    return type(sent) is type(told) and sent == told
