"""The parser and the writer of frames, against the RFC's rules and against `websockets`."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from realtime_actors.errors import TransportError
from realtime_actors.transport.frames import (
    FrameParser,
    build_close,
    build_frame,
    parse_close,
)
from realtime_actors.transport.mask import best_mask, integer_mask
from tests.transport.rfc_cases import CASES, MAX_MESSAGE_SIZE, Case
from tests.transport.wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame

every_case = pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])


def parse(
    *reads: bytes, limit: int = MAX_MESSAGE_SIZE
) -> tuple[list[tuple[int, bytes]], int | None]:
    """What a parser makes of these reads: its messages, and the code with which it gave up."""
    parser, messages = FrameParser(limit), list[Any]()
    try:
        for read in reads:
            parser.feed(read, messages)
    except TransportError as error:
        return plain(messages), error.code
    return plain(messages), None


def plain(messages: list[Any]) -> list[tuple[int, bytes]]:
    return [(opcode, bytes(payload)) for opcode, payload in messages]


@every_case
def test_a_case_of_the_rfc_in_one_read(case: Case):
    assert parse(case.wire) == (list(case.messages), case.violation)


@every_case
def test_a_case_of_the_rfc_byte_by_byte(case: Case):
    step = 1 if len(case.wire) < 70_000 else 997
    reads = [case.wire[start : start + step] for start in range(0, len(case.wire), step)]

    assert parse(*reads) == (list(case.messages), case.violation)


@every_case
def test_a_case_of_the_rfc_cut_in_two(case: Case):
    step = 1 if len(case.wire) < 400 else len(case.wire) // 10
    for cut in range(1, len(case.wire), step):
        reads = case.wire[:cut], case.wire[cut:]
        assert parse(*reads) == (list(case.messages), case.violation)


@given(case=st.sampled_from(CASES), data=st.data())
def test_a_case_of_the_rfc_cut_anywhere(case: Case, data: st.DataObject):
    cuts = data.draw(st.lists(st.integers(0, len(case.wire)), max_size=20).map(sorted))
    reads = [
        case.wire[start:end] for start, end in zip([0, *cuts], [*cuts, len(case.wire)], strict=True)
    ]

    assert parse(*reads) == (list(case.messages), case.violation)


# Texts of ASCII and legal goodbyes: about those, `websockets` decides in a later layer.
any_frame = st.builds(
    frame,
    st.sampled_from([TEXT, TEXT, BINARY, CONTINUATION, CONTINUATION, PING, PONG, 3, 0xB]),
    st.text("abc", max_size=40).map(str.encode)
    | st.sampled_from([b"*" * size for size in (125, 126, 65535, 65536)]),
    fin=st.booleans(),
    rsv=st.sampled_from([0] * 9 + [1, 4]),
    masked=st.sampled_from([False] * 9 + [True]),
) | st.sampled_from([frame(CLOSE, payload) for payload in (b"", b"\3", b"\3\xe8", b"\3\xe8bye")])


@given(frames=st.lists(any_frame, max_size=12), cut=st.integers(1, 70_000))
def test_the_parser_agrees_with_websockets_about_any_frames(frames: list[bytes], cut: int):
    wire = b"".join(frames)
    theirs = ClientProtocol(parse_uri("ws://localhost/"), state=OPEN, max_size=None)
    theirs.receive_data(wire)
    # A goodbye amid a message in fragments: section 5.4 lets it pass, `websockets` doesn't.
    assume(str(theirs.parser_exc) != "incomplete fragmented message")
    whole, begun = [], None
    for event in theirs.events_received():
        if event.opcode in (CLOSE, PING, PONG):
            whole.append((int(event.opcode), bytes(event.data)))
            continue
        if begun is None:
            begun = (int(event.opcode), b"")
        begun = (begun[0], begun[1] + bytes(event.data))
        if event.fin:
            whole.append(begun)
            begun = None
    their_code = theirs.close_sent.code if theirs.parser_exc is not None else None

    reads = [wire[start : start + cut] for start in range(0, len(wire), cut)]

    assert parse(*reads, limit=1 << 30) == (whole, their_code)


@given(st.lists(st.binary(max_size=300), max_size=10))
def test_any_garbage_is_parsed_or_refused_and_nothing_else(reads: list[bytes]):
    messages, code = parse(*reads)

    assert code in (None, 1002, 1007, 1009)
    assert parse(b"".join(reads)) == (messages, code)


@given(
    payload=st.binary(max_size=300) | st.sampled_from([b"*" * size for size in (65535, 65536)]),
    opcode=st.sampled_from([TEXT, BINARY]),
    mask=st.sampled_from([integer_mask, best_mask()]),
)
def test_what_the_writer_writes_is_what_websockets_reads(payload, opcode, mask):
    server = ServerProtocol(state=OPEN)
    server.receive_data(build_frame(opcode, payload, mask))

    (event,) = server.events_received()
    assert (event.opcode, bytes(event.data), event.fin) == (opcode, payload, True)


def test_every_frame_is_masked_with_a_key_of_its_own():
    frames = {build_frame(TEXT, b"hello", integer_mask) for _ in range(20)}

    assert len(frames) == 20
    assert all(each[1] & 0x80 for each in frames)


@given(payload=st.binary(max_size=3000), key=st.binary(min_size=4, max_size=4))
def test_every_mask_is_the_exclusive_or_of_the_rfc(payload: bytes, key: bytes):
    masked = bytes(byte ^ key[place % 4] for place, byte in enumerate(payload))

    assert integer_mask(payload, key) == best_mask()(payload, key) == masked


@given(code=st.sampled_from([1000, 1002, 3000]), reason=st.text(max_size=200))
def test_a_reason_is_cut_to_what_a_close_frame_holds(code: int, reason: str):
    server = ServerProtocol(state=OPEN)
    server.receive_data(build_close(code, reason, integer_mask))

    (event,) = server.events_received()
    cut_code, cut_reason = parse_close(bytes(event.data))
    assert cut_code == code
    assert reason.startswith(cut_reason)
    assert len(cut_reason.encode()) > 119 or cut_reason == reason
