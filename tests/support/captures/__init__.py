"""Requests that real, unmodified client libraries sent, as captured on loopback; one JSON object a line."""

import gzip
import json
from pathlib import Path
from typing import Any, NamedTuple


class Capture(NamedTuple):
    """One request; its body was kept decompressed and parsed."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def client(self) -> str:
        """What the library calls itself."""
        agent = {name.lower(): value for name, value in self.headers.items()}["user-agent"]
        return f"{agent}{' gzip' if self.is_packed else ''}"

    @property
    def is_packed(self) -> bool:
        """Whether it was sent compressed."""
        return self.headers.get("Content-Encoding") == "gzip"

    @property
    def raw(self) -> bytes:
        """The body as it goes over the wire."""
        text = json.dumps(self.body).encode()
        return gzip.compress(text) if self.is_packed else text


def captures() -> list[Capture]:
    """Give all of them."""
    paths = sorted(Path(__file__).parent.glob("*.jsonl"))
    return [Capture(**json.loads(line)) for path in paths for line in path.read_text().splitlines()]
