"""What guests may call: contract v1 and a small part of WASI preview 1."""

from guesthouse.runtime.imports import contract, wasi
from guesthouse.runtime.imports.trampolines import Imports

FUNCTIONS = (*contract.FUNCTIONS, *wasi.FUNCTIONS)

__all__ = ["FUNCTIONS", "Imports"]
