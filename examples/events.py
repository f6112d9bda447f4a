#!/usr/bin/env python3
"""Sends the events of ``make run``: by Segment's own library for Python, unmodified, or over plain HTTP without it.

python examples/events.py http://127.0.0.1:8080 WRITE_KEY
"""

import importlib.util
import sys
import uuid
from typing import Any

import httpx

EVENTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Product Viewed", {"product": "teapot"}),
    ("Order Completed", {"order": "1001", "total": 42.5}),
)
_HAS_LIBRARY = importlib.util.find_spec("segment") is not None
SENDER = (
    "Segment's own Python library (segment-analytics-python), unmodified"
    if _HAS_LIBRARY
    else "plain HTTP (Segment's library would do as well: pip install segment-analytics-python)"
)


def send(host: str, write_key: str, user: str = "ada") -> str:
    """Send an identify and two tracks, and wait until the host has them; the message id of the order."""
    run = uuid.uuid4().hex[:8]
    if _HAS_LIBRARY:
        _send_by_library(host, write_key, user, run)
    else:
        _send_plainly(host, write_key, user, run)
    return f"{run}-{len(EVENTS)}"


def _send_by_library(host: str, write_key: str, user: str, run: str) -> None:
    from segment.analytics.client import Client  # noqa: PLC0415 - not everybody has it

    client = Client(write_key, host=host, max_retries=2)
    client.identify(user, {"email": f"{user}@example.com"}, message_id=f"{run}-0")
    for number, (name, properties) in enumerate(EVENTS, 1):
        client.track(user, name, properties, message_id=f"{run}-{number}")
    client.shutdown()


def _send_plainly(host: str, write_key: str, user: str, run: str) -> None:
    traits = {"email": f"{user}@example.com"}
    batch: list[dict[str, Any]] = [{"type": "identify", "userId": user, "traits": traits, "messageId": f"{run}-0"}]
    for number, (name, properties) in enumerate(EVENTS, 1):
        event = {"type": "track", "event": name, "userId": user, "properties": properties}
        batch.append({**event, "messageId": f"{run}-{number}"})
    sent = httpx.post(f"{host}/v1/batch", json={"batch": batch}, auth=(write_key, ""), trust_env=False)
    sent.raise_for_status()


if __name__ == "__main__":
    sys.stdout.write(f"{send(*sys.argv[1:])}\n")
