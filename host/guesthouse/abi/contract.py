"""The contract's names, numbers and bounds, version 1; ``guest-sdks/ABI.md`` tells them to authors of SDKs."""

from types import MappingProxyType
from typing import Final, Literal, get_args

ABI_VERSION: Final = 1
IMPORT_MODULE: Final = "guesthouse_v1"
"""The version is in the name, so that a mismatch fails at link time, by name."""

Signature = tuple[tuple[str, ...], tuple[str, ...]]
"""Parameters and results of a function, each ``i32`` or ``i64``."""

MEMORY: Final = "memory"
ALLOC: Final = "guesthouse_alloc"
CALL: Final = "guesthouse_call"
DESCRIBE: Final = "guesthouse_describe"
INITIALIZE: Final = "_initialize"

EXPORTS: Final = MappingProxyType[str, Signature](
    {
        ALLOC: (("i32",), ("i32",)),
        CALL: (("i32", "i32"), ("i64",)),
        DESCRIBE: ((), ("i64",)),
    },
)
"""Functions that every guest exports, beside its memory."""

OPTIONAL_EXPORTS: Final = MappingProxyType[str, Signature]({INITIALIZE: ((), ())})

IMPORTS: Final = MappingProxyType[str, Signature](
    {
        "log": (("i32", "i32", "i32"), ()),
        "http_send": (("i32", "i32"), ("i32",)),
        "sleep": (("i32",), ("i32",)),
        "wait": (("i32", "i32"), ("i32",)),
        "result_size": (("i32",), ("i32",)),
        "result_read": (("i32", "i32"), ("i32",)),
        "now": ((), ("i64",)),
        "random": (("i32", "i32"), ()),
        "digest": (("i32", "i32", "i32", "i32"), ("i32",)),
        "hmac_sign": (("i32", "i32"), ("i32",)),
        "hmac_verify": (("i32", "i32"), ("i32",)),
        "cache_get": (("i32", "i32"), ("i32",)),
        "cache_set": (("i32", "i32"), ("i32",)),
        "cache_delete": (("i32", "i32"), ("i32",)),
    },
)
"""What the host offers, in the order of the contract."""

TOO_MANY_HANDLES: Final = -1
"""No handle is free: wait for one, read it, try again."""
NOT_READY: Final = -1
"""``result_size`` and ``result_read`` of a handle that is not ready yet."""
UNKNOWN_ALGORITHM: Final = -1
"""``digest`` by a number that is not in `DIGEST_ALGORITHMS`."""

DIGEST_ALGORITHMS: Final = MappingProxyType(
    {1: "md5", 2: "sha1", 3: "sha224", 4: "sha256", 5: "sha384", 6: "sha512"},
)
"""Numbers of ``digest`` to names of hashlib."""
HMAC_ALGORITHMS: Final = frozenset(DIGEST_ALGORITHMS.values())

Handler = Literal[
    "onTrack",
    "onIdentify",
    "onPage",
    "onScreen",
    "onGroup",
    "onAlias",
    "onDelete",
    "onSet",
    "onBatch",
    "onRequest",
]
Kind = Literal["source", "destination", "insert"]
SettingType = Literal["string", "boolean", "number", "array", "map"]

HANDLERS: Final[tuple[str, ...]] = get_args(Handler)
KINDS: Final[tuple[str, ...]] = get_args(Kind)
SETTING_TYPES: Final[tuple[str, ...]] = get_args(SettingType)

DIGEST_MAX_BYTES: Final = 1 << 20
RANDOM_MAX_BYTES: Final = 64 << 10
WAIT_MAX_HANDLES: Final = 1_024
REQUEST_MAX_BYTES: Final = 1 << 20
"""One message to ``hmac_*`` and ``cache_*``."""
HTTP_HEAD_MAX_BYTES: Final = 64 << 10
"""What a message to ``http_send`` may hold besides the body: it may have ``Limits.http_request_bytes`` more."""

MAX_DEPTH: Final = 64
"""Containers inside one another, the message itself included."""
MAX_REPLY_VALUES: Final = 80_000
"""Values in one reply, keys included, containers counted twice: it bounds time and memory where bytes alone don't."""
MAX_DESCRIPTION_VALUES: Final = 16_384
MAX_REQUEST_VALUES: Final = 4_096

MAX_RESULTS: Final = 2_500
MAX_EVENTS: Final = 2_500
MAX_EVENT_BYTES: Final = 32 << 10
MAX_MESSAGE_BYTES: Final = 4 << 10
"""A verdict's message; what is longer is cut."""
MAX_CODE_LENGTH: Final = 64
MAX_MILLISECONDS: Final = 1 << 53
"""The largest whole number that every language's number can hold."""
MAX_HEADERS: Final = 256
MAX_SETTINGS: Final = 256
MAX_NAME_LENGTH: Final = 256
"""Characters in names: of settings, sdk and language."""
MAX_TEXT_LENGTH: Final = 4_096
"""Characters in a setting's label and description."""
