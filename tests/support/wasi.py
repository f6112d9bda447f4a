"""Imports of WASI preview 1 for guests that are WAT text."""

from guesthouse.runtime.wasm.wasi_signatures import WASI_MODULE, WASI_SIGNATURES


def wasi(*names: str) -> str:
    """Write import lines, each function bound to its name as in ``$fd_write``."""
    return "\n".join(map(_import_line, names))


def _import_line(name: str) -> str:
    parameters, results = WASI_SIGNATURES[name]
    types = "".join(f" (param {kind})" for kind in parameters) + "".join(f" (result {kind})" for kind in results)
    return f'(import "{WASI_MODULE}" "{name}" (func ${name}{types}))'
