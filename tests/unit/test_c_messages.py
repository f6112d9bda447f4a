"""The C SDK's MessagePack and JSON, compiled natively under sanitizers, compared with the independent ``msgpack``."""

import json
import math
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.guests import C_FLAGS, C_SDK, ROOT, missing

VECTORS = ROOT / "guest-sdks" / "vectors"
REFUSED = 0xFFFF_FFFF
COMPILERS = (
    ("gcc", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
    (sys.executable, "-m", "ziglang", "cc"),
)
"""The first that works is taken."""

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=5), inner, max_size=20),
    max_leaves=40,
)
SLOW = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="session")
def transcoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the native program that reads and writes every message with the SDK."""
    return build_native("transcode", tmp_path_factory.mktemp("c_sdk"))


@pytest.fixture(scope="session")
def misuse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the native program that misuses the writer."""
    return build_native("misuse", tmp_path_factory.mktemp("c_sdk"))


def build_native(name: str, folder: Path) -> Path:
    """Compile a program of ``guest-sdks/c/tests``."""
    target = folder / name
    flags = [flag for flag in C_FLAGS if not flag.startswith("-Wl,")]
    arguments = (*flags, str(C_SDK / "tests" / f"{name}.c"), "-o", str(target))
    if not any(compiles((*compiler, *arguments)) for compiler in COMPILERS):
        missing("a native C compiler (gcc with sanitizers, or ziglang)")
    return target


def compiles(command: tuple[str, ...]) -> bool:
    """Run a compiler, if the machine has it."""
    return bool(shutil.which(command[0])) and subprocess.run(command, check=False).returncode == 0  # noqa: S603 - our own


def transcode(program: Path, messages: list[bytes]) -> list[tuple[bytes | None, bytes | None]]:
    """Answer each message as the SDK writes it anew, and as JSON; None where it refuses the bytes."""
    data = b"".join(struct.pack("<I", len(message)) + message for message in messages)
    run = subprocess.run((program,), input=data, capture_output=True, check=False)  # noqa: S603 - our own program
    assert run.returncode == 0, run.stderr.decode()
    answers: list[bytes | None] = []
    position = 0
    while position < len(run.stdout):
        (size,) = struct.unpack_from("<I", run.stdout, position)
        position += 4
        answers.append(None if size == REFUSED else run.stdout[position : position + size])
        position += 0 if size == REFUSED else size
    return list(zip(answers[::2], answers[1::2], strict=True))


def test_golden_messages_survive_reading_and_writing(transcoder: Path) -> None:
    """Each golden message, read and written anew, has the very same bytes."""
    messages = [path.read_bytes() for path in sorted(VECTORS.rglob("*.msgpack")) if "malformed" not in path.parts]
    assert messages
    assert [copy for copy, _ in transcode(transcoder, messages)] == messages


def test_malformed_messages_harm_nothing(transcoder: Path) -> None:
    """Whatever the SDK makes of the golden malformed messages, it touches no byte outside them."""
    messages = [path.read_bytes() for path in sorted(VECTORS.glob("malformed/*.msgpack"))]
    assert len(transcode(transcoder, messages)) == len(messages)


@SLOW
@given(values=st.lists(VALUES, min_size=1, max_size=20))
def test_any_value_survives_reading_and_writing(transcoder: Path, values: list[object]) -> None:
    """Every value takes its shortest form, and its JSON says the same."""
    messages = [msgpack.packb(value) for value in values]
    answers = transcode(transcoder, messages)
    assert [copy for copy, _ in answers] == messages
    assert [json.loads(text or b"") for _, text in answers] == values


@SLOW
@given(messages=st.lists(st.binary(max_size=60), min_size=20, max_size=100))
def test_random_bytes_are_read_as_far_as_they_make_sense(transcoder: Path, messages: list[bytes]) -> None:
    """The SDK takes what the independent msgpack takes, and never steps outside the bytes."""
    for message, (copy, _) in zip(messages, transcode(transcoder, messages), strict=True):
        assert (copy is not None) or not is_readable(message)


def is_readable(message: bytes) -> bool:
    """Say whether the independent implementation reads *message*."""
    try:
        msgpack.unpackb(message, raw=True, strict_map_key=False)
    except (ValueError, TypeError, msgpack.exceptions.UnpackException):
        return False
    return True


def test_lengths_that_lie_are_refused(transcoder: Path) -> None:
    """A length beyond the bytes, nested or not, makes the whole message missing; deep nesting costs no stack."""
    lies = [b"\xdb\xff\xff\xff\xff", b"\xc6\x7f\xff\xff\xffab", b"\xdd\xff\xff\xff\xff\xc0", b"\xdf\x80\x00\x00\x00"]
    lies += [b"\x92\xc0\xa5hi", b"\x81\xa1a", b"\xc1", b"", b"\xc0\xc0", b"\x91" * 1_000_000]
    assert transcode(transcoder, lies) == [(None, None)] * len(lies)
    deep = b"\x91" * 10_000 + b"\xc0"
    assert transcode(transcoder, [deep])[0][0] == deep


def test_floats_that_json_lacks_become_null(transcoder: Path) -> None:
    """Infinities and NaN are null in JSON text."""
    answers = transcode(transcoder, [msgpack.packb(number) for number in (math.inf, -math.inf, math.nan)])
    assert [text for _, text in answers] == [b"null"] * 3


@pytest.mark.parametrize(
    ("mistake", "reason"),
    [
        ("end", "gh_end without a beginning"),
        ("key", "a key without a value"),
        ("open", "a map or array was not ended"),
        ("twice", "a message must be exactly one value"),
        ("deep", "a message is nested too deeply"),
        ("memory", "out of memory"),
    ],
)
def test_misuse_panics_with_a_reason(misuse: Path, mistake: str, reason: str) -> None:
    """An author's mistake ends the guest at once and says which it was."""
    run = subprocess.run((misuse, mistake), capture_output=True, text=True, check=False)  # noqa: S603 - our own program
    assert run.returncode != 0
    assert run.stderr.startswith(f"guesthouse: {reason}\n")
