"""What RFC 6455 says about frames, as a table: bytes of a server, and what a client makes of them.

The families are those of the Autobahn test suite; the last two are ours.
"""

from __future__ import annotations

from attrs import frozen

from tests.transport.wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close, frame, text

MAX_MESSAGE_SIZE = 1 << 20


@frozen
class Case:
    id: str
    wire: bytes
    messages: tuple[tuple[int, bytes], ...] = ()
    violation: int | None = None
    """The close code with which the connection fails, None when it doesn't."""


def fails(id: str, code: int, *wire: bytes, after: tuple[tuple[int, bytes], ...] = ()) -> Case:  # noqa: A002 - as in pytest.param
    return Case(id, b"".join(wire), after, code)


def passes(id: str, wire: bytes, *messages: tuple[int, bytes]) -> Case:  # noqa: A002 - as above
    return Case(id, wire, messages)


def fragments(opcode: int, *pieces: bytes, between: bytes = b"") -> bytes:
    first, *middle, last = pieces
    frames = [
        frame(opcode, first, fin=False),
        *(frame(CONTINUATION, piece, fin=False) for piece in middle),
        frame(CONTINUATION, last),
    ]
    return between.join(frames)


SIZES = (0, 1, 125, 126, 127, 128, 65535, 65536, 65537)
GREEK = "κόσμε".encode()
HELLO = (TEXT, b"hello")

framing = [
    passes(f"framing: {name} of {size} bytes", frame(opcode, b"*" * size), (opcode, b"*" * size))
    for opcode, name in ((TEXT, "text"), (BINARY, "binary"))
    for size in SIZES
] + [
    passes("framing: many messages", text("hello") * 50, *[HELLO] * 50),
    passes(
        "framing: many sizes",
        b"".join(text(b"*" * size) for size in SIZES),
        *[(TEXT, b"*" * size) for size in SIZES],
    ),
]

pings = [
    passes("pings: empty", frame(PING), (PING, b"")),
    passes("pings: text payload", frame(PING, b"hello"), (PING, b"hello")),
    passes("pings: binary payload", frame(PING, b"\0\xff\xfe\xfd"), (PING, b"\0\xff\xfe\xfd")),
    passes("pings: longest payload", frame(PING, b"\xfe" * 125), (PING, b"\xfe" * 125)),
    fails("pings: payload too long", 1002, frame(PING, b"\xfe" * 126)),
    fails("pings: far too long", 1002, frame(PING, b"\xfe" * 70_000)),
    passes("pings: a pong nobody asked for", frame(PONG), (PONG, b"")),
    passes("pings: pong with payload", frame(PONG, b"hi"), (PONG, b"hi")),
    fails("pings: pong too long", 1002, frame(PONG, b"\xfe" * 126)),
    passes(
        "pings: ten in a row",
        b"".join(frame(PING, b"%d" % number) for number in range(10)),
        *[(PING, b"%d" % number) for number in range(10)],
    ),
    passes(
        "pings: between texts",
        text("hello") + frame(PING, b"p") + text("hello"),
        HELLO,
        (PING, b"p"),
        HELLO,
    ),
]

reserved_bits = [
    fails(f"reserved bits: {rsv:03b} in a {name}", 1002, text("hello"), wire, after=(HELLO,))
    for rsv in range(1, 8)
    for name, wire in (
        ("text", frame(TEXT, b"hello", rsv=rsv)),
        ("ping", frame(PING, b"hello", rsv=rsv)),
        ("close", frame(CLOSE, b"\x03\xe8", rsv=rsv)),
        ("fragment", frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"b", rsv=rsv)),
    )
]

opcodes = [
    fails(f"opcodes: {opcode:#x} is reserved", 1002, text("hello"), wire, after=(HELLO,))
    for opcode in (3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF)
    for wire in (frame(opcode, b"payload"),)
]

