"""A program learns that words of the user were lost, when, and how much."""

from __future__ import annotations

import threading
from collections import deque

import pytest

import realtime_actors as ra
from realtime_actors import otp
from realtime_actors.events import ConnectionEvent, ErrorEvent, InputAudioDroppedEvent
from realtime_actors.protocol import Dialect
from realtime_actors.testing import Probe, ScriptedTransport, fake_clock
from realtime_actors.transport import ConnectOptions, DroppedAudio
from tests.session.raw_server import session_and_peer
from tests.session.wire import error
from tests.transport.wire import RawServer

FRAME = bytes(960)


class Narrow(ScriptedTransport):
    """A connection that drops audio as the test says, and notes the formats that it was told."""

    def __init__(self) -> None:
        super().__init__(strict=False)
        self.drops: deque[DroppedAudio | None] = deque()
        self.formats: list[str] = []

    def send_audio(self, audio, *, commit=False, audio_format="pcm16"):
        self.formats.append(audio_format)
        super().send_audio(audio, commit=commit, audio_format=audio_format)
        return self.drops.popleft() if self.drops else None


def mailbox_of(session: ra.Session) -> int:
    """How many messages wait for the session."""
    (found,) = [info for _, info in otp.observe().walk() if info.kind == "session"]
    return found.mailbox


def test_audio_that_was_dropped_is_told_at_once_and_then_once_a_second() -> None:
    script = Narrow()
    with fake_clock() as clock, ra.run(ra.agent(), transport=script) as session:
        probe = Probe(session)
        script.drops += [None, *(DroppedAudio(ms=20, at_ms=20) for _ in range(51))]
        for _ in range(2):
            session.send_audio(FRAME)
        session.history()
        for _ in range(50):
            session.send_audio(FRAME)
        session.history()
        assert probe.all(InputAudioDroppedEvent) == [
            InputAudioDroppedEvent(dropped_ms=20, audio_start_ms=20)
        ]

        clock.advance(1)
        assert [
            (each.dropped_ms, each.audio_start_ms)
            for each in (probe.wait_for(InputAudioDroppedEvent) for _ in range(2))
        ] == [(20, 20), (1000, 20)]


def test_a_session_that_is_busy_is_told_of_all_that_was_dropped_by_one_message() -> None:
    script = Narrow()
    entered, opened = threading.Event(), threading.Event()

    class Busy:
        def put(self, message: ra.SessionEvent) -> None:
            entered.set()
            assert opened.wait(20)

    with fake_clock() as clock, ra.run(ra.agent(), transport=script) as session:
        probe = Probe(session)
        session.subscribe(Busy(), only=ErrorEvent)
        script.emit(error("slow"))
        assert entered.wait(20)
        script.drops += [DroppedAudio(ms=20, at_ms=number) for number in range(1000)]
        for _ in range(1000):
            session.send_audio(FRAME)

        assert mailbox_of(session) == 1
        opened.set()
        told = probe.wait_for(InputAudioDroppedEvent)
        assert (told.dropped_ms, told.audio_start_ms) == (20_000, 0)
        clock.advance(1)
        session.history()
        assert len(probe.all(InputAudioDroppedEvent)) == 1


def test_a_session_that_is_started_again_tells_of_what_is_lost_from_then_on() -> None:
    made: list[Narrow] = []
    entered, opened = threading.Event(), threading.Event()

    def make(options: ConnectOptions, dialect: Dialect) -> ScriptedTransport:
        made.append(Narrow())
        return made[-1](options, dialect)

    class Busy:
        def put(self, message: ra.SessionEvent) -> None:
            entered.set()
            assert opened.wait(20)

    calls = otp.start(otp.DynamicSupervisor)
    try:
        session = ra.run(ra.agent(), transport=make, supervisor=calls)
        probe = Probe(session, only=[ConnectionEvent, InputAudioDroppedEvent])
        session.subscribe(Busy(), only=ErrorEvent)
        made[0].emit(error("slow"))
        assert entered.wait(20)
        made[0].drops.append(DroppedAudio(ms=20, at_ms=0))
        session.send_audio(FRAME)  # nobody will come to telling of this
        otp.exit_signal(session, otp.KILL)
        opened.set()
        probe.wait_for(ConnectionEvent, lambda event: event.state == "connected")

        made[1].drops.append(DroppedAudio(ms=40, at_ms=100))
        session.send_audio(FRAME)
        told = probe.wait_for(InputAudioDroppedEvent)
        assert (told.dropped_ms, told.audio_start_ms) == (40, 100)
    finally:
        opened.set()
        otp.stop(calls)


def test_the_transport_is_told_how_long_the_bytes_last() -> None:
    script = Narrow()
    with ra.run(ra.agent(), transport=script) as session:
        session.send_audio(FRAME)
        session.update_session({"input_audio_format": "g711_ulaw"})
        session.send_audio(FRAME)

    assert script.formats == ["pcm16", "g711_ulaw"]


@pytest.mark.parametrize("transport", ["fast", "plain"])
def test_a_server_that_stops_reading_costs_the_oldest_audio_and_the_program_hears_of_it(
    transport: str,
) -> None:
    with (
        RawServer() as server,
        session_and_peer(server, transport=transport, max_outbound_audio_ms=1000) as (session, _),
    ):
        probe = Probe(session, only=InputAudioDroppedEvent)
        for _ in range(10_000):
            session.send_audio(bytes(48 * 500))
            if probe.events:
                break
        told = probe.wait_for(InputAudioDroppedEvent)

        assert told.dropped_ms >= 500
        assert told.dropped_ms % 500 == told.audio_start_ms % 500 == 0
        assert session.connected
