"""Errors of the host: the work is kept, and its operator can mend them."""

from guesthouse.errors.base import GuesthouseError


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


class StorageFault(OperatorError):
    """A database or a file can't be used right now; nothing was changed."""

    code = "storage_fault"

    def __init__(self, fault: str, *, reason: str = "unavailable", is_uncertain: bool = False) -> None:
        """Say what is wrong, in terms of what the operator can mend; *reason* is stable: ``full``, ``corrupt`` ...

        *is_uncertain*: the fault struck in the act of committing, so the change may have been made after all.
        """
        super().__init__(fault)
        self.fault = fault
        self.reason = reason
        self.is_uncertain = is_uncertain


class UnreadableSecret(OperatorError):
    """A secret was encrypted with a key that this host lacks, or was tampered with."""

    code = "unreadable_secret"

    def __init__(self, name: str, key_id: str) -> None:
        """Take the secret's name and the id of the key that it wants."""
        super().__init__(f"the secret {name!r:.120} can't be decrypted; it wants the key {key_id!r:.20}")
        self.key_id = key_id


class MissingModule(OperatorError):
    """The file of a version is gone or isn't what was uploaded."""

    code = "missing_module"

    def __init__(self, digest: str) -> None:
        """Take the version's digest."""
        super().__init__(f"the module {digest:.64} is missing from the data directory, or damaged")
        self.digest = digest
