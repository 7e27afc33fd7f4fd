"""What waits for somebody slow is bounded: progress of tools, hooks, a connection in reserve."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import realtime_actors as ra
from realtime_actors.events import ErrorEvent, ToolEndEvent, ToolProgressEvent
from realtime_actors.session.user_code import HOOKS_LIMIT, PROGRESS_LIMIT
from realtime_actors.testing import Probe, ScriptedTransport
from tests.session.test_reconnecting import (
    ANYWHERE,
    MARIN,
    RATE_LIMITS,
    SPEECH_STARTED,
    SPEECH_STOPPED,
    hand_over,
    scripts,
)
from tests.session.wire import call_done, error, response_created, response_done

PATIENCE = 20.0


class Turnstile:
    """A subscriber whose `put` waits until it is opened."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def put(self, message: ra.SessionEvent) -> None:
        self.entered.set()
        assert self.opened.wait(PATIENCE)


def test_a_tool_that_tells_its_progress_faster_than_it_is_heard_fills_no_mailbox() -> None:
    began, told = threading.Event(), threading.Event()

    @ra.tool
    def count(context: ra.ToolContext) -> str:
        assert began.wait(PATIENCE)
        for number in range(5 * PROGRESS_LIMIT):
            context.progress(f"{number}")
        told.set()
        return "done"

    script, turnstile = ScriptedTransport(strict=False), Turnstile()
    with ra.run(ra.agent(tools=[count]), transport=script) as session:
        probe = Probe(session)
        session.subscribe(turnstile, only=ErrorEvent)
        script.emit(response_created(), call_done("count"), response_done())
        script.emit(error("slow"))
        assert turnstile.entered.wait(PATIENCE)
        began.set()
        assert told.wait(PATIENCE)
        turnstile.opened.set()

        assert probe.wait_for(ToolEndEvent).output == "done"
        messages = [each.message for each in probe.all(ToolProgressEvent)]
        assert messages == [f"{number}" for number in range(PROGRESS_LIMIT)]


def test_progress_that_is_heard_is_never_dropped() -> None:
    heard = threading.Semaphore(0)

    @ra.tool
    def count(context: ra.ToolContext) -> str:
        for number in range(3 * PROGRESS_LIMIT):
            context.progress(f"{number}")
            assert heard.acquire(timeout=PATIENCE)
        return "done"

    class Listener:
        def put(self, message: ra.SessionEvent) -> None:
            heard.release()

    script = ScriptedTransport(strict=False)
    with ra.run(ra.agent(tools=[count]), transport=script) as session:
        probe = Probe(session)
        session.subscribe(Listener(), only=ToolProgressEvent)
        script.emit(response_created(), call_done("count"))
        probe.wait_for(ToolEndEvent)

        messages = [each.message for each in probe.all(ToolProgressEvent)]
        assert messages == [f"{number}" for number in range(3 * PROGRESS_LIMIT)]


def test_hooks_that_wait_for_one_that_does_not_end_are_dropped_at_some_point_and_that_is_told() -> (
    None
):
    entered, opened, called = threading.Event(), threading.Event(), list[str]()

    class Slow(ra.AgentHooks):
        def on_start(self, context: Any, agent: ra.Agent) -> None:
            called.append("start")
            entered.set()
            assert opened.wait(PATIENCE)

        def on_end(self, context: Any, agent: ra.Agent, output: str) -> None:
            called.append("end")

    script = ScriptedTransport(strict=False)
    try:
        with ra.run(ra.agent(hooks=Slow()), transport=script) as session:
            probe = Probe(session, only=ErrorEvent)
            script.emit(response_created("r0"))
            assert entered.wait(PATIENCE)
            for number in range(1, HOOKS_LIMIT):
                script.emit(response_done(f"r{number - 1}"), response_created(f"r{number}"))
            told = probe.wait_for(ErrorEvent)
            assert told.error.type == "hook_failed"
            assert f"{HOOKS_LIMIT} hooks wait for one to end" in told.error.message
            session.history()
            assert len(probe.all(ErrorEvent)) == 1

            opened.set()
            while len(called) < HOOKS_LIMIT + 1:
                assert session.is_alive()
            script.emit(response_done(f"r{HOOKS_LIMIT - 1}"))
            while len(called) < HOOKS_LIMIT + 2:
                assert session.is_alive()
            assert called == ["start", "end"] * (HOOKS_LIMIT // 2 + 1)
    finally:
        opened.set()


@pytest.mark.parametrize("when", ["before it has taken the configuration", "and then"])
def test_a_connection_in_reserve_that_says_too_much_is_given_up(when: str) -> None:
    second = ScriptedTransport(strict=False, handshake=when == "and then")
    first, make = scripts(second)
    with ra.run(MARIN, transport=make, model_config=ANYWHERE) as session:
        probe = Probe(session)
        first.emit(SPEECH_STARTED)
        hand_over(first)
        second.wait_for("session.update")
        second.emit(*[RATE_LIMITS] * 1001)
        first.emit(SPEECH_STOPPED)

        assert "the other connection says too much" in probe.wait_for(ToolEndEvent).output
        assert session.connected
