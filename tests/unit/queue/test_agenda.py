"""Whose turn it is."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guesthouse.queue.sqlite.agenda import Agenda

pytestmark = pytest.mark.anyio
NOW = 1_000


async def test_nothing_is_ripe_before_its_time() -> None:
    """A destination has its turn from its time on."""
    agenda = Agenda()
    agenda.stir(1, "tnt_1", NOW + 5)
    agenda.ripen(NOW + 4)
    assert (list(agenda.turns(10)), agenda.next_due()) == ([], NOW + 5)
    agenda.ripen(NOW + 5)
    assert (list(agenda.turns(1)), agenda.next_due()) == ([1], None)


async def test_the_earliest_time_counts() -> None:
    """Stirring may bring a time forward, never put it off."""
    agenda = Agenda()
    for due in (NOW + 5, NOW + 9, NOW + 2):
        agenda.stir(1, "tnt_1", due)
    assert agenda.next_due() == NOW + 2


async def test_turns_go_round_tenants_then_destinations() -> None:
    """Tenants take turns; within a tenant its destinations do."""
    agenda = Agenda()
    for key in (1, 2, 3):
        agenda.stir(key, "tnt_1", NOW)
    agenda.stir(9, "tnt_2", NOW)
    agenda.ripen(NOW)
    assert list(agenda.turns(6)) == [1, 9, 2, 9, 3, 9]


async def test_who_is_postponed_has_no_turn() -> None:
    """A destination with nothing due leaves its ring, for a time or until it is stirred."""
    agenda = Agenda()
    for key in (1, 2, 3):
        agenda.stir(key, "tnt_1", NOW)
    agenda.ripen(NOW)
    agenda.postpone(1, "tnt_1", NOW + 7)
    agenda.postpone(3, "tnt_1", None)
    assert (list(agenda.turns(2)), agenda.next_due()) == ([2, 2], NOW + 7)


async def test_a_change_is_told_once_it_matters() -> None:
    """Whoever waits is woken by what may be due earlier than was known, and by nothing else."""
    agenda = Agenda()
    agenda.stir(1, "tnt_1", NOW)
    assert agenda.changed.is_set()
    agenda.changed.clear()
    agenda.stir(1, "tnt_1", NOW + 1)
    agenda.postpone(2, "tnt_1", NOW)
    assert not agenda.changed.is_set()


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), min_size=1, unique_by=lambda one: one[0]))
async def test_no_one_waits_for_two_turns_of_another(destinations: list[tuple[int, int]]) -> None:
    """Over any number of turns, tenants' turns differ by at most one, and so do those of a tenant's destinations."""
    agenda = Agenda()
    for key, tenant in destinations:
        agenda.stir(key, f"tnt_{tenant}", NOW)
    agenda.ripen(NOW)
    turns = Counter(agenda.turns(37))
    tenants = {tenant: [turns[key] for key, of in destinations if of == tenant] for _, tenant in destinations}
    sums = [sum(counts) for counts in tenants.values()]
    assert max(sums) - min(sums) <= 1
    assert all(max(counts) - min(counts) <= 1 for counts in tenants.values())
