"""realtime_actors, as a program uses it: `run`, `subscribe`, `send_audio`."""

from __future__ import annotations

import gc
import itertools
import math
import queue
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import realtime_actors as ra
from benchmarks.measuring import (
    SILENCE,
    WARM_UP_SECONDS,
    appointments,
    collection_ms,
    cpu_by_thread,
    percentile,
    resident_bytes,
    sent_at,
    spending,
    summary_ms,
)
from realtime_actors.events import AudioEvent, AudioInterruptedEvent, SpeechStartedEvent
from realtime_actors.protocol import dialect
from realtime_actors.testing import ScriptedTransport

AGENT = ra.agent(name="Load", instructions="Be brief.")

THREADS = {
    "realtime": "io",
    "SessionServer": "session",
    "otp": "session",  # its timers
    "MainThread": "subscriber",
}
"""Whose thread it is, by the first word of its name."""


@contextmanager
def running(url: str, transport: str) -> Iterator[ra.Session]:
    where = {"url": url, "api_key": "none", "transport": transport}
    with ra.run(AGENT, model_config=where) as session:
        yield session


def decode(texts: list[str], repeat: int) -> dict[str, float]:
    decode_server = dialect("ga").decode_server
    messages = [text.encode() for text in texts]
    with spending() as spent:
        for _ in range(repeat):
            for message in messages:
                decode_server(message)
    return {"cpu_us": spent.cpu_s * 1e6 / repeat / len(texts)}


