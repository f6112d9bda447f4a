"""What options may be, and what variables in a set-up's file stand for."""

from argparse import ArgumentTypeError
from pathlib import Path

import pytest

from guesthouse.cli import kinds
from guesthouse.cli.exits import BadInput
from guesthouse.cli.manifest import read_manifest
from guesthouse.cli.setups import typed


@pytest.mark.parametrize(
    ("text", "meant"),
    [("127.0.0.1:8080", ("127.0.0.1", 8080)), ("localhost:0", ("localhost", 0)), ("[::1]:80", ("::1", 80))],
)
def test_an_address_is_host_and_port(text: str, meant: tuple[str, int]) -> None:
    """Names, IPv4, and IPv6 in brackets."""
    assert kinds.address(text) == meant


@pytest.mark.parametrize(("text", "meant"), [("90s", 90_000), ("15m", 900_000), ("2h", 7_200_000), ("1d", 86_400_000)])
def test_an_age_has_a_unit(text: str, meant: int) -> None:
    """Seconds, minutes, hours, days; as milliseconds."""
    assert kinds.age(text) == meant


@pytest.mark.parametrize("text", ["", "5", "h", "-1h", "1w", "1.5h", "9999999999s"])
def test_other_ages_are_refused(text: str) -> None:
    """With an example of what is meant."""
    with pytest.raises(ArgumentTypeError, match="such as 90s, 15m, 2h or 3d"):
        kinds.age(text)


def test_settings_take_the_declared_type() -> None:
    """Strings as they stand, also where nothing is declared; JSON for all else."""
    assert typed("a", "1", "string") == "1"
    assert typed("a", "1", None) == "1"
    assert typed("a", "[1]", "array") == [1]
    with pytest.raises(BadInput, match="of the type number; write it as JSON"):
        typed("a", "one", "number")


def test_variables_are_filled_in(tmp_path: Path) -> None:
    """With a default or without, also within lists; a doubled dollar is itself; every missing one is named."""
    file = tmp_path / "guesthouse.toml"
    file.write_text('[sources.a]\nsettings = { x = ["${A}-${B:-b}", "$${A}"] }\n')
    assert read_manifest(file, {"A": "1"}).sources["a"].settings == {"x": ["1-b", "${A}"]}
    assert read_manifest(file, {"A": "", "B": "2"}).sources["a"].settings == {"x": ["-2", "${A}"]}
    file.write_text('[sources.a]\nsettings = { x = "${Y}", y = "${X}" }\n')
    with pytest.raises(BadInput, match="not in the environment: X, Y"):
        read_manifest(file, {})


def test_a_filled_in_value_is_not_read_again(tmp_path: Path) -> None:
    """What a variable holds is text, whatever it looks like."""
    file = tmp_path / "guesthouse.toml"
    file.write_text('[sources.a]\nsettings = { x = "${A}" }\n')
    assert read_manifest(file, {"A": "${B}"}).sources["a"].settings == {"x": "${B}"}