fragmentation = [
    fails("fragmentation: a ping in two", 1002, fragments(PING, b"a", b"b")),
    fails("fragmentation: a pong in two", 1002, fragments(PONG, b"a", b"b")),
    fails("fragmentation: a close in two", 1002, fragments(CLOSE, b"\x03", b"\xe8")),
    passes("fragmentation: text in two", fragments(TEXT, b"hel", b"lo"), HELLO),
    passes("fragmentation: binary in two", fragments(BINARY, b"\0", b"\xff"), (BINARY, b"\0\xff")),
    passes(
        "fragmentation: a ping between",
        fragments(TEXT, b"hel", b"lo", between=frame(PING, b"p")),
        (PING, b"p"),
        HELLO,
    ),
    passes(
        "fragmentation: pings and pongs between many",
        fragments(TEXT, *[b"x"] * 20, between=frame(PING, b"p") + frame(PONG)),
        *[(PING, b"p"), (PONG, b"")] * 19,
        (TEXT, b"x" * 20),
    ),
    passes("fragmentation: empty pieces", fragments(TEXT, b"", b"", b""), (TEXT, b"")),
    passes("fragmentation: empty but the middle", fragments(TEXT, b"", b"hello", b""), HELLO),
    passes(
        "fragmentation: two messages",
        fragments(TEXT, b"hel", b"lo") + fragments(BINARY, b"a", b"b") + text("hello"),
        HELLO,
        (BINARY, b"ab"),
        HELLO,
    ),
    fails("fragmentation: a continuation of nothing", 1002, frame(CONTINUATION, b"x")),
    fails(
        "fragmentation: an unfinished continuation of nothing",
        1002,
        frame(CONTINUATION, b"x", fin=False),
    ),
    fails(
        "fragmentation: a continuation after the last one",
        1002,
        fragments(TEXT, b"hel", b"lo"),
        frame(CONTINUATION, b"x"),
        after=(HELLO,),
    ),
    fails("fragmentation: a text amid one", 1002, frame(TEXT, b"a", fin=False), text("hello")),
    fails(
        "fragmentation: a binary amid a text",
        1002,
        frame(TEXT, b"a", fin=False),
        frame(BINARY, b"b", fin=False),
    ),
]

INVALID_UTF8 = {
    "a lone continuation byte": b"\x80",
    "two of them": b"\xbf\x80",
    "a sequence cut short": b"\xce\xba\xe1\xbd",
    "a first byte alone": b"\xf0 ",
    "an overlong slash": b"\xc0\xaf",
    "an overlong zero": b"\xe0\x80\x80",
    "a surrogate": b"\xed\xa0\x80",
    "a pair of surrogates": b"\xed\xa0\xbd\xed\xb8\x80",
    "beyond the last code point": b"\xf4\x90\x80\x80",
    "bytes that never occur": b"\xfe\xff",
    "good, bad, good": GREEK + b"\xed\xa0\x80edited",
}
VALID_UTF8 = {
    "two bytes": "\u0080\u07ff",
    "three bytes": "\u0800\ufffd\uffff",
    "four bytes": "\U00010000\U0010ffff",
    "around the surrogates": "\ud7ff\ue000",
    "a zero": "a\0b",
    "Greek": "κόσμε",
}

utf8 = (
    [
        case
        for name, word in VALID_UTF8.items()
        for raw in (word.encode(),)
        for case in (
            passes(f"utf-8: {name}", text(raw), (TEXT, raw)),
            passes(
                f"utf-8: {name}, a fragment for each byte",
                fragments(TEXT, *(bytes([byte]) for byte in raw)),
                (TEXT, raw),
            ),
        )
    ]
    + [
        case
        for name, raw in INVALID_UTF8.items()
        for case in (
            fails(f"utf-8: {name}", 1007, text(raw)),
            fails(f"utf-8: {name}, in fragments", 1007, fragments(TEXT, raw[:1], raw[1:])),
        )
    ]
    + [
        passes("utf-8: binary may be anything", frame(BINARY, b"\xff\xfe"), (BINARY, b"\xff\xfe")),
        passes("utf-8: so may a ping", frame(PING, b"\xff\xfe"), (PING, b"\xff\xfe")),
    ]
)

