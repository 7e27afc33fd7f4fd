"""One order of events for all subscribers, whichever thread handles what the server says."""

from __future__ import annotations

import base64
import contextlib
import itertools
import queue
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pykka
import pytest
from hypothesis import given
from hypothesis import strategies as st

import realtime_actors as ra
from realtime_actors import otp
from realtime_actors.errors import SessionClosedError, SessionError
from realtime_actors.events import AudioEvent, AudioInterruptedEvent, ConnectionEvent
from realtime_actors.messages import History, Interrupt, SessionEvent
from realtime_actors.testing import Probe, ScriptedTransport
from tests.session.wire import audio_delta, response_created, response_done, transcript_delta
from tests.speed.talking import AGENT

Queue = queue.SimpleQueue[SessionEvent]

WINDOW = 100
"""Pieces after which the session has to have taken those before: no network holds them all."""


@pytest.fixture
def script() -> Iterator[ScriptedTransport]:
    with ScriptedTransport(strict=False) as script:
        yield script


@pytest.fixture
def restless() -> Iterator[None]:
    """Have the threads take turns at nearly every instruction."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def odd(item_id: str, audio: bytes, response_id: str = "r1") -> dict[str, Any]:
    """A piece of speech, which may be an odd number of bytes."""
    piece = audio_delta(item_id, 0, response_id)
    return piece | {"delta": base64.b64encode(audio).decode()}


def speaking(script: ScriptedTransport, session: ra.Session, response_id: str = "r1") -> None:
    """Begin a response, and wait until the session knows of it."""
    script.emit(response_created(response_id))
    session.history()


@contextlib.contextmanager
def flooded(
    script: ScriptedTransport, session: ra.Session, speech: Iterable[dict[str, Any]]
) -> Iterator[threading.Thread]:
    """Have a thread say all of this as fast as the session takes it, or until the block ends."""
    enough = threading.Event()

    def flood() -> None:
        with contextlib.suppress(SessionError, otp.CallExit):  # it may be closed meanwhile
            taken = session.ask(History(), block=False)
            for number, event in enumerate(speech):
                if enough.is_set():
                    return
                if number % WINDOW == 0:
                    taken.get(timeout=10)
                    taken = session.ask(History(), block=False)
                script.emit(event)

    reader = threading.Thread(target=flood)
    reader.start()
    try:
        yield reader
    finally:
        enough.set()
        reader.join()


def piece(number: int, response_id: str = "r1") -> dict[str, Any]:
    """A piece of speech that can be told from the others."""
    event = audio_delta(response_id=response_id, item_id=f"of {response_id}")
    return {**event, "delta": base64.b64encode(number.to_bytes(2, "big")).decode()}


def numbers(events: Queue) -> list[int]:
    """The pieces in a queue, as far as it goes."""
    found = []
    while not events.empty():
        event = events.get().event
        if isinstance(event, AudioEvent):
            found.append(int.from_bytes(event.audio.data, "big"))
    return found


class Sink:
    """A subscriber of the program's own."""

    def __init__(self, take: Callable[[SessionEvent], object]) -> None:
        self.put = take


class Teller(otp.GenServer):
    """An actor that passes on what it is told."""

    def init(self, take: Callable[[SessionEvent], object]) -> otp.Ok:
        return otp.Ok(take)

    def handle_cast(self, message: SessionEvent, state: Any) -> otp.NoReply:
        state(message)
        return otp.NoReply(state)


class FullTeller(Teller):
    """One whose mailbox keeps its senders waiting."""

    mailbox = otp.Bounded(1)


class PlainTeller(pykka.ThreadingActor):
    """One that is none of ours."""

    use_daemon_thread = True

    def __init__(self, take: Callable[[SessionEvent], object]) -> None:
        super().__init__()
        self._take = take

    def on_receive(self, message: Any) -> None:
        self._take(message)


