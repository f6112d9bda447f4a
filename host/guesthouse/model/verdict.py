"""What a guest says at the end of an invocation."""

from enum import StrEnum


class Verdict(StrEnum):
    """The guest's own word on its work (DESIGN section 1); the host makes outcomes of it."""

    DONE = "done"
    RETRY = "retry"
    FAIL = "fail"
    DROP = "drop"
    UNSUPPORTED = "unsupported"