closing = [
    passes("closing: normally", close(1000), (CLOSE, b"\x03\xe8")),
    passes("closing: with a reason", close(1000, "bye"), (CLOSE, b"\x03\xe8bye")),
    passes("closing: without a code", close(None), (CLOSE, b"")),
    passes("closing: longest reason", close(1000, "x" * 123), (CLOSE, b"\x03\xe8" + b"x" * 123)),
    fails("closing: reason too long", 1002, close(1000, "x" * 124)),
    fails("closing: half a code", 1002, frame(CLOSE, b"\x03")),
    fails("closing: reason that is no utf-8", 1007, close(1000, b"\xce\xba\xe1\xbd")),
    passes("closing: twice", close(1000) * 2, (CLOSE, b"\x03\xe8")),
    passes("closing: a text after it", close(1000) + text("hello"), (CLOSE, b"\x03\xe8")),
    passes("closing: garbage after it", close(1000) + b"\xff\xff\xff", (CLOSE, b"\x03\xe8")),
    passes("closing: a text before it", text("hello") + close(), HELLO, (CLOSE, b"\x03\xe8")),
    passes("closing: amid fragments", frame(TEXT, b"a", fin=False) + close(), (CLOSE, b"\x03\xe8")),
]

LEGAL_CODES = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014)
close_codes = [
    passes(f"close codes: {code}", close(code), (CLOSE, code.to_bytes(2, "big")))
    for code in (*LEGAL_CODES, 3000, 3999, 4000, 4999)
] + [
    fails(f"close codes: {code} is illegal", 1002, close(code))
    for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
]

limits = [
    passes(
        "limits: as long as allowed",
        text(b"*" * MAX_MESSAGE_SIZE),
        (TEXT, b"*" * MAX_MESSAGE_SIZE),
    ),
    passes(
        "limits: as long as allowed, in fragments",
        fragments(TEXT, *[b"*" * 4096] * (MAX_MESSAGE_SIZE // 4096)),
        (TEXT, b"*" * MAX_MESSAGE_SIZE),
    ),
    fails("limits: one byte more", 1009, text(b"*" * (MAX_MESSAGE_SIZE + 1))),
    fails("limits: announced, not sent", 1009, b"\x81\x7f" + (1 << 40).to_bytes(8, "big")),
    fails("limits: binary", 1009, b"\x82\x7f" + (1 << 40).to_bytes(8, "big")),
    fails(
        "limits: by the last fragment",
        1009,
        frame(TEXT, b"*" * MAX_MESSAGE_SIZE, fin=False),
        frame(CONTINUATION, b"*"),
    ),
    fails(
        "limits: by the last of three",
        1009,
        frame(BINARY, b"*" * (MAX_MESSAGE_SIZE // 2), fin=False),
        frame(CONTINUATION, b"*" * (MAX_MESSAGE_SIZE // 2), fin=False),
        b"\x00\x7f" + (1 << 62).to_bytes(8, "big"),
    ),
    passes(
        "limits: count for each message anew",
        text(b"*" * MAX_MESSAGE_SIZE) + text("hello"),
        (TEXT, b"*" * MAX_MESSAGE_SIZE),
        HELLO,
    ),
]

lengths = [
    fails("lengths: a small one in two bytes", 1002, frame(TEXT, b"x" * 125, length_bytes=2)),
    fails("lengths: a small one in eight bytes", 1002, frame(TEXT, b"x" * 125, length_bytes=8)),
    fails("lengths: a medium one in eight bytes", 1002, frame(TEXT, b"x" * 65535, length_bytes=8)),
    fails("lengths: with the highest bit set", 1002, b"\x81\x7f" + b"\x80" + bytes(7)),
    fails("lengths: all bits set", 1002, b"\x81\x7f" + b"\xff" * 8),
    fails("lengths: a ping's in two bytes", 1002, frame(PING, b"x", length_bytes=2)),
]

masks = [
    fails("masks: on a text", 1002, text("hello"), frame(TEXT, b"x", masked=True), after=(HELLO,)),
    fails("masks: on an empty text", 1002, frame(TEXT, masked=True)),
    fails("masks: on a medium text", 1002, frame(TEXT, b"x" * 1000, masked=True)),
    fails("masks: on a long text", 1002, frame(TEXT, b"x" * 70_000, masked=True)),
    fails("masks: on a ping", 1002, frame(PING, b"x", masked=True)),
    fails("masks: on a close", 1002, frame(CLOSE, b"\x03\xe8", masked=True)),
]

CASES = (
    framing
    + pings
    + reserved_bits
    + opcodes
    + fragmentation
    + utf8
    + closing
    + close_codes
    + limits
    + lengths
    + masks
)