def long_call(items: int, turns: int) -> dict[str, float]:
    """Turns of a call that has a history already: with their events read, and unread."""
    script = ScriptedTransport(strict=False)
    with ra.run(AGENT, transport=script) as session:
        numbers = itertools.count()
        for number in itertools.islice(numbers, items // 2):
            turn(script, number)
            session.history()  # once this is answered, all before it has been dealt with
        events: queue.SimpleQueue[ra.SessionEvent] = queue.SimpleQueue()
        session.subscribe(events)

        def go_on(*, read: bool) -> None:
            for number in itertools.islice(numbers, turns):
                turn(script, number)
                session.history()
                while read and events.qsize():
                    events.get()

        with spending() as reading:
            go_on(read=True)
        with spending() as waiting:
            go_on(read=False)
        while events.qsize():
            events.get()
        with spending() as asking:
            for _ in range(turns):
                session.history()
        left_by_read = growth(lambda: go_on(read=True))
        left_by_unread = growth(lambda: go_on(read=False))
        count = events.qsize()
    return {
        "cpu_ms": reading.cpu_s * 1e3 / turns,
        "unread_cpu_ms": waiting.cpu_s * 1e3 / turns,
        "history_us": asking.cpu_s * 1e6 / turns,
        "bytes_per_event": (left_by_unread - left_by_read) / count,
        "events_per_turn": count / turns,
    }


def growth(work: Callable[[], object]) -> int:
    """Bytes that Python has more of after than before."""
    gc.collect()
    tracemalloc.start()
    try:
        work()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def turn(script: ScriptedTransport, number: int) -> None:
    """Have the server say what it says in a turn."""
    user, answer, response = f"user_{number}", f"answer_{number}", f"resp_{number}"
    before = f"answer_{number - 1}" if number else None
    words = [f"Word {number} {each}. " for each in range(5)]
    spoken = [{"type": "input_audio"}]
    asked = {"type": "message", "role": "user", "id": user, "content": spoken}
    said = {"type": "message", "role": "assistant", "id": answer}
    begun = {**said, "status": "in_progress", "content": []}
    part = {"type": "output_audio", "transcript": "".join(words)}
    whole = {**said, "status": "completed", "content": [part]}
    place = {"response_id": response, "item_id": answer, "output_index": 0, "content_index": 0}
    speech = "response.output_audio_transcript"
    ended = {"id": response, "status": "completed", "conversation_id": "conv_1", "output": [whole]}
    told: list[tuple[str, dict[str, object]]] = [
        ("input_audio_buffer.committed", {"item_id": user, "previous_item_id": before}),
        ("conversation.item.added", {"item": asked, "previous_item_id": before}),
        ("conversation.item.done", {"item": asked, "previous_item_id": before}),
        ("response.created", {"response": {"id": response, "conversation_id": "conv_1"}}),
        ("response.output_item.added", {"response_id": response, "item": begun}),
        ("conversation.item.added", {"item": begun, "previous_item_id": user}),
        *((f"{speech}.delta", {**place, "delta": word}) for word in words),
        (
            "conversation.item.input_audio_transcription.completed",
            {"item_id": user, "content_index": 0, "transcript": f"Question {number}?"},
        ),
        (f"{speech}.done", {**place, "transcript": "".join(words)}),
        ("response.output_item.done", {"response_id": response, "item": whole}),
        ("conversation.item.done", {"item": whole, "previous_item_id": user}),
        ("response.done", {"response": ended}),
    ]
    for kind, members in told:
        script.emit({"type": kind, "event_id": f"event_{number}", **members})


class Sink:
    """A subscriber without a queue: deals with audio in the thread that reads it, and goes on."""

    def __init__(self, take: Callable[[ra.SessionEvent], object]) -> None:
        self.put = take


def take_until(
    end: float,
    events: queue.SimpleQueue[ra.SessionEvent],
    take: Callable[[ra.SessionEvent], object],
    *,
    direct: bool,
) -> None:
    """Take what comes, until then. Without a queue the reading thread does that."""
    if direct:
        time.sleep(max(0.0, end - time.monotonic()))
        return
    while time.monotonic() < end:
        take(events.get())


def flood(url: str, count: int, transport: str = "fast", direct: bool = False) -> dict[str, float]:
    received = 0
    all_received = threading.Event()

    def take(message: ra.SessionEvent) -> None:
        nonlocal received
        if type(message.event) is AudioEvent:
            received += 1
            if received == count:
                all_received.set()

    with running(url, transport) as session:
        events: queue.SimpleQueue[ra.SessionEvent] = queue.SimpleQueue()
        session.subscribe(Sink(take) if direct else events, direct=direct)
        before = cpu_by_thread()
        with spending() as spent:
            session.send_audio(SILENCE)
            while not direct and received < count:
                take(events.get())
            all_received.wait()
        seconds = dict.fromkeys(THREADS.values(), 0.0)
        for name, total in cpu_by_thread().items():
            seconds[THREADS[name.partition("-")[0]]] += total - before.get(name, 0.0)
    return {
        "cpu_us": spent.cpu_s * 1e6 / count,
        "wall_us": spent.wall_s * 1e6 / count,
        **{f"{who}_us": each * 1e6 / count for who, each in seconds.items()},
    }


def paced(
    url: str, seconds: float, transport: str = "fast", direct: bool = False
) -> dict[str, float]:
    latencies = []
    begin = time.monotonic() + WARM_UP_SECONDS

    def take(message: ra.SessionEvent) -> None:
        event = message.event
        if type(event) is AudioEvent and (now := time.monotonic()) >= begin:
            latencies.append(now - sent_at(event.audio.data))

    with running(url, transport) as session:
        events: queue.SimpleQueue[ra.SessionEvent] = queue.SimpleQueue()
        session.subscribe(Sink(take) if direct else events, direct=direct)
        session.send_audio(SILENCE)
        take_until(begin + seconds, events, take, direct=direct)
    return summary_ms(latencies)


def send(url: str, frames: int, size: int) -> dict[str, float]:
    frame = bytes(size)
    with running(url, "fast") as session:
        events: queue.SimpleQueue[ra.SessionEvent] = queue.SimpleQueue()
        session.subscribe(events, only=[AudioEvent])
        session.send_audio(SILENCE)
        with spending() as spent:
            for _ in range(frames):
                session.send_audio(frame)
            events.get()
    return {"cpu_us": spent.cpu_s * 1e6 / frames, "calls_per_s": frames / spent.wall_s}


def scale(
    url: str, sessions: int, seconds: float, transport: str = "fast", direct: bool = False
) -> dict[str, float]:
    """Many conversations at once: one thread takes what all of them hear, one speaks for all.

    Direct ones need no thread that takes what they hear.
    """
    latencies: list[float] = []
    lateness: list[float] = []
    events: queue.SimpleQueue[ra.SessionEvent | None] = queue.SimpleQueue()

    def take(message: ra.SessionEvent) -> None:
        if type(message.event) is AudioEvent:
            latencies.append(time.monotonic() - sent_at(message.event.audio.data))

    def listen() -> None:
        while (message := events.get()) is not None:
            take(message)

    def speak(seconds: float) -> None:
        for due, group in appointments(sessions, seconds):
            time.sleep(max(0.0, due - time.monotonic()))
            for index in group:
                open_sessions[index].send_audio(SILENCE)
            lateness.append(time.monotonic() - due)

    with ExitStack() as stack:
        open_sessions = [stack.enter_context(running(url, transport)) for _ in range(sessions)]
        listener = threading.Thread(target=listen)
        listener.start()
        for session in open_sessions:
            session.subscribe(Sink(take) if direct else events, direct=direct)
        gc.collect()
        speak(WARM_UP_SECONDS)
        latencies.clear()
        lateness.clear()
        with spending(collect=False) as spent:
            speak(seconds)
        heard = summary_ms(latencies)
        threads = threading.active_count() - 2
        events.put(None)
        listener.join()
    return {
        **heard,
        "cores": spent.cpu_s / spent.wall_s,
        "late_p99_ms": percentile(lateness, 99) * 1000,
        "threads": threads,
    }


def barge_in(url: str, sessions: int, seconds: float, direct: bool = False) -> dict[str, float]:
    """From "speech started" leaving the server to the interruption in a subscriber's hands."""
    spoke_at: dict[ra.Session, float] = {}
    latencies: list[float] = []
    events: queue.SimpleQueue[ra.SessionEvent] = queue.SimpleQueue()
    begin = math.inf

    def take(message: ra.SessionEvent) -> None:
        match message.event:
            case SpeechStartedEvent(item_id=str(stamp)):
                spoke_at[message.session] = int(stamp) / 1e9
            case AudioInterruptedEvent() if (now := time.monotonic()) >= begin:
                latencies.append(now - spoke_at[message.session])

    with ExitStack() as stack:
        for _ in range(sessions):
            session = stack.enter_context(running(url, "fast"))
            session.subscribe(Sink(take) if direct else events, direct=direct)
            session.send_audio(SILENCE)
        begin = time.monotonic() + WARM_UP_SECONDS
        take_until(begin + seconds, events, take, direct=direct)
    return summary_ms(latencies)


def idle(url: str, sessions: int) -> dict[str, float]:
    """Memory of sessions that wait, all of them subscribed to."""
    events: queue.SimpleQueue[ra.SessionEvent] = queue.SimpleQueue()
    with ExitStack() as stack:
        stack.enter_context(running(url, "fast"))  # what all of them share comes with the first
        before = resident_bytes()
        for _ in range(sessions):
            stack.enter_context(running(url, "fast")).subscribe(events)
        after = resident_bytes()
        stop_ms = collection_ms()
    return {
        "session_kb": (after - before) / sessions / 1024,
        "process_mb": after / 2**20,
        "stop_ms": stop_ms,
    }


def idle_by_part(url: str, sessions: int) -> dict[str, float]:
    """Kilobytes of such a session, by the part of the library that asked for them."""
    with ExitStack() as stack:
        stack.enter_context(running(url, "fast"))
        tracemalloc.start(10)
        for _ in range(sessions):
            stack.enter_context(running(url, "fast"))
        gc.collect()
        snapshot = tracemalloc.take_snapshot()
        tracemalloc.stop()
    parts: Counter[str] = Counter()
    for trace in snapshot.traces:
        parts[_part(trace.traceback)] += trace.size
    return {part: size / sessions / 1024 for part, size in parts.most_common(10)}


def _part(traceback: tracemalloc.Traceback) -> str:
    """The module of ours that is nearest to the allocation."""
    for frame in reversed(traceback):
        parts = Path(frame.filename).parts
        if "realtime_actors" in parts:
            return parts[parts.index("realtime_actors") + 1].removesuffix(".py")
    return "else"
