"""What one invocation did, as the attempt's record keeps it."""

from enum import IntEnum

from msgspec import Struct

from guesthouse.errors import FunctionError
from guesthouse.model.reply import Reply
from guesthouse.model.verdict import Verdict

Headers = tuple[tuple[str, str], ...]


class LogLevel(IntEnum):
    """Levels of the contract's ``log`` import."""

    DEBUG = 0
    INFO = 1
    WARN = 2
    ERROR = 3


class LogLine(Struct, frozen=True):
    """One line that the guest logged, secrets masked."""

    level: LogLevel
    message: str
    at_ms: int
    """Milliseconds since the invocation began."""


class HttpExchange(Struct, kw_only=True):
    """One request of the guest and what came of it; a redirect's hops are exchanges of their own."""

    method: str
    url: str
    request_headers: Headers
    """As the guest wrote them: references to secrets before replacement."""
    request_body: bytes
    """Cut at 16 KiB; see ``request_bytes``."""
    request_bytes: int
    started_ms: int
    """Milliseconds since the invocation began."""
    duration_ms: int = 0
    status: int | None = None
    """None where no response came; ``error`` says why."""
    response_headers: Headers = ()
    response_body: bytes = b""
    """Decompressed, secrets masked, cut at 16 KiB; see ``response_bytes``."""
    response_bytes: int = 0
    error: str | None = None
    """The stable code of a refusal or failure, such as ``denied_host``."""
    error_message: str | None = None


class Usage(Struct, frozen=True, kw_only=True):
    """What the invocation cost."""

    fuel: int
    """Exact where the guest ended by itself; at least this much where it was stopped while it computed."""
    peak_memory_bytes: int
    duration_ms: float
    cpu_ms: float
    """Time in which the guest ran, host calls included."""
    http_calls: int = 0
    log_lines_dropped: int = 0


class Report(Struct, frozen=True, kw_only=True):
    """Everything about one invocation: exactly one of ``reply`` and ``error`` is set."""

    reply: Reply | None
    error: FunctionError | None
    logs: tuple[LogLine, ...] = ()
    http: tuple[HttpExchange, ...] = ()
    usage: Usage

    @property
    def verdict(self) -> Verdict | None:
        """The guest's verdict; None where it gave none because it broke."""
        return self.reply.verdict if self.reply else None
