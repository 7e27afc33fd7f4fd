"""Hostile input, as long as a test may take; `make fuzz` is the same, for ten minutes."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import by_atheris
from tests.fuzz.bounds import try_input
from tests.fuzz.by_hypothesis import inputs
from tests.fuzz.hostile import input_for, mutated
from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
FOUND = sorted(path for path in CORPUS.rglob("*") if path.is_file())

EVERY_TARGET = pytest.mark.parametrize("target", TARGETS)


@pytest.mark.parametrize("path", FOUND, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_an_input_that_once_went_wrong_goes_well(path: Path) -> None:
    try_input(TARGETS[path.parent.name], path.read_bytes())


def test_the_corpus_is_small_and_every_input_in_it_is_of_a_target() -> None:
    assert {path.parent.name for path in FOUND} <= set(TARGETS)
    assert sum(path.stat().st_size for path in FOUND) < 512 * 1024


@EVERY_TARGET
def test_hostile_input_is_taken(target: str) -> None:
    @given(inputs(target))
    def take(data: bytes) -> None:
        try_input(TARGETS[target], data)

    take()


@EVERY_TARGET
@given(seed=st.integers(0, 2**32), data=st.binary(max_size=40))
def test_a_mutator_takes_whatever_it_made(target: str, seed: int, data: bytes) -> None:
    for start in (data, input_for(target, Random(seed))):
        changed = mutated(target, start, Random(seed))
        assert isinstance(mutated(target, changed, Random(seed + 1)), bytes)


@pytest.mark.slow
@pytest.mark.skipif(not by_atheris.is_installed(), reason=by_atheris.why_not)
def test_hostile_input_guided_by_coverage_is_taken(tmp_path: Path) -> None:
    run = by_atheris.start("core", tmp_path, runs=300, seed=1)

    assert run.wait() == []
    assert run.process.returncode == 0, run.log[-2000:]
    assert run.tried >= 300
    assert run.edges > 100
