"""What the model is told when a call of a tool comes to nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from attrs import evolve

import realtime_actors as ra
from realtime_actors.events import ToolApprovalRequiredEvent, ToolEndEvent
from realtime_actors.testing import Probe, ScriptedTransport
from tests.session import heavy
from tests.session.wire import call_done, response_created

SECRET = "no row in postgres://admin:geheim@db/orders"


def ended(tool: ra.Tool | ra.Handoff, **config: object) -> ToolEndEvent:
    """What becomes of a call."""
    script = ScriptedTransport(strict=False)
    can = {"tools": [tool]} if isinstance(tool, ra.Tool) else {"handoffs": [tool]}
    with ra.run(ra.agent(**can), transport=script, config=config, context="call 17") as session:
        probe = Probe(session)
        script.emit(response_created(), call_done(tool.name, "{}"))
        return probe.wait_for(ToolEndEvent, timeout=20)


def failing(**options: Any) -> ra.Tool:
    @ra.tool(**options)
    def look_up() -> str:
        raise ValueError(SECRET)

    return look_up


def test_what_an_error_says_is_not_for_the_model() -> None:
    end = ended(failing())

    assert (end.output, end.error) == ("Error: look_up failed", f"Error: {SECRET}")


def test_a_tool_error_is_made_for_the_model() -> None:
    @ra.tool
    def look_up() -> str:
        raise ra.ToolError("there is no such order")

    end = ended(look_up)

    assert end.output == end.error == "Error: there is no such order"


def test_neither_is_what_the_error_of_a_handoff_says() -> None:
    def nobody(context: object) -> ra.Agent:
        raise LookupError(SECRET)

    end = ended(ra.Handoff(tool_name="to_sales", on_invoke_handoff=nobody))

    assert (end.output, end.error) == ("Error: to_sales failed", f"Error: {SECRET}")


@pytest.mark.parametrize("run_in", ["thread", "process"])
def test_it_makes_no_difference_where_a_tool_runs(run_in) -> None:
    failed = ended(evolve(heavy.fail, run_in=run_in))
    refused = ended(evolve(heavy.refuse, run_in=run_in))

    assert (failed.output, failed.error) == ("Error: fail failed", "Error: no such thing")
    assert (refused.output, refused.error) == ("Error: not today", "Error: not today")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Say that {tool} is {closed}.", "Say that look_up is {closed}."),
        ("Error: {error}", f"Error: {SECRET}"),
        (lambda error: f"A {type(error).__name__}.", "A ValueError."),
        (lambda error, context: f"In {context}.", "In call 17."),
        (lambda error: 1 / 0, "Error: look_up failed"),
    ],
)
@pytest.mark.parametrize("place", ["tool", "run"])
def test_the_text_can_be_another(text, told, place) -> None:
    texts = {"failed": text}
    if place == "tool":
        end = ended(failing(texts=texts), tool_texts={"failed": "never told"})
    else:
        end = ended(failing(), tool_texts=texts)

    assert (end.output, end.error) == (told, f"Error: {SECRET}")


def test_a_rejection_is_told_in_a_text_of_the_tool_s_own() -> None:
    @ra.tool(needs_approval=True, texts={"rejected": "No, {reason}. Offer a voucher."})
    def refund() -> str:
        return "done"

    script = ScriptedTransport(strict=False)
    with ra.run(ra.agent(tools=[refund]), transport=script) as session:
        probe = Probe(session)
        script.emit(response_created(), call_done("refund", json.dumps({})))
        session.reject(probe.wait_for(ToolApprovalRequiredEvent).call_id, reason="too late")
        end = probe.wait_for(ToolEndEvent)

    assert end.output == "No, too late. Offer a voucher."
    assert end.error == "Error: the call of refund was not approved: too late"


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"failed": ""}, r"failed is ''.*text, or a function of the error"),
        ({"failed": lambda a, b, c: "x"}, "takes 3 positional arguments"),
        ({"timed_out": 3}, r"timed_out is 3.*text, in which {tool} and {seconds} may stand"),
        ({"timeout": "x"}, "ToolTexts has no setting 'timeout'"),
        ("sorry", "ToolTexts, or a dict"),
    ],
)
def test_a_wrong_text_is_refused_where_it_is_given(texts, message) -> None:
    with pytest.raises(ra.ConfigError, match=message):
        ra.RunConfig(tool_texts=texts)
    with pytest.raises(ra.ConfigError, match=r"texts|ToolTexts"):
        failing(texts=texts)
