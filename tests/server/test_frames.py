"""A server sends the frames that it has always sent, in the same order."""

from __future__ import annotations

import pytest

from tests.server.scenarios import FOLDER, SCENARIOS, frames_of, recorded


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_the_frames_are_those_that_were_recorded(name: str) -> None:
    assert frames_of(SCENARIOS[name]) == recorded(name)


def test_every_recording_has_its_scenario() -> None:
    assert {each.stem for each in FOLDER.iterdir()} == set(SCENARIOS)
