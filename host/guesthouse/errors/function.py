"""Errors of a function: recorded on the attempt, for its author."""

from dataclasses import dataclass

from guesthouse.errors.base import GuesthouseError


@dataclass(frozen=True, slots=True)
class Frame:
    """One line of a guest's backtrace, innermost first."""

    function: str
    """The name from the module's name section, or ``function 17`` where it has none."""
    offset: int | None
    """Byte offset in the uploaded or snapshotted module, for tools such as addr2line; None where unknown."""


class FunctionError(GuesthouseError):
    """The function is at fault; its author can mend it."""

    backtrace: tuple[Frame, ...] = ()


class RejectedModule(FunctionError):
    """The module can't become a version; refused at upload."""

    code = "rejected_module"

    def __init__(self, fault: str, problems: tuple[str, ...] = ()) -> None:
        """Say what is wrong with the module; *problems* are its parts, where there are several."""
        super().__init__(fault)
        self.fault = fault
        self.problems = problems or (fault,)


class BrokenContract(FunctionError):
    """The guest spoke outside the contract; the message names the fault."""

    code = "broken_contract"

    def __init__(self, fault: str) -> None:
        """Say what the guest did."""
        super().__init__(fault)
        self.fault = fault


class Trapped(FunctionError):
    """The engine stopped the guest."""

    code = "trapped"

    def __init__(self, reason: str, message: str) -> None:
        """Take a stable *reason* (``unreachable``, ``stack_overflow``, ``exit`` ...) and a sentence for the author."""
        super().__init__(message)
        self.reason = reason


class FuelExhausted(FunctionError):
    """The instruction budget ran out; the same work would run out again."""

    code = "fuel_exhausted"

    def __init__(self, limit: int) -> None:
        """Take the budget that ran out."""
        super().__init__(f"the guest used up its {limit:,} units of fuel")
        self.limit = limit


class MemoryExhausted(FunctionError):
    """The guest wanted more memory than its limit."""

    code = "memory_exhausted"

    def __init__(self, limit_bytes: int, used_bytes: int) -> None:
        """Take the limit and what the guest held (or its module demanded at the start)."""
        super().__init__(f"the guest held {used_bytes:,} of {limit_bytes:,} bytes of memory and wanted more")
        self.limit_bytes = limit_bytes
        self.used_bytes = used_bytes


class DeadlineExceeded(FunctionError):
    """The wall clock ran out; what the guest waited for may be quicker next time."""

    code = "deadline_exceeded"
    retryable = True

    def __init__(self, limit_ms: int) -> None:
        """Take the deadline that passed."""
        super().__init__(f"the guest was not done after {limit_ms:,} ms")
        self.limit_ms = limit_ms


class OutputTooLarge(FunctionError):
    """The guest's reply is larger than its limit."""

    code = "output_too_large"

    def __init__(self, what: str, size_bytes: int, limit_bytes: int) -> None:
        """Take what was too large, its size and the limit."""
        super().__init__(f"{what} is {size_bytes:,} bytes; {limit_bytes:,} are allowed")
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class TooManyCalls(FunctionError):
    """The guest goes on starting host operations after having been told that it may not."""

    code = "too_many_calls"

    def __init__(self, limit: int) -> None:
        """Take the number of refused calls that ended the guest."""
        super().__init__(f"the guest went on after {limit:,} calls had been refused for being too many")
        self.limit = limit


class CapabilityDenied(FunctionError):
    """The guest goes on asking for what was denied."""

    code = "capability_denied"

    def __init__(self, limit: int) -> None:
        """Take the number of denials that ended the guest."""
        super().__init__(f"the guest went on after {limit:,} of its requests had been denied")
        self.limit = limit
