"""Guesthouse: a host for WebAssembly functions that carry customer events in from any webhook and out to any API.

The names below are the Python API; they load on first use, so that importing a low layer never imports a high one.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guesthouse.config import EngineConfig
    from guesthouse.model.capability import Capabilities, Grant
    from guesthouse.model.limits import Limits
    from guesthouse.model.report import Report
    from guesthouse.model.verdict import Verdict
    from guesthouse.runtime.engine import Engine
    from guesthouse.runtime.modules import Module

__all__ = ["Capabilities", "Engine", "EngineConfig", "Grant", "Limits", "Module", "Report", "Verdict"]

_HOMES = {
    "Capabilities": "guesthouse.model.capability",
    "Engine": "guesthouse.runtime.engine",
    "EngineConfig": "guesthouse.config",
    "Grant": "guesthouse.model.capability",
    "Limits": "guesthouse.model.limits",
    "Module": "guesthouse.runtime.modules",
    "Report": "guesthouse.model.report",
    "Verdict": "guesthouse.model.verdict",
}


def __getattr__(name: str) -> object:
    """Load a public name from its home on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
