"""Messages are counted wherever the bytes are cut."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.fault_proxy.counting import MessageCounter
from realtime_actors.transport.frames import BINARY, CLOSE, CONTINUATION, FIN, PING, TEXT

HEAD = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


def frame(first: int, payload: bytes, *, key: bytes = b"") -> bytes:
    masked = 0x80 if key else 0
    size = len(payload)
    if size < 126:
        header = bytes([first, masked | size])
    elif size < 65536:
        header = bytes([first, masked | 126]) + size.to_bytes(2, "big")
    else:
        header = bytes([first, masked | 127]) + size.to_bytes(8, "big")
    return header + key + payload


def pieces(counter: MessageCounter, *data: bytes) -> list[tuple[bytes, bool]]:
    return [piece for each in data for piece in counter.cut(each)]


def test_each_message_is_a_piece_that_ends_one() -> None:
    first, second = frame(FIN | TEXT, b"one"), frame(FIN | BINARY, b"x" * 70_000)

    found = pieces(MessageCounter(), HEAD + first + second + first[:2])

    assert found == [(HEAD + first, True), (second, True), (first[:2], False)]


def test_an_empty_message_ends_with_its_header() -> None:
    assert pieces(MessageCounter(), HEAD + frame(FIN | TEXT, b"")) == [(HEAD + b"\x81\x00", True)]


def test_fragments_are_one_message_and_control_frames_are_none() -> None:
    parts = frame(TEXT, b"a") + frame(FIN | PING, b"?") + frame(FIN | CONTINUATION, b"b")
    goodbye = frame(FIN | CLOSE, b"\x03\xe8")

    found = pieces(MessageCounter(), HEAD, parts, goodbye)

    assert [is_end for _, is_end in found] == [False, True, False]
    assert b"".join(piece for piece, _ in found) == HEAD + parts + goodbye


def test_what_is_no_websocket_has_no_messages() -> None:
    assert pieces(MessageCounter(), b"hello", b"again") == [(b"hello", False), (b"again", False)]


@given(
    messages=st.lists(st.sampled_from((0, 1, 125, 126, 300, 66_000)), min_size=1, max_size=5),
    masked=st.booleans(),
    places=st.lists(st.integers(0, 200_000), max_size=8),
)
def test_it_does_not_matter_where_the_bytes_are_cut(
    messages: list[int], masked: bool, places: list[int]
) -> None:
    key = b"abcd" if masked else b""
    data = HEAD + b"".join(frame(FIN | TEXT, bytes(size), key=key) for size in messages)
    cuts = sorted({0, len(data), *(place % len(data) for place in places)})

    found = pieces(MessageCounter(), *(data[start:end] for start, end in pairwise(cuts)))

    assert b"".join(piece for piece, _ in found) == data
    assert sum(is_end for _, is_end in found) == len(messages)
