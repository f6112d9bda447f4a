"""Outgoing HTTP for guests: nothing is reachable unless granted, everything is bounded and recorded."""

from guesthouse.runtime.outbound.borrower import Borrower
from guesthouse.runtime.outbound.client import Outbound
from guesthouse.runtime.outbound.failures import RefusedError

__all__ = ["Borrower", "Outbound", "RefusedError"]
