"""What a program's own code sees of context variables, wherever a session runs it."""

from __future__ import annotations

import contextvars
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import realtime_actors as ra
from realtime_actors import otp
from realtime_actors.events import AgentEndEvent, ConnectionEvent, ToolEndEvent
from realtime_actors.server import RealtimeServer
from realtime_actors.server.engines.scripted import Call
from realtime_actors.testing import Probe, ScriptedTransport
from tests.session.wire import call_done, response_created

REQUEST = contextvars.ContextVar("REQUEST", default="none")
SOON = 5.0


class Seen:
    """What was seen, by whom."""

    def __init__(self) -> None:
        self.by: dict[str, str] = {}
        self.hooked = threading.Event()

    def note(self, who: str) -> None:
        self.by[who] = REQUEST.get()


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture(autouse=True)
def request_of_the_test() -> Iterator[None]:
    token = REQUEST.set("of the test")
    yield
    REQUEST.reset(token)


def agent(seen: Seen) -> ra.Agent:
    class Hooks(ra.AgentHooks):
        def on_tool_end(self, *arguments: Any) -> None:
            seen.note("hook")
            seen.hooked.set()

    @ra.output_guardrail
    async def output(text: str) -> bool:
        seen.note("output guardrail")
        return False

    @ra.input_guardrail
    def said(text: str) -> bool:
        seen.note("input guardrail")
        return False

    @ra.tool_guardrail
    def arguments(arguments: dict[str, object]) -> bool:
        seen.note("tool guardrail")
        return False

    @ra.tool(input_guardrails=[arguments])
    def plain() -> str:
        seen.note("tool")
        REQUEST.set("changed by a tool")
        return "done"

    @ra.tool
    async def coroutine() -> str:
        seen.note("coroutine")
        return "done"

    def enabled(context: object) -> bool:
        seen.note("is_enabled")
        return True

    @ra.tool(is_enabled=enabled)
    def other() -> str:
        return "done"

    def instructions(context: object) -> str:
        seen.note("instructions")
        return "Be brief."

    return ra.agent(
        instructions=instructions,
        tools=[plain, coroutine, other],
        hooks=Hooks(),
        output_guardrails=[output],
        input_guardrails=[said],
    )


def test_all_code_of_the_program_sees_what_the_caller_of_run_saw(seen: Seen) -> None:
    replies = ([Call("plain", {}), Call("coroutine", {})], "That was all.")
    with RealtimeServer.scripted(replies) as server:
        session = ra.run(agent(seen), model_config={"url": server.url})
        REQUEST.set("another one, later")
        with session:
            probe = Probe(session)
            session.send_message("Go on.")
            probe.wait_for(AgentEndEvent, lambda event: event.final)
            assert seen.hooked.wait(SOON)
    assert seen.by == dict.fromkeys(
        (
            *("instructions", "is_enabled", "tool guardrail", "tool", "coroutine"),
            *("hook", "output guardrail"),
        ),
        "of the test",
    )


def transport_that_sees(seen: Seen) -> Any:
    def make(options: Any, dialect: Any) -> ScriptedTransport:
        seen.note("transport")
        return ScriptedTransport(strict=False)(options, dialect)

    return make


def test_it_is_the_callers_also_under_a_supervisor_and_after_a_restart(seen: Seen) -> None:
    supervisor = contextvars.Context().run(otp.start, otp.DynamicSupervisor)
    session = ra.run(agent(seen), transport=transport_that_sees(seen), supervisor=supervisor)
    assert seen.by["transport"] == seen.by["instructions"] == "of the test"

    seen.by.clear()
    REQUEST.set("another one, later")
    probe = Probe(session)
    contextvars.Context().run(otp.exit_signal, session, otp.KILL)
    probe.wait_for(ConnectionEvent, lambda event: event.state == "connected")
    assert seen.by["transport"] == seen.by["instructions"] == "of the test"
    session.close()
    supervisor.stop()


def test_what_a_tool_sets_no_other_tool_sees(seen: Seen) -> None:
    script = ScriptedTransport(strict=False)
    with ra.run(agent(seen), transport=script) as session:
        probe = Probe(session)
        for number in range(3):
            script.emit(
                response_created(f"r{number}"),
                call_done("plain", json.dumps({}), call_id=f"c{number}", response_id=f"r{number}"),
            )
            probe.wait_for(ToolEndEvent)
            assert seen.by["tool"] == "of the test"
    assert REQUEST.get() == "of the test"
