"""Functions at the top of a module, as a program has them: for `test_pickling`."""

from __future__ import annotations

from realtime_actors.agent import Agent, Handoff
from realtime_actors.guardrails import input_guardrail, output_guardrail, tool_guardrail
from realtime_actors.tools import Tool, tool


@tool_guardrail
def no_paris(arguments: dict[str, object]) -> bool:
    return "Paris" in arguments.values()


@tool(input_guardrails=[no_paris])
def weather(city: str) -> str:
    """Tell the weather."""
    return f"sunny in {city}"


@output_guardrail
def no_prices(text: str) -> bool:
    return "$" in text


@input_guardrail
def no_names(text: str) -> bool:
    return "Ada" in text


def plain(arguments: dict[str, object]) -> str:
    return "fine"


def instructions() -> str:
    return "Be kind."


def find_billing() -> Agent:
    return BILLING


PLAIN = Tool(name="plain", invoke=plain)
BILLING = Agent(name="Billing")
AGENT = Agent(
    name="Desk",
    instructions=instructions,
    tools=[weather, PLAIN],
    handoffs=[BILLING, Handoff(find_billing, tool_name="find")],
    output_guardrails=[no_prices],
    input_guardrails=[no_names],
)
