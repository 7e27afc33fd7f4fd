"""How much of the user's audio waits for a slow network, and what is dropped when it is too much.

The server does not read, so the socket takes nothing at some point, and all waits here.
"""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Iterator

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.transport import DroppedAudio
from realtime_actors.transport.outbound import Outbound
from tests.transport.wire import PATIENCE, Inbox, Say, text

FRAME_MS = 400
PCM16, ULAW = 48, 8  # bytes per millisecond
ENOUGH = 10_000
"""Frames that no socket takes unread."""


def frames(bytes_per_ms: int = PCM16) -> Iterator[bytes]:
    """Frames of audio that tell which they are."""
    for number in itertools.count():
        yield f"{number:06}".encode().ljust(FRAME_MS * bytes_per_ms, b".")


def number_of(word: str) -> int:
    return int(word.removeprefix("append ")[:6])


def until_dropped(transport, audio: Iterator[bytes], **options) -> tuple[int, DroppedAudio]:
    """Send audio until some is dropped: how many frames were sent, and what was dropped."""
    for count, frame in enumerate(itertools.islice(audio, ENOUGH), 1):
        dropped = transport.send_audio(frame, **options)
        if dropped is not None:
            return count, dropped
    raise AssertionError("nothing was dropped")


@pytest.mark.parametrize(
    ("audio_format", "bytes_per_ms"), [("pcm16", PCM16), ("g711_ulaw", ULAW), ("g711_alaw", ULAW)]
)
def test_the_oldest_audio_is_dropped_and_what_it_says_is_what_is_missing(
    connect, audio_format: str, bytes_per_ms: int
) -> None:
    connection = connect(max_outbound_audio_ms=2000)
    count, dropped = until_dropped(
        connection.transport, frames(bytes_per_ms), audio_format=audio_format
    )
    connection.transport.send(Say("over"))

    words: list[str] = []
    while not words or words[-1] != "over":
        words += connection.peer.texts(1)
    numbers = [number_of(word) for word in words[:-1]]

    missing = sorted(set(range(count)) - set(numbers))
    assert numbers == sorted(numbers)
    assert dropped == DroppedAudio(ms=len(missing) * FRAME_MS, at_ms=missing[0] * FRAME_MS)
    # Five frames of 400 ms may wait, the new one among them.
    assert missing == list(range(missing[0], count - 5))


def test_what_is_no_audio_is_never_dropped_and_stays_where_it_was(connect) -> None:
    connection = connect(max_outbound_audio_ms=1000)
    transport, audio = connection.transport, frames()
    sent: list[str] = []
    dropped_ms = 0.0

    for number, frame in enumerate(itertools.islice(audio, 3 * ENOUGH)):
        dropped = transport.send_audio(frame, commit=number % 3 == 2)
        sent.append(f"append {number}")
        if number % 3 == 2:
            sent.append("commit")
        if number % 7 == 0:
            transport.send(Say(f"event {number}"))
            sent.append(f"event {number}")
        if dropped is not None:
            dropped_ms += dropped.ms
        if dropped_ms > 20 * FRAME_MS:
            break
    transport.send(Say("over"))

    came: list[str] = []
    while not came or came[-1] != "over":
        (word,) = connection.peer.texts(1)
        came.append(f"append {number_of(word)}" if word.startswith("append") else word)

    missing = [each for each in sent if each.startswith("append") and each not in set(came)]
    assert len(missing) * FRAME_MS == dropped_ms
    assert came[:-1] == [each for each in sent if each not in set(missing)]


def test_the_audio_of_one_call_goes_out_whole_however_long_it_is(connect) -> None:
    connection = connect(max_outbound_audio_ms=100)
    recording = bytes(PCM16 * 60_000)

    assert connection.transport.send_audio(recording, commit=True) is None
    words = connection.peer.texts(2)
    assert [len(words[0]), words[1]] == [len("append ") + len(recording), "commit"]


def test_nothing_is_dropped_where_the_program_says_so(connect) -> None:
    connection = connect(max_outbound_audio_ms=None)
    audio = list(itertools.islice(frames(), 500))

    assert [connection.transport.send_audio(frame) for frame in audio] == [None] * 500
    assert [number_of(word) for word in connection.peer.texts(500)] == list(range(500))


def test_audio_passes_as_ever_once_the_server_reads_again(connect) -> None:
    connection = connect(max_outbound_audio_ms=1000)
    audio = frames()
    count, _ = until_dropped(connection.transport, audio)
    connection.transport.send(Say("over"))
    while connection.peer.texts(1) != ["over"]:
        pass

    for frame in itertools.islice(audio, 20):
        assert connection.transport.send_audio(frame) is None
        (word,) = connection.peer.texts(1)
        assert number_of(word) == count
        count += 1


def test_nothing_is_dropped_that_the_socket_would_take_by_now(connect) -> None:
    entered, opened = threading.Event(), threading.Event()

    def react(event: object) -> None:  # the thread that would write is busy meanwhile
        entered.set()
        assert opened.wait(PATIENCE)

    connection = connect(Inbox(react), max_outbound_audio_ms=1000)
    connection.peer.send(text("look here"))
    assert entered.wait(PATIENCE)
    audio = frames()
    _, dropped = until_dropped(connection.transport, audio)
    connection.peer.texts(int(dropped.at_ms) // FRAME_MS - 1)

    assert any(connection.transport.send_audio(next(audio)) is None for _ in range(ENOUGH))
    opened.set()


# -- the queue itself, in any order of writing, reading and dropping --------------------------


@frozen
class Write:
    size: int
    audio_ms: float


STEPS = st.one_of(
    st.builds(Write, st.sampled_from([10, 3_000, 70_000]), st.sampled_from([0.0, 20.0, 500.0])),
    st.sampled_from(["flush", "drop", "read"]),
)


@given(st.lists(STEPS, max_size=80))
def test_a_queue_before_a_socket_loses_only_what_it_says(steps: list[Write | str]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for each in (ours, theirs):
            each.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        outbound = Outbound(ours)
        written: dict[int, Write] = {}
        read, dropped_ms, limit_ms = b"", 0.0, 600.0

        for number, step in enumerate(steps):
            match step:
                case Write(size=size, audio_ms=ms):
                    written[number] = step
                    outbound.write(f"<{number}".encode().ljust(size, b".") + b">", ms)
                case "flush":
                    outbound.flush()
                case "drop":
                    dropped_ms += outbound.drop_audio(limit_ms)
                    assert outbound.audio_ms <= limit_ms
                case _:
                    read += received(theirs)
            assert outbound.size >= 0
        while outbound.size:
            outbound.flush()
            read += received(theirs)
        read += received(theirs)

    numbers = [int(each.rstrip(b".>")) for each in read.split(b"<")[1:]]
    missing = set(written) - set(numbers)
    assert numbers == sorted(numbers)
    assert all(written[each].audio_ms for each in missing)
    assert sum(written[each].audio_ms for each in missing) == dropped_ms
    assert len(read) == sum(max(written[each].size, len(f"<{each}")) + 1 for each in numbers)
    assert outbound.passed_ms == sum(written[each].audio_ms for each in numbers)
    assert outbound.audio_ms == 0.0


def received(sock: socket.socket) -> bytes:
    """Take what has come."""
    data = b""
    while True:
        try:
            data += sock.recv(65536)
        except BlockingIOError:
            return data
