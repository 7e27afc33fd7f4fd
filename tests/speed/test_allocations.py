"""What a piece of speech leaves in memory, and how often it is copied."""

from __future__ import annotations

import gc
import queue
import tracemalloc
from collections.abc import Callable
from typing import Any

import realtime_actors as ra
from realtime_actors.events import AudioEvent, ErrorEvent
from realtime_actors.messages import SessionEvent
from realtime_actors.protocol import Dialect, ResponseOutputAudioDelta
from realtime_actors.protocol.backend import STANDARD
from realtime_actors.testing import ScriptedTransport
from realtime_actors.transport.frames import FrameParser, Message
from tests.speed.talking import AGENT, delta
from tests.transport.wire import text

DELTA_COUNT = 500


def blocks_left_by(work: Callable[[], object]) -> int:
    """How many blocks of memory are there after `work` that were not there before."""
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.take_snapshot()
        work()
        gc.collect()
        after = tracemalloc.take_snapshot()
    finally:
        tracemalloc.stop()
    return sum(each.count_diff for each in after.compare_to(before, "filename"))


def most_bytes_during(work: Callable[[], object]) -> int:
    """How many bytes were in use at once, beyond those before."""
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        work()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak - before


def test_a_delta_leaves_its_audio_and_the_three_objects_that_carry_it():
    script = ScriptedTransport(strict=False)
    events: queue.SimpleQueue[SessionEvent] = queue.SimpleQueue()
    kept: list[Any] = [None] * DELTA_COUNT
    with ra.run(AGENT, transport=script) as session:
        session.subscribe(events, only=[AudioEvent])
        script.emit(delta())
        events.get(timeout=10)

        def speak() -> None:
            for number in range(DELTA_COUNT):
                script.emit(delta())
                kept[number] = events.get(timeout=10)

        left = blocks_left_by(speak)

    # The bytes, Audio, AudioEvent and SessionEvent; the names of response and item come
    # as two new strings with each delta. A few more for the lot of them.
    assert left <= DELTA_COUNT * 6 + 50


def test_a_delta_that_nobody_wants_leaves_nothing():
    script = ScriptedTransport(strict=False)
    events: queue.SimpleQueue[SessionEvent] = queue.SimpleQueue()
    with ra.run(AGENT, transport=script) as session:
        session.subscribe(events, only=[ErrorEvent])
        script.emit(delta())

        def speak() -> None:
            for _ in range(DELTA_COUNT):
                script.emit(delta())
            session.history()  # answered after them

        left = blocks_left_by(speak)

    assert left <= 50
    assert events.empty()


def test_a_hundred_subscribers_share_one_event():
    script = ScriptedTransport(strict=False)
    queues: list[queue.SimpleQueue[SessionEvent]] = [queue.SimpleQueue() for _ in range(100)]
    with ra.run(AGENT, transport=script) as session:
        for each in queues:
            session.subscribe(each, only=[AudioEvent])
        script.emit(delta())
        received = [each.get(timeout=10) for each in queues]

    assert len({id(message) for message in received}) == 1


def test_a_delta_is_copied_four_times_between_the_read_and_its_event():
    # Cut out of what was read, made text, taken out of the JSON, decoded: the last is
    # three quarters of the others. With the standard library, whose JSON needs no memory
    # of its own.
    frame = text(delta(milliseconds=20_000))
    parser, decode = FrameParser(2**24), Dialect("ga", STANDARD).decode_server
    heard: list[Any] = []

    def receive() -> None:
        messages: list[Message] = []
        parser.feed(frame, messages)
        heard.extend(decode(payload) for _, payload in messages)

    most = most_bytes_during(receive)

    assert type(heard[0]) is ResponseOutputAudioDelta
    assert most <= 4 * len(frame)