def at_rest(session: ra.Session) -> None:
    """Wait until the session's own thread sleeps."""
    pause = threading.Event()
    for _ in range(10_000):
        found = (each for _, each in otp.observe().walk() if each.ref is session)
        if next(found).status is otp.Status.IDLE:
            return
        pause.wait(0.001)
    raise AssertionError("the session never rests")


NEVER_WAIT = {
    "a SimpleQueue": lambda taken: taken,
    "a Queue": lambda taken: queue.Queue(),
    "a queue with an end": lambda taken: queue.Queue(maxsize=10),
    "an actor": lambda taken: otp.start(Teller, taken.put),
    "a plain pykka actor": lambda taken: PlainTeller.start(taken.put),
}
MAY_WAIT = {
    "an object of the program's own": lambda taken: Sink(taken.put),
    "an actor whose mailbox has an end": lambda taken: otp.start(FullTeller, taken.put),
}


def let_go(subscriber: Any) -> None:
    if isinstance(subscriber, pykka.ActorRef):
        subscriber.stop()


def handled_by(script: ScriptedTransport, session: ra.Session) -> int:
    """The thread in which the session handles what this thread reads."""
    threads: queue.SimpleQueue[int] = queue.SimpleQueue()
    noting = Sink(lambda message: threads.put(threading.get_ident()))
    session.subscribe(noting, only=AudioEvent, direct=True)
    at_rest(session)
    script.emit(audio_delta())
    thread = threads.get(timeout=10)
    session.unsubscribe(noting)
    return thread


@pytest.mark.inline
@pytest.mark.parametrize("kind", NEVER_WAIT)
def test_what_never_waits_is_handed_events_by_the_thread_that_has_read_them(script, kind):
    with ra.run(AGENT, transport=script) as session:
        speaking(script, session)
        subscriber = NEVER_WAIT[kind](queue.SimpleQueue())
        session.subscribe(subscriber)

        assert handled_by(script, session) == threading.get_ident()
        let_go(subscriber)


@pytest.mark.parametrize("kind", MAY_WAIT)
def test_what_may_wait_is_waited_for_by_its_own_session_alone(script, kind):
    with ra.run(AGENT, transport=script) as session:
        speaking(script, session)
        subscriber = MAY_WAIT[kind](queue.SimpleQueue())
        session.subscribe(subscriber)

        assert handled_by(script, session) != threading.get_ident()
        let_go(subscriber)


@pytest.mark.inline
def test_a_subscriber_that_promises_not_to_wait_is_believed_and_one_that_goes_is_forgotten(script):
    with ra.run(AGENT, transport=script) as session:
        speaking(script, session)
        subscriber = Sink(lambda message: None)
        threads = [handled_by(script, session)]
        for direct in (False, True, False):
            session.subscribe(subscriber, direct=direct)
            threads.append(handled_by(script, session))
        session.unsubscribe(subscriber)
        threads.append(handled_by(script, session))

    here = threading.get_ident()
    assert [thread == here for thread in threads] == [True, False, True, False, True]


@pytest.mark.inline
def test_an_event_is_there_when_the_thread_that_read_it_goes_on(script):
    events: Queue = queue.SimpleQueue()
    with ra.run(AGENT, transport=script) as session:
        session.subscribe(events, only=AudioEvent)
        speaking(script, session)
        at_rest(session)
        script.emit(audio_delta(item_id="i1", ms=20))

        message = events.get_nowait()

    assert message.session == session
    assert (message.event.response_id, message.event.item_id) == ("r1", "i1")
    assert message.event.audio.data == bytes(960)


KINDS = {**NEVER_WAIT, **MAY_WAIT, "a stream": None, "a promise": None}


