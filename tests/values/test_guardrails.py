"""Guardrails: text in, verdict out."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_actors.agent import Agent
from realtime_actors.errors import ConfigError
from realtime_actors.guardrails import GuardrailVerdict, OutputGuardrail, output_guardrail

DESK = Agent(name="Desk")


@pytest.mark.parametrize(
    ("check", "verdict"),
    [
        (lambda text: "$" in text, GuardrailVerdict(tripped=True)),
        (lambda text: False, GuardrailVerdict(tripped=False)),
        (lambda text, context: context == "strict", GuardrailVerdict(tripped=True)),
        (lambda text, context, agent: agent.name == "Bar", GuardrailVerdict(tripped=False)),
        (
            lambda text: GuardrailVerdict(tripped=True, reason="no prices"),
            GuardrailVerdict(tripped=True, reason="no prices"),
        ),
    ],
)
def test_a_check_answers_yes_no_or_why(check: Any, verdict: GuardrailVerdict) -> None:
    guardrail = OutputGuardrail(name="prices", check=check)

    assert guardrail.run("It costs $5.", "strict", DESK) == verdict


def test_a_check_may_be_a_coroutine_function() -> None:
    async def slow(text: str) -> bool:
        return "$" in text

    assert OutputGuardrail(name="slow", check=slow).run("$", None, DESK).tripped


def test_a_function_becomes_a_guardrail() -> None:
    @output_guardrail
    def no_prices(text: str) -> bool:
        return "$" in text

    @output_guardrail(name="polite")
    def check(text: str) -> bool:
        return "damn" in text

    assert (no_prices.name, check.name) == ("no_prices", "polite")
    assert repr(no_prices) == "OutputGuardrail(name='no_prices')"
    assert check.run("damn", None, DESK).tripped


def test_a_check_that_forgets_its_verdict_does_not_pass() -> None:
    forgetful = OutputGuardrail(name="forgetful", check=lambda text: None)

    with pytest.raises(ConfigError, match="'forgetful' must return a bool or a GuardrailVerdict"):
        forgetful.run("text", None, DESK)


def test_what_a_check_raises_comes_through() -> None:
    broken = OutputGuardrail(name="broken", check=lambda text: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        broken.run("text", None, DESK)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "", "check": bool}, "name of a guardrail"),
        ({"name": "a", "check": None}, "check of guardrail 'a' must be a function"),
        ({"name": "a", "check": lambda: True}, "takes 0 positional arguments"),
        ({"name": "a", "check": lambda a, b, c, d: True}, "takes 4 positional arguments"),
    ],
)
def test_a_guardrail_that_cannot_work_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        OutputGuardrail(**options)
