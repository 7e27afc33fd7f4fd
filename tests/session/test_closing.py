"""Closing a session takes no longer than it may, says what it cut, and waits if it is to wait."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import realtime_actors as ra
from realtime_actors import messages, otp
from realtime_actors.events import (
    AudioInterruptedEvent,
    ConnectionEvent,
    HistoryAddedEvent,
    ToolEndEvent,
)
from realtime_actors.server import RealtimeServer
from realtime_actors.testing import Probe, ScriptedTransport
from tests.session.wire import audio_delta, call_done, error, response_created, response_done

SOON = 5.0


class Hold:
    """A place where code of the program's waits until the test is over."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.left = threading.Event()

    def __call__(self, *_: object, **__: object) -> str:
        self.entered.set()
        self.left.wait(30)
        return "at last"


@pytest.fixture
def hold() -> Iterator[Hold]:
    hold = Hold()
    yield hold
    hold.left.set()


class Stuck:
    """A subscriber whose `put` waits."""

    def __init__(self, hold: Hold) -> None:
        self._hold = hold

    def put(self, message: ra.SessionEvent) -> None:
        self._hold()


class StuckTransport(ScriptedTransport):
    """A connection that never closes."""

    def __init__(self, hold: Hold) -> None:
        super().__init__(strict=False)
        self._hold = hold

    def close(self, timeout: float = 2.0) -> None:
        self._hold()


class StuckHooks(ra.AgentHooks):
    """Hooks, of which one never returns."""

    def __init__(self, hold: Hold) -> None:
        self._hold = hold

    def on_start(self, *_: Any) -> None:
        self._hold()


Hang = Callable[[Hold], tuple[ra.Session, ScriptedTransport]]


def start(transport: ScriptedTransport, **agent: Any) -> tuple[ra.Session, ScriptedTransport]:
    where = {"url": "ws://127.0.0.1:1/"}
    return ra.run(ra.agent(**agent), transport=transport, model_config=where), transport


def subscriber(hold: Hold) -> tuple[ra.Session, ScriptedTransport]:
    session, script = start(ScriptedTransport(strict=False))
    session.subscribe(Stuck(hold))
    script.emit(error("first"))
    return session, script


def direct_subscriber(hold: Hold) -> tuple[ra.Session, ScriptedTransport]:
    session, script = start(ScriptedTransport(strict=False))
    session.subscribe(Stuck(hold), direct=True)
    threading.Thread(target=script.emit, args=(error("first"),), daemon=True).start()
    return session, script


def tool(hold: Hold) -> tuple[ra.Session, ScriptedTransport]:
    stuck = ra.Tool(name="stuck", invoke=hold)
    session, script = start(ScriptedTransport(strict=False), tools=[stuck])
    script.emit(response_created(), call_done("stuck"))
    return session, script


def hook(hold: Hold) -> tuple[ra.Session, ScriptedTransport]:
    session, script = start(ScriptedTransport(strict=False), hooks=StuckHooks(hold))
    script.emit(response_created())
    return session, script


def guardrail(hold: Hold) -> tuple[ra.Session, ScriptedTransport]:
    stuck = ra.OutputGuardrail(name="stuck", check=hold)
    session, script = start(ScriptedTransport(strict=False), output_guardrails=[stuck])
    script.emit(response_created(), *(audio_delta() for _ in range(3)), response_done())
    return session, script


def connection(hold: Hold) -> tuple[ra.Session, ScriptedTransport]:
    hold.entered.set()
    return start(StuckTransport(hold))


HANGS: dict[str, tuple[Hang, str]] = {
    "a subscriber": (subscriber, "not ended within 0.6 s, and cut: waited for the put of Stuck"),
    "a subscriber that promised not to": (
        direct_subscriber,
        "not ended within 0.6 s, and cut: waited for its own thread, which is busy",
    ),
    "a tool": (tool, "was ended while busy: its thread is detached"),
    "a hook": (hook, "cut at the end: the hook on_start"),
    "a connection": (
        connection,
        "not ended within 0.6 s, and cut: waited for the connection to close",
    ),
}


@pytest.mark.parametrize("what", HANGS)
def test_closing_takes_no_longer_than_it_may_whatever_hangs_and_says_what_was_cut(
    what: str, hold: Hold, caplog: pytest.LogCaptureFixture
) -> None:
    hang, said = HANGS[what]
    session, _ = hang(hold)
    assert hold.entered.wait(SOON)
    caplog.set_level(logging.WARNING, "realtime_actors")

    began = time.monotonic()
    session.close(timeout=0.6)

    assert time.monotonic() - began < 1.5
    assert not session.is_alive()
    assert said in caplog.text