@pytest.mark.parametrize("interval", [5e-6, 5e-3, 5e-2])
def test_all_kinds_of_subscribers_get_the_same_events_and_no_audio_after_an_interruption(
    script, interval
):
    wanted = [AudioEvent, AudioInterruptedEvent]
    before = sys.getswitchinterval()
    sys.setswitchinterval(interval)
    taken: dict[str, Queue] = {kind: queue.SimpleQueue() for kind in KINDS}
    try:
        with ra.run(AGENT, transport=script) as session:
            subscribers: dict[str, Any] = {
                kind: make(taken[kind]) for kind, make in {**NEVER_WAIT, **MAY_WAIT}.items()
            }
            del subscribers["a queue with an end"], taken["a queue with an end"]  # it drops some
            taken["a Queue"] = subscribers["a Queue"]
            subscribers["a promise"] = Sink(taken["a promise"].put)
            for kind, subscriber in subscribers.items():
                session.subscribe(subscriber, only=wanted, direct=kind == "a promise")
            stream = session.events(only=wanted, limit=1_000_000)
            one: Queue = queue.SimpleQueue()
            session.subscribe(one, only=wanted)
            for number in range(10):
                response_id = f"r{number}"
                speaking(script, session, response_id)
                speech = (piece(each % 65536, response_id) for each in itertools.count())
                with flooded(script, session, speech):
                    while one.get(timeout=10).event.response_id != response_id:
                        pass
                    session.interrupt()
                script.emit(response_done(response_id, "cancelled"))
            session.history()
            for subscriber in subscribers.values():
                let_go(subscriber)
        seen = {kind: [each.event for each in drained(taken[kind])] for kind in subscribers}
        *seen["a stream"], _ = stream  # the last one says that it is the last
    finally:
        sys.setswitchinterval(before)

    first = seen["a SimpleQueue"]
    for events in seen.values():
        assert events == first
    over: set[str | None] = set()
    for event in first:
        if isinstance(event, AudioInterruptedEvent):
            over.add(event.response_id)
        else:
            assert event.response_id not in over
    assert len(over) == 10


def drained(events: Any) -> list[SessionEvent]:
    return [events.get() for _ in range(events.qsize())]


def test_a_subscriber_that_blocks_for_ever_holds_up_its_own_session_and_none_of_fifty_others():
    blocked, go_on = threading.Event(), threading.Event()

    class Blocking:
        def put(self, message: SessionEvent) -> None:
            blocked.set()
            go_on.wait(60)

    with contextlib.ExitStack() as stack:
        calls = []
        for _ in range(51):
            script = stack.enter_context(ScriptedTransport(strict=False))
            session = stack.enter_context(ra.run(AGENT, transport=script))
            speaking(script, session)
            events: Queue = queue.SimpleQueue()
            session.subscribe(events, only=AudioEvent)
            calls.append((script, session, events))
        calls[0][1].subscribe(Blocking(), only=AudioEvent)
        stack.callback(go_on.set)
        for number in range(50):  # this thread reads for all of them
            for script, _, _ in calls:
                script.emit(piece(number))

        assert blocked.wait(10)
        for _, session, events in calls[1:]:
            session.history()
            assert numbers(events) == list(range(50))
        assert numbers(calls[0][2]) == [0]


def test_what_was_handed_over_counts_as_played_when_the_user_interrupts(script):
    with ra.run(AGENT, transport=script) as session:
        session.subscribe(queue.SimpleQueue(), only=AudioEvent, direct=True)
        probe = Probe(session)
        session.unsubscribe(probe)
        session.subscribe(probe, only=AudioInterruptedEvent)
        speaking(script, session)
        script.emit(audio_delta(item_id="i1", ms=20_000))
        session.interrupt()
        interrupted = probe.wait_for(AudioInterruptedEvent)

    assert (interrupted.response_id, interrupted.item_id) == ("r1", "i1")


