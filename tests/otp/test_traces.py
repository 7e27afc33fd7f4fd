"""The library does what the BEAM does, scenario by scenario."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.otp.replay import SCALE, SKIPPED, differences, load, main, played, run
from tests.otp.world import Event, UnknownOperationError, World

TRACES = Path(__file__).parents[1] / "data" / "otp" / "otp_traces.json"
SCENARIOS = load(TRACES)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each["id"])
def test_a_scenario_goes_as_on_the_beam(scenario: dict[str, Any]) -> None:
    if scenario["mirror"] == SKIPPED:
        pytest.skip("the data says that there is no counterpart: Elixir's throw")

    assert differences(scenario, run(scenario)) is None


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each["id"])
def test_a_scenario_goes_the_same_when_the_senders_handle_what_they_send(
    scenario: dict[str, Any],
) -> None:
    if scenario["mirror"] == SKIPPED:
        pytest.skip("the data says that there is no counterpart: Elixir's throw")

    assert differences(scenario, played_inline(scenario)) is None


def played_inline(scenario: dict[str, Any]) -> list[Event]:
    """The trace when those who send and call handle that themselves.

    In a thread of its own: in the main thread nobody handles a call for a server.
    """
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(played, scenario, World(scale=SCALE, inline=True)).result()


def test_in_the_scenarios_senders_do_handle_what_they_send() -> None:
    steps = [["start", "a", {}], ["sleep", 50], ["cast", "a", "m1"], ["send", "a", "m2"]]
    world = World(inline=True)
    trace = played({"steps": steps}, world)

    assert [event for event in trace if event[0] == "a"] == [
        ["a", "init"],
        ["a", "handle_cast", "m1"],
        ["a", "handle_info", "m2"],
    ]
    assert world.inline_turns == 2


def test_a_difference_is_found_and_told() -> None:
    scenario = next(each for each in SCENARIOS if each["id"] == "call_noproc")
    trace = run(scenario)
    trace[-1] = [*trace[-1][:-1], "something else"]

    found = differences(scenario, trace)

    assert found is not None
    assert 'expected ["call", "m2", "exit", ["noproc", "in:GenServer.call"]]' in found


def test_an_order_that_was_total_is_compared_as_a_whole() -> None:
    scenario = next(each for each in SCENARIOS if each["id"] == "stop_default")
    trace = run(scenario)
    trace[0], trace[1] = trace[1], trace[0]

    assert differences(scenario, trace) is not None


def test_what_the_vocabulary_does_not_know_is_no_success() -> None:
    scenario = dict(SCENARIOS[0], steps=[["fly"]])

    with pytest.raises(UnknownOperationError):
        run(scenario)


def test_the_command_counts_and_exits_with_0_only_if_all_is_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    only = ["--only", "init_ok", "--only", "throw_is_return", "--only", "call_noproc"]
    assert main([str(TRACES), "--jobs", "1", *only]) == 0
    assert capsys.readouterr().out == "2 passed, 0 failed, 1 skipped\n"

    broken = tmp_path / "broken.json"
    broken.write_text(TRACES.read_text().replace('"starter_is_still_waiting"', '"x"', 1))
    assert main([str(broken), "--jobs", "1", *only]) == 1
    assert "init_ok (run 1): main[0]: expected" in capsys.readouterr().out
