"""An option in the wrong place: the error says where it belongs."""

# mypy: disable-error-code="arg-type, call-arg, call-overload"
# Calling with what belongs elsewhere is what these tests are about.

from __future__ import annotations

import copy
import inspect
import pickle
import re
from collections.abc import Callable

import pytest
from attrs import frozen

import realtime_actors as ra
from realtime_actors.config import places

AGENT = ra.agent()
OTHERS = {"agent", "description", "invoke", "parameters", "texts", "tool_name"}
"""What `ra.run` and `Tool` take, and is told to belong there by nothing else."""


def refusal(make: Callable[[], object]) -> str:
    with pytest.raises(ra.ConfigError) as refused:
        make()
    return str(refused.value)


def either(option: str) -> str:
    return f"ra.agent({option}=...) or {session(option)}"


def session(option: str) -> str:
    return f"RunConfig(model_settings={{'{option}': ...}})"


@pytest.mark.parametrize(
    ("make", "what", "place"),
    [
        (lambda: ra.ModelConfig(voice="x"), "ModelConfig", either("voice")),
        (lambda: ra.run(AGENT, voice="x"), "ra.run", either("voice")),
        (lambda: ra.run(AGENT, url="ws://x"), "ra.run", "ModelConfig(url=...)"),
        (lambda: ra.run(AGENT, api_key="x"), "ra.run", "ModelConfig(api_key=...)"),
        (lambda: ra.run(AGENT, max_cost=1), "ra.run", "RunConfig(max_cost=...)"),
        (lambda: ra.runner(AGENT, context=1), "ra.runner", "ra.run(..., context=...)"),
        (lambda: ra.runner(AGENT).run(config=1), "Runner.run", "ra.run(..., config=...)"),
        (lambda: ra.transcribe(tools=[]), "ra.transcribe", either("tools")),
        (lambda: ra.agent(turn_detection="off"), "an agent", session("turn_detection")),
        (lambda: ra.Agent(timeout=3), "Agent", "ra.run(..., timeout=...) or @ra.tool(timeout=...)"),
        (lambda: ra.RunConfig(mode="hold"), "RunConfig",
            "RunConfig(barge_in={'mode': ...}) or RunConfig(guardrails_settings={'mode': ...})"),
        (lambda: ra.RunConfig(threshold=0.5), "RunConfig",
            "RunConfig(model_settings={'turn_detection': {'threshold': ...}})"),
        (lambda: ra.BargeIn(language="en"), "BargeIn",
            "RunConfig(model_settings={'input_audio_transcription': {'language': ...}})"),
        (lambda: ra.GuardrailVerdict(needs_approval=True), "GuardrailVerdict",
            "@ra.tool(needs_approval=...)"),
        (lambda: ra.GuardrailVerdict(input_filter=1), "GuardrailVerdict",
            "ra.Handoff(..., input_filter=...)"),
    ],
)  # fmt: skip
def test_an_option_in_the_wrong_place_is_told_where_it_belongs(make, what, place) -> None:
    assert re.fullmatch(
        rf"{what} has no option '\w+': it belongs in {re.escape(place)}", refusal(make)
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ra.Agent(system_prompt="x"), "it is called 'instructions' here"),
        (lambda: ra.ModelConfig(model_name="x"), "it is called 'model' here"),
        (lambda: ra.HostedMcpTool(label="x"), "it is called 'server_label' here"),
        (lambda: ra.Tool(func=print), "it is called 'invoke' here"),
        (lambda: ra.Handoff(AGENT, tool_nmae="x"), "did you mean 'tool_name'?"),
        (lambda: ra.tool(timeuot=3), "did you mean 'timeout'?"),
        (lambda: ra.output_guardrail(nmae="x"), "did you mean 'name'?"),
        (lambda: AGENT.clone(voise="x"), "did you mean 'voice'?"),
        (lambda: ra.ModelConfig.from_dict({"voice": 1}), either("voice")),
        (lambda: ra.TurnDetectionConfig("off"), "by name: TurnDetectionConfig(type=...)"),
        (lambda: ra.run(AGENT, config=ra.ModelConfig()), "config= takes a RunConfig"),
        (lambda: ra.run(AGENT, model_config=ra.RunConfig()), "model_config= takes a ModelConfig"),
    ],
)  # fmt: skip
def test_an_option_by_another_name_is_told_the_right_one(make, message) -> None:
    assert refusal(make).endswith(message)


def test_the_key_that_was_given_in_the_wrong_place_is_not_repeated() -> None:
    for make in (
        lambda: ra.run(AGENT, api_key="sk-secret"),
        lambda: ra.RunConfig(api_key="sk-secret"),
        lambda: ra.RunConfig.from_dict({"api_key": "sk-secret"}),
        lambda: ra.agent(api_key="sk-secret"),
    ):
        assert "sk-secret" not in refusal(make)


def test_the_places_are_those_that_there_are() -> None:
    assert set(places.RUN) == set(inspect.signature(ra.run).parameters) - {"agent"}
    for option in places.RENAMED.values():
        assert option in OTHERS or places.place_of(option, ()), option


def test_a_subclass_takes_what_it_says_that_it_takes() -> None:
    class Waiter(ra.Agent):
        def __init__(self, table: int) -> None:
            super().__init__(name=f"Waiter at {table}")

    @frozen(kw_only=True)
    class Cook(ra.Agent):
        stove: int

    assert Waiter(table=3).name == "Waiter at 3"
    assert Cook(stove=2, name="Cook").clone(stove=4).stove == 4
    assert "did you mean 'stove'?" in refusal(lambda: Cook(stoev=2))


def test_settings_can_still_be_copied_and_pickled() -> None:
    config = ra.ModelConfig(url="ws://localhost/", model="m")

    assert copy.deepcopy(config) == pickle.loads(pickle.dumps(config)) == config