def test_no_audio_follows_an_interruption_however_much_is_on_its_way(script, restless):
    events: Queue = queue.SimpleQueue()
    with ra.run(AGENT, transport=script) as session:
        session.subscribe(events, only=[AudioEvent, AudioInterruptedEvent], direct=True)
        for number in range(100):
            response_id = f"r{number}"
            speaking(script, session, response_id)
            speech = itertools.repeat(audio_delta(response_id=response_id, item_id=response_id))
            with flooded(script, session, speech):
                while not isinstance(events.get(timeout=10).event, AudioEvent):
                    pass
                session.interrupt()
                while not isinstance(events.get(timeout=10).event, AudioInterruptedEvent):
                    pass
            script.emit(response_done(response_id, "cancelled"))

            assert events.empty()


class SlowSink:
    """Takes its time over the first piece of speech. Nobody should be like that."""

    def __init__(self) -> None:
        self.busy, self.go_on = threading.Event(), threading.Event()

    def put(self, message: SessionEvent) -> None:
        self.busy.set()
        assert self.go_on.wait(timeout=10)


def test_an_interruption_waits_until_what_is_being_handed_over_is_with_everybody(script):
    slow, events = SlowSink(), queue.SimpleQueue()  # type: tuple[SlowSink, Queue]
    with ra.run(AGENT, transport=script) as session:
        session.subscribe(slow, only=AudioEvent, direct=True)
        session.subscribe(events, only=[AudioEvent, AudioInterruptedEvent], direct=True)
        speaking(script, session)
        reader = threading.Thread(target=script.emit, args=(audio_delta(),))
        reader.start()
        assert slow.busy.wait(timeout=10)
        session.tell(Interrupt())
        with pytest.raises(queue.Empty):
            events.get(timeout=0.2)
        slow.go_on.set()
        received = [events.get(timeout=10).event for _ in range(2)]
        reader.join()

    assert [type(event) for event in received] == [AudioEvent, AudioInterruptedEvent]


@pytest.mark.parametrize("direct", [False, True])
def test_a_subscriber_that_would_wait_for_its_session_is_told_at_once(script, direct):
    raised: queue.SimpleQueue[otp.DeadlockError] = queue.SimpleQueue()

    class Waiting:
        def put(self, message: SessionEvent) -> None:
            try:
                message.session.interrupt()
            except otp.DeadlockError as error:
                raised.put(error)

    with ra.run(AGENT, transport=script) as session:
        session.subscribe(Waiting(), only=AudioEvent, direct=direct)
        speaking(script, session)
        script.emit(audio_delta())

        assert raised.get(timeout=10).reason == "calling_self"
        assert session.current_agent() is AGENT


@pytest.mark.parametrize(
    "end", [ra.Session.close, lambda session: otp.exit_signal(session, otp.KILL)]
)
def test_a_direct_subscriber_that_ends_the_session_holds_up_nobody(script, end):
    class Ending:
        def put(self, message: SessionEvent) -> None:
            end(message.session)

    with ra.run(AGENT, transport=script) as session:
        session.subscribe(Ending(), only=AudioEvent, direct=True)
        speaking(script, session)
        reader = threading.Thread(target=script.emit, args=[audio_delta()], daemon=True)
        reader.start()

        reader.join(timeout=10)
        assert not reader.is_alive()


@pytest.mark.inline
def test_ctrl_c_while_a_session_runs_in_the_main_thread_is_the_programs_and_ends_the_session(
    script,
):
    class Interrupted:
        def put(self, message: SessionEvent) -> None:
            raise KeyboardInterrupt

    with ra.run(AGENT, transport=script) as session:
        session.subscribe(Interrupted(), only=AudioEvent, direct=True)
        speaking(script, session)
        at_rest(session)
        with pytest.raises(KeyboardInterrupt):
            script.emit(audio_delta())

        assert otp.self_() is None
        with pytest.raises(SessionClosedError, match="KeyboardInterrupt"):
            session.interrupt()


