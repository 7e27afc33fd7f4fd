"""Agents travel to other processes: what was decorated goes by its name."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from typing import Any

import pytest
from attrs import evolve

from realtime_actors.agent import Agent, Handoff
from realtime_actors.errors import ConfigError
from realtime_actors.guardrails import OutputGuardrail
from realtime_actors.tools import Tool, tool
from tests.values import decorated


@tool
def local_name(x: int) -> str:
    return str(x)


renamed = local_name
del local_name


def there_and_back(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


def test_what_was_decorated_is_the_same_one_afterwards() -> None:
    for value in (decorated.weather, decorated.no_prices, decorated.no_names, decorated.no_paris):
        assert there_and_back(value) is value


def test_an_agent_comes_back_with_all_that_it_has() -> None:
    agent = there_and_back(decorated.AGENT)

    assert agent == decorated.AGENT
    assert agent.tools[0].run('{"city": "Rome"}').text == "sunny in Rome"
    assert agent.tools[1].run("{}").text == "fine"
    assert agent.resolve_instructions(None) == "Be kind."
    assert agent.find_handoff_target("find") is decorated.BILLING


def test_another_process_finds_it_by_its_name() -> None:
    script = (
        "import pickle, sys; agent = pickle.load(sys.stdin.buffer);"
        """print(agent.tools[0].run('{"city": "Rome"}').text)"""
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        input=pickle.dumps(decorated.AGENT),
        capture_output=True,
        timeout=60,
        check=True,
    )

    assert done.stdout.decode().strip() == "sunny in Rome"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (renamed, "tool 'local_name' cannot be pickled: 'local_name' in tests.values"),
        (evolve(decorated.weather, name="other"), "tool 'other' cannot be pickled: 'weather' in"),
        (Tool(name="a", invoke=lambda arguments: ""), "tool 'a' cannot be pickled: '<lambda>'"),
        (evolve(decorated.PLAIN, is_enabled=lambda context: True), "is_enabled of tool 'plain'"),
        (OutputGuardrail(name="g", check=lambda text: False), "guardrail 'g' cannot be pickled"),
        (Agent(name="A", instructions=lambda: "Hi."), "instructions of agent 'A' cannot be"),
        (Agent(tools=[renamed]), "tool 'local_name' cannot be pickled"),
        (
            Handoff(lambda: decorated.BILLING, tool_name="b"),
            "the agent of handoff 'b' cannot be pickled",
        ),
        (
            Handoff(decorated.BILLING, input_filter=lambda items: items),
            "input_filter of handoff 'transfer_to_billing' cannot be pickled",
        ),
    ],
)
def test_what_cannot_be_found_again_is_refused_with_what_to_do(value: Any, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as refusal:
        pickle.dumps(value)

    assert "Define it at the top of a module" in str(refusal.value)


def test_a_copy_is_the_value_itself() -> None:
    for value in (renamed, Agent(instructions=lambda: "Hi.", tools=[renamed])):
        assert copy.copy(value) is value
        assert copy.deepcopy([value]) == [value]
