"""What rows find out: numbers with their samples, held against a peer or a target where there is one.

Findings travel as JSON from the process of a row to the one that prints them, and into the results file.
"""

from collections.abc import Sequence
from statistics import median
from typing import Final

from msgspec import Struct

Samples = Sequence[float]
_TENTH: Final = 0.1


class Finding(Struct, frozen=True, kw_only=True):
    """One line of the table."""

    name: str
    unit: str
    ours: float
    ours_samples: tuple[float, ...] = ()
    peer_name: str | None = None
    peer: float | None = None
    peer_samples: tuple[float, ...] = ()
    ratio: float | None = None
    ratio_says: str = "x"
    target: str | None = None
    is_met: bool | None = None
    """None where there is no target."""
    note: str = ""


def single(name: str, unit: str, samples: Samples, *, at_most: float | None = None, note: str = "") -> Finding:
    """Report the median of *samples*, which may have to be *at_most* so much."""
    ours = median(samples)
    return Finding(
        name=name,
        unit=unit,
        ours=ours,
        ours_samples=tuple(samples),
        target=None if at_most is None else f"<= {number(at_most)} {unit}",
        is_met=None if at_most is None else ours <= at_most,
        note=note,
    )


def costs(  # noqa: PLR0913 - each is a column of the table
    name: str, unit: str, ours: Samples, peer_name: str, peer: Samples, *, at_most: float | None = None, note: str = ""
) -> Finding:
    """Report how many times the peer's cost ours is, which may have to be *at_most* so many.

    The samples are pairs, taken one after the other; the ratio is the median of theirs.
    """
    ratio = median(mine / theirs for mine, theirs in zip(ours, peer, strict=True))
    target = None if at_most is None else f"<= {number(at_most)}x"
    is_met = None if at_most is None else ratio <= at_most
    return _against(name, unit, (ours, peer_name, peer), ratio, "x the cost", target, is_met, note)


def gains(  # noqa: PLR0913 - each is a column of the table
    name: str, unit: str, ours: Samples, peer_name: str, peer: Samples, *, at_least: float | None = None, note: str = ""
) -> Finding:
    """Report how many times faster than the peer ours is, which may have to be *at_least* so many. See `costs`."""
    ratio = median(theirs / mine for mine, theirs in zip(ours, peer, strict=True))
    target = None if at_least is None else f">= {number(at_least)}x faster"
    is_met = None if at_least is None else ratio >= at_least
    return _against(name, unit, (ours, peer_name, peer), ratio, "x faster", target, is_met, note)


def _against(  # noqa: PLR0913, PLR0917 - what `costs` and `gains` share
    name: str,
    unit: str,
    pairs: tuple[Samples, str, Samples],
    ratio: float,
    ratio_says: str,
    target: str | None,
    is_met: bool | None,  # noqa: FBT001 - a column, not a switch
    note: str,
) -> Finding:
    ours, peer_name, peer = pairs
    return Finding(
        name=name,
        unit=unit,
        ours=median(ours),
        ours_samples=tuple(ours),
        peer_name=peer_name,
        peer=median(peer),
        peer_samples=tuple(peer),
        ratio=ratio,
        ratio_says=ratio_says,
        target=target,
        is_met=is_met,
        note=note,
    )


def percentile(samples: Samples, percent: float) -> float:
    """Give the smallest sample that *percent* of them don't exceed."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def number(value: float) -> str:
    """Write a number with about three digits."""
    if value and abs(value) < _TENTH:
        return f"{value:.3g}"
    for limit, digits in ((10, 2), (100, 1)):
        if abs(value) < limit:
            return f"{value:.{digits}f}".rstrip("0").rstrip(".")
    return f"{value:,.0f}"