def test_nothing_is_handed_over_after_the_end(restless):
    for _ in range(20):
        events: Queue = queue.SimpleQueue()
        with ScriptedTransport(strict=False) as script, ra.run(AGENT, transport=script) as session:
            session.subscribe(events, only=[AudioEvent, ConnectionEvent], direct=True)
            speaking(script, session)
            with flooded(script, session, itertools.repeat(audio_delta())):
                events.get(timeout=10)
                session.close()

        *_, last = (events.get() for _ in range(events.qsize()))
        assert isinstance(last.event, ConnectionEvent)
        assert last.event.state == "closed"


def test_held_speech_waits_for_the_guardrails_of_a_direct_subscriber_too(script):
    @ra.output_guardrail
    def nothing_bad(text: str) -> bool:
        return True

    events: Queue = queue.SimpleQueue()
    config = {
        "output_guardrails": [nothing_bad],
        "guardrails_settings": {"mode": "hold"},
    }
    with ra.run(AGENT, transport=script, config=config) as session:
        session.subscribe(events, only=AudioEvent, direct=True)
        speaking(script, session)
        script.emit(audio_delta())
        session.history()

        assert events.empty()


@given(
    st.lists(
        st.lists(st.sampled_from(["audio", "audio", "audio", "words"]), min_size=1, max_size=4)
        | st.sampled_from(["ask", "direct", "usual"]),
        max_size=30,
    )
)
def test_everybody_gets_every_piece_once_and_in_order(happenings):
    """Whatever comes with it, and however a subscription changes."""
    one, other = queue.SimpleQueue(), queue.SimpleQueue()  # type: tuple[Queue, Queue]
    with ScriptedTransport(strict=False) as script, ra.run(AGENT, transport=script) as session:
        session.subscribe(one, only=AudioEvent, direct=True)
        session.subscribe(other, only=AudioEvent)
        speaking(script, session)
        said = 0
        for happening in happenings:
            match happening:
                case "ask":
                    session.history()
                case "direct" | "usual":
                    session.subscribe(one, only=AudioEvent, direct=happening == "direct")
                case _:
                    batch = []
                    for kind in happening:
                        if kind == "words":
                            batch.append(transcript_delta("word "))
                        else:
                            batch.append(piece(said))
                            said += 1
                    script.emit(*batch)
        session.history()

        assert numbers(one) == list(range(said))
        assert numbers(other) == list(range(said))


def test_a_subscription_that_changes_amid_the_speech_misses_nothing(script, restless):
    one, other = queue.SimpleQueue(), queue.SimpleQueue()  # type: tuple[Queue, Queue]
    said = 1000
    with ra.run(AGENT, transport=script) as session:
        session.subscribe(one, only=AudioEvent, direct=True)
        session.subscribe(other, only=AudioEvent)
        speaking(script, session)
        direct = True
        with flooded(script, session, map(piece, range(said))) as reader:
            while reader.is_alive():
                direct = not direct
                session.subscribe(one, only=AudioEvent, direct=direct)
        session.history()

        assert numbers(one) == list(range(said))
        assert numbers(other) == list(range(said))


def test_samples_that_were_cut_in_two_are_whole_in_direct_hands_too(script) -> None:
    pieces = [b"abc", b"def", b"gh", b"i", b"j", b"kl"] * 50
    with ra.run(AGENT, transport=script) as session:
        direct, others = queue.SimpleQueue[SessionEvent](), queue.SimpleQueue[SessionEvent]()
        session.subscribe(direct, only=AudioEvent, direct=True)
        session.subscribe(others, only=AudioEvent)
        speaking(script, session)
        for piece in pieces:
            script.emit(odd("i1", piece))
        session.history()

        for subscriber in (direct, others):
            heard = [subscriber.get(timeout=5).event.audio.data]
            while not subscriber.empty():
                heard.append(subscriber.get(timeout=5).event.audio.data)
            assert all(len(each) % 2 == 0 for each in heard)
            assert b"".join(heard) == b"".join(pieces)