@pytest.mark.parametrize("what", HANGS)
def test_subscribers_hear_of_such_an_end_in_order_and_once(what: str, hold: Hold) -> None:
    hang, _ = HANGS[what]
    session, _ = hang(hold)
    assert hold.entered.wait(SOON)
    events: queue.SimpleQueue[ra.SessionEvent] = queue.SimpleQueue()
    session.shared.subscribers.add(events, only=(ConnectionEvent, ToolEndEvent))

    session.close(timeout=0.6)

    kinds = [type(events.get(timeout=SOON).event) for _ in range(events.qsize())]
    assert kinds == ([ToolEndEvent] if what == "a tool" else []) + [ConnectionEvent]


def test_a_tool_in_a_thread_of_its_own_may_close_its_session(hold: Hold) -> None:
    closing: list[ra.Session] = []

    def hang_up(*_: Any) -> str:
        hold.entered.set()
        closing[0].close()
        return "never said"

    session, script = start(
        ScriptedTransport(strict=False), tools=[ra.Tool(name="hang_up", invoke=hang_up)]
    )
    closing.append(session)
    probe = Probe(session)
    script.emit(response_created(), call_done("hang_up"))

    closed = probe.wait_for(ConnectionEvent)

    assert (closed.state, closed.error) == ("closed", None)


# -- once something is over ------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[RealtimeServer]:
    with RealtimeServer.scripted(["One two three four five six seven eight."], pace=1.0) as server:
        yield server


def test_after_playback_what_the_model_says_is_heard_to_its_end(server: RealtimeServer) -> None:
    session = ra.run(ra.agent(), model_config={"url": server.url})
    probe = Probe(session)
    session.send_message("Count.")
    first = probe.wait_for(ra.events.AudioEvent)

    began = time.monotonic()
    session.close(after_playback=True)
    took = time.monotonic() - began

    spoken_ms = sum(len(event.audio.data) // 48 for event in probe.all(ra.events.AudioEvent))
    assert first is not None
    assert took > spoken_ms / 1000 - 0.3
    assert probe.all(AudioInterruptedEvent) == []
    assert [event.reason for event in probe.all(ConnectionEvent)] == ["the session was closed"]
    assert session.history()[-1].status == "completed"


@pytest.mark.parametrize("option", ["after_playback", "after_turn"])
def test_it_waits_for_no_longer_than_it_may(option: str, hold: Hold) -> None:
    session, script = start(ScriptedTransport(strict=False))
    script.emit(response_created(), audio_delta(ms=60_000))

    began = time.monotonic()
    session.close(timeout=1.0, **{option: 0.3})

    assert 0.25 < time.monotonic() - began < 1.5
    assert not session.is_alive()


@pytest.mark.parametrize("option", ["after_playback", "after_turn"])
def test_it_waits_for_no_longer_than_it_may_when_the_session_hangs(option: str, hold: Hold) -> None:
    session, _ = subscriber(hold)
    assert hold.entered.wait(SOON)

    began = time.monotonic()
    session.close(timeout=0.3, **{option: 0.3})

    assert time.monotonic() - began < 1.5
    assert not session.is_alive()


def test_a_second_close_ends_it_at_once() -> None:
    session, script = start(ScriptedTransport(strict=False))
    script.emit(response_created(), audio_delta(ms=60_000))
    polite = threading.Thread(target=session.close, kwargs={"after_turn": True})
    polite.start()
    asking = otp.observe  # until the session knows that it is to end
    while asking() and not isinstance(refused(session), ra.SessionClosedError):
        pass

    session.close()

    polite.join(SOON)
    assert not polite.is_alive()
    assert not session.is_alive()


def refused(session: ra.Session) -> Exception | None:
    try:
        session.create_response()
    except ra.SessionClosedError as closed:
        return closed
    return None


def test_whoever_sends_the_message_is_answered_when_the_end_begins() -> None:
    session, script = start(ScriptedTransport(strict=False))
    script.emit(response_created(), audio_delta(ms=100))
    answer = session.ask(messages.Close(after_turn=5), block=False)

    script.emit(response_done())

    assert answer.get(timeout=SOON) is None
    session.close()


def test_a_proxy_closes_politely_too() -> None:
    session, script = start(ScriptedTransport(strict=False))
    script.emit(response_created(), audio_delta(ms=100))
    probe = Probe(session)

    session.proxy().close(after_turn=5).get(timeout=SOON)
    assert session.is_alive()
    script.emit(response_done())

    assert probe.wait_for(ConnectionEvent).reason == "the session was closed"


def test_a_session_that_has_ended_is_closed_already() -> None:
    session, _ = start(ScriptedTransport(strict=False))
    session.close()

    session.close(after_playback=True)
    session.close(after_turn=True)


def test_a_supervisor_does_not_start_again_what_was_closed_politely() -> None:
    calls: Any = otp.start(otp.DynamicSupervisor)
    session = ra.run(
        ra.agent(), transport=ScriptedTransport(strict=False), supervisor=calls, restart="transient"
    )
    probe = Probe(session)

    session.close(after_turn=True)

    assert probe.wait_for(ConnectionEvent).state == "closed"
    assert calls.count_children().specs == 0
    assert probe.all(HistoryAddedEvent) == []
    otp.stop(calls)
