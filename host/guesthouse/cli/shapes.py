"""What ``--json`` prints: a stable shape, told in the README. Keys are added over time; none changes or goes.

Output is ASCII: whatever a terminal or a log might stumble over is escaped.
"""

from base64 import b64encode
from typing import Any

from msgspec import to_builtins

from guesthouse.cli.findings import Findings, InstanceCost
from guesthouse.cli.text import text_of
from guesthouse.cli.trial import Trial
from guesthouse.errors import FunctionError, RejectedModule
from guesthouse.model.limits import Limits
from guesthouse.model.reply import ItemResult, Reply, WebhookResponse
from guesthouse.model.report import HttpExchange

Shape = dict[str, Any]


def _measured(value: object) -> Shape:
    """Give the fields of what was measured, rounded: nobody reads the nanoseconds."""
    fields: Shape = to_builtins(value)
    return {key: round(item, 3) if isinstance(item, float) else item for key, item in fields.items()}


def rejection_shape(name: str, error: RejectedModule) -> Shape:
    """Shape of ``check`` for a rejected module."""
    return {"file": name, "accepted": False, "problems": list(error.problems)}


def findings_shape(name: str, findings: Findings) -> Shape:
    """Shape of ``check`` for an accepted module."""
    facts = findings.facts
    is_snapshotted = findings.initialises and findings.why_not_snapshotted is None
    return {
        "file": name,
        "accepted": True,
        "problems": [],
        "digest": findings.digest,
        "size_bytes": facts.size_bytes,
        "functions": facts.functions,
        "description": to_builtins(findings.description),
        "imports": [{"module": module, "name": item} for module, item in facts.imports],
        "exports": list(facts.exports),
        "producers": [item._asdict() for item in facts.producers],
        "memory": {"min_pages": facts.memory_min_pages, "max_pages": facts.memory_max_pages},
        "table": {"min": facts.table_min, "max": facts.table_max},
        "snapshot": {
            "needed": findings.initialises,
            "made": is_snapshotted,
            "why_not": findings.why_not_snapshotted,
        },
        "instantiation": _cost_shape(findings.cost),
    }


def _cost_shape(cost: InstanceCost | FunctionError) -> Shape:
    if isinstance(cost, FunctionError):
        return {"instances": 0, "median_us": None, "fastest_us": None, "error": error_shape(cost)}
    return {**_measured(cost), "error": None}


def trial_shape(name: str, trial: Trial) -> Shape:
    """Shape of ``run``."""
    report = trial.report
    return {
        "file": name,
        "digest": trial.digest,
        "handler": trial.handler,
        **_reply_shape(report.reply),
        "error": error_shape(report.error) if report.error else None,
        "logs": [
            {"level": line.level.name.lower(), "message": line.message, "at_ms": line.at_ms} for line in report.logs
        ],
        "http": [_exchange_shape(exchange) for exchange in report.http],
        "usage": _measured(report.usage),
        "limits": _limits_shape(trial.limits),
        "notes": list(trial.notes),
    }


def _limits_shape(limits: Limits) -> Shape:
    return {"fuel": limits.fuel, "memory_bytes": limits.memory_bytes, "deadline_ms": limits.deadline_ms}


def _reply_shape(reply: Reply | None) -> Shape:
    if reply is None:
        return {**dict.fromkeys(_REPLY_KEYS), "events": []}
    results = reply.results
    return {
        **_judgement_shape(reply),
        "results": None if results is None else [_judgement_shape(item) for item in results],
        "events": list(reply.events),
        "response": _response_shape(reply.response) if reply.response else None,
        "event": reply.event,
    }


def _judgement_shape(judged: Reply | ItemResult) -> Shape:
    return {
        "verdict": judged.verdict.value,
        "message": judged.message,
        "code": judged.code,
        "retry_after_ms": judged.retry_after_ms,
    }


_REPLY_KEYS = ("verdict", "message", "code", "retry_after_ms", "results", "events", "response", "event")


def error_shape(error: FunctionError) -> Shape:
    """Shape of an error wherever one stands."""
    return {
        "code": error.code,
        "reason": getattr(error, "reason", None),
        "message": str(error),
        "retryable": error.retryable,
        "problems": list(error.problems) if isinstance(error, RejectedModule) else [],
        "backtrace": [{"function": frame.function, "offset": frame.offset} for frame in error.backtrace],
    }


def _exchange_shape(exchange: HttpExchange) -> Shape:
    return {
        "method": exchange.method,
        "url": exchange.url,
        "started_ms": exchange.started_ms,
        "duration_ms": exchange.duration_ms,
        "request": {
            "headers": exchange.request_headers,
            "body": _body_shape(exchange.request_body, exchange.request_bytes),
        },
        "status": exchange.status,
        "response": None
        if exchange.status is None
        else {
            "headers": exchange.response_headers,
            "body": _body_shape(exchange.response_body, exchange.response_bytes),
        },
        "error": {"code": exchange.error, "message": exchange.error_message} if exchange.error else None,
    }


def _response_shape(response: WebhookResponse) -> Shape:
    body = _body_shape(response.body, len(response.body))
    return {"status": response.status, "headers": response.headers, "body": body}


def _body_shape(kept: bytes, size_bytes: int) -> Shape:
    """Give the kept beginning of a body as text, or as base64 where it isn't UTF-8."""
    text = text_of(kept, size_bytes)
    if text is None:
        return {"bytes": size_bytes, "base64": b64encode(kept).decode()}
    return {"bytes": size_bytes, "text": text}
