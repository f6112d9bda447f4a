"""Golden messages of the contract: what is in them, and how they lie in ``guest-sdks/vectors``.

``python -m tests.support.vectors`` writes the files anew, with the ``msgpack`` package, which shares no code with the
host. A message lies there as MessagePack and, beside it, as JSON, in which ``{"$bytes": "..."}`` is binary data in
base64. A malformed one has, instead, a JSON file that names the kind of message and the fault.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgpack
from tests.support.malformed import MALFORMED, Malformed
from tests.support.messages import MESSAGES

FOLDER: Final = Path(__file__).parents[2] / "guest-sdks" / "vectors"


@dataclass(frozen=True, slots=True)
class Vector:
    """One golden message."""

    name: str
    """Kind and name, such as ``reply/done``."""
    message: Any
    data: bytes

    @property
    def kind(self) -> str:
        """The kind of message: call, reply, description, request or result."""
        return self.name.split("/")[0]


def vectors(kind: str) -> list[Vector]:
    """Read every vector of a kind from its files."""
    return [
        Vector(
            f"{kind}/{path.stem}", from_json(json.loads(path.read_text())), path.with_suffix(".msgpack").read_bytes()
        )
        for path in sorted((FOLDER / kind).glob("*.json"))
    ]


def malformed() -> list[tuple[str, Malformed]]:
    """Read every malformed message from its files."""
    return [
        (path.stem, Malformed(**json.loads(path.read_text()), data=path.with_suffix(".msgpack").read_bytes()))
        for path in sorted((FOLDER / "malformed").glob("*.json"))
    ]


def files() -> Iterator[tuple[Path, bytes]]:
    """Every file of the folder, by its path in it, with its content."""
    for name, message in MESSAGES.items():
        yield Path(f"{name}.json"), _to_text(to_json(message))
        yield Path(f"{name}.msgpack"), msgpack.packb(message)
    for name, broken in MALFORMED.items():
        yield Path(f"malformed/{name}.json"), _to_text({"message": broken.message, "fault": broken.fault})
        yield Path(f"malformed/{name}.msgpack"), broken.data


def to_json(value: Any) -> Any:  # noqa: ANN401 - whatever MessagePack can hold
    """Put JSON's words in place of binary data."""
    match value:
        case bytes():
            return {"$bytes": b64encode(value).decode()}
        case dict():
            return {key: to_json(item) for key, item in value.items()}
        case list():
            return [to_json(item) for item in value]
    return value


def from_json(value: Any) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """Undo `to_json`."""
    match value:
        case {"$bytes": text}:
            return b64decode(text)
        case dict():
            return {key: from_json(item) for key, item in value.items()}
        case list():
            return [from_json(item) for item in value]
    return value


def _to_text(value: object) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def main() -> None:
    """Write the folder's files."""
    for path, content in files():
        (FOLDER / path.parent).mkdir(parents=True, exist_ok=True)
        (FOLDER / path).write_bytes(content)


if __name__ == "__main__":
    main()
