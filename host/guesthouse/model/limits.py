"""The bounds of one invocation; tenants may lower or raise them up to the operator's ceilings."""

from dataclasses import dataclass, fields

MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one invocation may use. Every value is positive; zero or less is a ``ValueError``."""

    fuel: int = 100_000_000
    """Instruction budget; host calls charge it too."""
    memory_bytes: int = 64 * MIB
    table_elements: int = 65_536
    deadline_ms: int = 5_000
    log_bytes: int = 64 * 1024
    log_lines: int = 500
    reply_bytes: int = 1 * MIB
    open_handles: int = 64
    """Host operations (requests, timers, signatures) that may be open at once."""
    http_calls: int = 20
    http_concurrent: int = 8
    http_request_bytes: int = 1 * MIB
    http_response_bytes: int = 4 * MIB
    """Bound of one response body, after decompression."""
    http_timeout_ms: int = 10_000
    """Bound of one call, redirects included; the deadline bounds it as well."""
    http_redirects: int = 5

    def __post_init__(self) -> None:
        """Refuse what is not a positive whole number."""
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
                raise ValueError(f"{field.name} must be a positive whole number, not {value!r}")


DEFAULT_LIMITS = Limits()
