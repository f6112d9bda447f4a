"""The error tree, cut by who can mend it.

::

    GuesthouseError
    |- CallerError            whoever sent the request: answered 4xx
    |- FunctionError          the function's author: recorded on the attempt
    |  |- RejectedModule      refused at upload
    |  |- BrokenContract      the guest spoke outside the contract (ABI v1)
    |  |- Trapped             the engine stopped the guest
    |  |- FuelExhausted
    |  |- MemoryExhausted
    |  |- DeadlineExceeded    the only one that may succeed when repeated unchanged
    |  |- OutputTooLarge
    |  |- TooManyCalls
    |  `- CapabilityDenied    a guest that goes on ignoring refusals
    `- OperatorError          whoever runs the host: the work is kept
       |- UnfitEngine         the wasmtime library isn't one that we know
       |- NoSlot              every instance slot is taken
       `- EngineClosed

Each class has a stable ``code``, says whether the same work may succeed later, takes facts and writes its own message.
A bug in Guesthouse is none of these.
"""

from dataclasses import dataclass
from typing import ClassVar


class GuesthouseError(Exception):
    """Whatever Guesthouse itself reports."""

    code: ClassVar[str]
    retryable: ClassVar[bool] = False


class CallerError(GuesthouseError):
    """The request is at fault; whoever sent it can mend it."""

    code = "bad_request"


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


class OperatorError(GuesthouseError):
    """The host is at fault; its operator can mend it, and the work is kept."""

    retryable = True


class UnfitEngine(OperatorError):
    """The wasmtime library isn't one that this version of Guesthouse knows."""

    code = "unfit_engine"
    retryable = False


class NoSlot(OperatorError):
    """Every instance slot is taken; retry when one is free."""

    code = "no_slot"

    def __init__(self, slots: int) -> None:
        """Take the number of slots, all of them in use."""
        super().__init__(f"all {slots:,} instance slots are in use")
        self.slots = slots


class EngineClosed(OperatorError):
    """The engine is closed or closing; another host may take the work."""

    code = "engine_closed"

    def __init__(self) -> None:
        """Write the message."""
        super().__init__("the engine is closed")
