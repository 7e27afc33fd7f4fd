"""The table of mutants is in step with the code: each has its place, and breaks something there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants.table import MUTANTS, Mutant

PACKAGE = Path(__file__).parents[2] / "realtime_actors"
TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.breaks for mutant in MUTANTS])
def test_a_mutant_has_one_place_in_the_code(mutant: Mutant) -> None:
    assert (PACKAGE / mutant.file).read_text().count(mutant.find) == 1
    assert mutant.find != mutant.replace


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.breaks for mutant in MUTANTS])
def test_the_tests_that_are_to_notice_it_are_there(mutant: Mutant) -> None:
    assert [near for near in mutant.near if not (TESTS / near.partition("::")[0]).exists()] == []
