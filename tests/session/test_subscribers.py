"""Subscribers that take their time, that raise, that are gone; and streams that end."""

from __future__ import annotations

import asyncio
import gc
import logging
import multiprocessing
import queue
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

import realtime_actors as ra
from realtime_actors import otp
from realtime_actors.events import (
    ConnectionEvent,
    ErrorEvent,
    Event,
    InputTranscriptEvent,
)
from realtime_actors.testing import Probe, ScriptedTransport
from tests.otp.actors import SOON, down_of
from tests.session.wire import error


@pytest.fixture
def script() -> ScriptedTransport:
    return ScriptedTransport(strict=False)


@pytest.fixture
def session(script: ScriptedTransport) -> Iterator[ra.Session]:
    with ra.run(ra.agent(), transport=script) as session:
        yield session


class Turnstile:
    """A subscriber whose `put` waits until it is opened."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.entered = threading.Event()
        self.opened = threading.Event()

    def put(self, message: ra.SessionEvent) -> None:
        self.entered.set()
        self.opened.wait(SOON)
        self.taken.append(name(message.event))


@pytest.fixture
def turnstile() -> Iterator[Turnstile]:
    turnstile = Turnstile()
    yield turnstile
    turnstile.opened.set()


def name(event: Event) -> str:
    match event:
        case ConnectionEvent(state=state):
            return state
        case ErrorEvent(error=details):
            return str(details.code or details.type)
    return event.type


def names(subscriber: queue.SimpleQueue[ra.SessionEvent]) -> list[str]:
    found = []
    while not subscriber.empty():
        found.append(name(subscriber.get().event))
    return found


# -- that take their time --------------------------------------------------------------------


def test_closing_takes_no_longer_than_it_may_whatever_a_subscriber_does(
    session: ra.Session, script: ScriptedTransport, turnstile: Turnstile
) -> None:
    quick: queue.SimpleQueue[ra.SessionEvent] = queue.SimpleQueue()
    for subscriber in (turnstile, quick):
        session.subscribe(subscriber)
    script.emit(error("first"), error("second"))
    assert turnstile.entered.wait(SOON)

    began = time.monotonic()
    session.close(timeout=0.2)

    assert time.monotonic() - began < 1.0
    assert names(quick) == ["closed"]  # the session never came to telling it of the errors
    turnstile.opened.set()
    wait_for(lambda: turnstile.taken == ["first", "closed"])


def wait_for(holds: Any) -> None:
    deadline = time.monotonic() + SOON
    while not holds():
        assert time.monotonic() < deadline
        threading.Event().wait(0.001)


@pytest.mark.parametrize("how", ["close", "limit", "crash"])
def test_an_end_does_not_wait_for_who_takes_its_news(
    how: str, session: ra.Session, script: ScriptedTransport, turnstile: Turnstile
) -> None:
    session.subscribe(turnstile, only=ConnectionEvent)

    began = time.monotonic()
    with otp.Client() as client:
        if how == "close":
            session.close()
        elif how == "limit":
            script.emit(error("insufficient_quota"))
        else:
            otp.send(session, "what nobody says")
        down_of(session, client)

    assert time.monotonic() - began < 1.0
    assert turnstile.entered.wait(SOON)
    turnstile.opened.set()
    wait_for(lambda: turnstile.taken == ["closed"])


def test_who_kills_a_session_waits_for_no_subscriber_of_it(
    session: ra.Session, script: ScriptedTransport, turnstile: Turnstile
) -> None:
    session.subscribe(turnstile)
    script.emit(error("first"))
    assert turnstile.entered.wait(SOON)

    began = time.monotonic()
    otp.exit_signal(session, otp.KILL)

    assert time.monotonic() - began < 0.5
    assert not session.is_alive()


def test_a_subscriber_that_waits_holds_up_no_other_call_of_its_supervisor(
    turnstile: Turnstile,
) -> None:
    calls = otp.start(otp.DynamicSupervisor)
    script = ScriptedTransport(strict=False)
    stuck = ra.run(ra.agent(), transport=script, supervisor=calls)
    stuck.subscribe(turnstile)
    script.emit(error("first"))
    assert turnstile.entered.wait(SOON)
    otp.exit_signal(stuck, otp.KILL)  # it is told so, and started again

    other = ra.run(
        ra.agent(), transport=ScriptedTransport(strict=False), supervisor=calls, timeout=2.0
    )

    assert other.is_alive()
    turnstile.opened.set()
    calls.stop()


def test_a_session_that_starts_again_tells_such_a_subscriber_in_order(
    turnstile: Turnstile,
) -> None:
    calls = otp.start(otp.DynamicSupervisor)
    factory = Again()
    session = ra.run(ra.agent(), transport=factory, supervisor=calls)
    session.subscribe(turnstile, only=ConnectionEvent)
    probe = Probe(session)
    otp.exit_signal(session, otp.KILL)
    probe.wait_for(ConnectionEvent, lambda event: event.state == "connected")

    turnstile.opened.set()

    session.close()
    wait_for(lambda: turnstile.taken == ["lost", "connecting", "connected", "closed"])
    calls.stop()


class Again:
    """Makes a new scripted transport for each incarnation."""

    def __call__(self, options: Any, dialect: Any) -> ScriptedTransport:
        return ScriptedTransport(strict=False)(options, dialect)


# -- that raise ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raised",
    [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError, otp.Exit],
)
@pytest.mark.parametrize("direct", [False, True])
def test_a_subscriber_that_raises_anything_is_removed_and_nobody_else_notices(
    raised: type[BaseException],
    direct: bool,
    session: ra.Session,
    script: ScriptedTransport,
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Raises:
        puts = 0

        def put(self, message: ra.SessionEvent) -> None:
            self.puts += 1
            raise raised

    rude, polite = Raises(), Probe(session)
    session.subscribe(rude, direct=direct)
    with caplog.at_level(logging.WARNING, "realtime_actors.session"):
        script.emit(error("first"), error("second"))
        polite.wait_for(ErrorEvent, lambda event: event.error.code == "second")

    assert rude.puts == 1
    assert session.is_alive()
    assert [record.getMessage() for record in caplog.records] == [
        f"a subscriber raised {raised.__name__}: it was removed"
    ]


# -- of another world ------------------------------------------------------------------------


class Coroutines:
    """Like a queue of an event loop."""

    async def put(self, message: object) -> None: ...


@pytest.mark.parametrize("make", [asyncio.Queue, asyncio.LifoQueue, Coroutines])
def test_a_queue_of_an_event_loop_is_refused_with_what_to_do(make: Any, session: ra.Session):
    with pytest.raises(ra.ConfigError, match="belongs to an event loop") as refused:
        session.subscribe(make())
    assert "loop.call_soon_threadsafe" in str(refused.value)
    assert "`aio.Queue` of realtime_actors.aio" in str(refused.value)


def test_a_queue_of_another_process_is_refused_with_what_to_do(session: ra.Session):
    there: Any = multiprocessing.get_context("fork").SimpleQueue()
    with pytest.raises(ra.ConfigError, match="leads to another process"):
        session.subscribe(there)
    there.close()


# -- streams ---------------------------------------------------------------------------------


def subscribers(session: ra.Session) -> int:
    return len(session.shared.subscribers.all)


def test_nothing_is_left_of_a_loop_over_events(session: ra.Session, script: ScriptedTransport):
    for _ in range(20):
        script.emit(error("early"))
        events = session.events(timeout=SOON)
        script.emit(error("late"))
        for event in events:
            assert name(event) == "late"
            break
        del events
    assert subscribers(session) == 0


def test_a_stream_that_nobody_holds_is_collected(session: ra.Session, script: ScriptedTransport):
    stream = session.events()
    gone = weakref.ref(stream)
    stream.me = stream  # type: ignore[attr-defined]  # a cycle: it waits for the collector
    del stream
    gc.collect()
    assert gone() is None
    probe = Probe(session)
    script.emit(error("news"))
    probe.wait_for(ErrorEvent)
    assert subscribers(session) == 1


def test_a_stream_goes_on_after_a_loop_as_long_as_it_is_held(
    session: ra.Session, script: ScriptedTransport
):
    stream = session.events(timeout=SOON)
    script.emit(error("first"), error("second"))
    for event in stream:
        assert name(event) == "first"
        break
    assert name(next(stream)) == "second"


def test_a_closed_stream_has_no_next_event(session: ra.Session, script: ScriptedTransport):
    stream = session.events(timeout=SOON)
    script.emit(error("unread"))
    stream.close()
    stream.close()
    assert list(stream) == []
    assert subscribers(session) == 0


def test_a_with_block_closes_the_stream(session: ra.Session, script: ScriptedTransport):
    with session.events(timeout=SOON) as stream:
        script.emit(error("read"), error("unread"))
        assert name(next(stream)) == "read"
    assert next(stream, None) is None
    assert subscribers(session) == 0


def test_closing_a_stream_wakes_its_reader(session: ra.Session):
    stream, seen = session.events(), list[Event]()
    reader = threading.Thread(target=lambda: seen.extend(stream))
    reader.start()
    stream.close()
    reader.join(SOON)
    assert not reader.is_alive()
    assert seen == []


def test_transcripts_are_a_stream_too(session: ra.Session):
    with session.transcripts() as words:
        assert subscribers(session) == 1
    assert list(words) == []
    assert subscribers(session) == 0


def test_an_ended_session_keeps_no_stream(session: ra.Session):
    stream = session.events(timeout=SOON)
    session.close()
    assert [name(event) for event in stream] == ["closed"]
    assert subscribers(session) == 0


def test_a_stream_that_is_full_drops_the_oldest(session: ra.Session, script: ScriptedTransport):
    stream, probe = session.events(timeout=SOON, limit=2), Probe(session)
    script.emit(*(error(f"number {number}") for number in range(5)))
    probe.wait_for(ErrorEvent, lambda event: event.error.code == "number 4")
    assert [name(next(stream)) for _ in range(2)] == ["number 3", "number 4"]
    assert stream.dropped == 3


@pytest.mark.parametrize("limit", [0, -1, True, 1.5, "many"])
def test_a_stream_without_room_is_refused(limit: Any, session: ra.Session):
    with pytest.raises(ra.ConfigError, match=r"the limit of events\(\) is"):
        session.events(limit=limit)


def test_words_that_are_still_coming_keep_a_reader_of_transcripts_patient(session: ra.Session):
    """The time limit is for silence: it begins anew with each piece of a transcript."""
    stream = session.transcripts(timeout=0.3)
    stop = threading.Event()

    def speak() -> None:
        for _ in range(8):
            stop.wait(0.1)
            partial = InputTranscriptEvent(item_id="i1", status="partial", text="so", delta="so")
            stream.kept.put(ra.SessionEvent(session, partial))

    speaker = threading.Thread(target=speak)
    began = time.monotonic()
    speaker.start()
    with pytest.raises(TimeoutError):
        next(stream)
    assert time.monotonic() - began > 0.8
    speaker.join()
