"""What the fuzzing is of: functions that take any bytes, and raise if ours go wrong.

An input for a conversation is a script, a line for each thing that happens. For the core, the
first line is a number: the state that it begins in (`tests.fuzz.states`). A line of the others
is what the other side says, unless it begins with one of these, and a number:

    @3    time passes: the next three timers go off
    &3    what the program or an engine is doing comes to an end, or further
    >3    the program asks for something
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import pairwise
from random import Random
from typing import Final, TypeVar

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.core import effects as fx
from realtime_actors.core.contract import Phase
from realtime_actors.core.machine import SessionMachine
from realtime_actors.core.messages import Asked
from realtime_actors.core.trace import TracedMachine, as_text
from realtime_actors.errors import LocalProtocolError, TransportError
from realtime_actors.transport.frames import FrameParser, Message
from tests.core.machine import live
from tests.fuzz.bounds import Target
from tests.fuzz.served import Served
from tests.fuzz.states import STATES, Conversation, outcome, state, verb
from tests.protocol.samples import BETA, BETA_STANDARD, GA, GA_STANDARD

__all__ = ["TARGETS", "TIME", "number_in"]

E = TypeVar("E", bound=wire.Event)

MOST_LINES = 200
TIME, ENDS, ASKS = b"@", b"&", b">"


def codec(data: bytes) -> None:
    """Read it in every way there is, write it, read that; and tell a core of it."""
    for fast, standard in ((GA, GA_STANDARD), (BETA, BETA_STANDARD)):
        event = fast.decode_server(data)
        _same(event, standard.decode_server(data))
        client_event = fast.decode_client(data)
        _same(client_event, standard.decode_client(data))
        _read_again(event, fast.encode_server, fast.decode_server)
        _read_again(client_event, fast.encode_client, fast.decode_client)
        conversation = Conversation.begin(live())
        conversation.tell(event)
        conversation.tell(event)
        _close(conversation)


def core(data: bytes) -> None:
    """Bring a core into a state, and tell it whatever a server says."""
    first, *lines = data.split(b"\n")[: MOST_LINES + 1]
    conversation = state(number_in(first) % STATES).conversation()
    dialect = GA if number_in(first) % 2 else BETA
    written: list[Mapping[str, object]] = []
    machine = conversation.machine
    assert isinstance(machine, SessionMachine)
    conversation.machine = TracedMachine(machine, written.append)
    for caller, line in enumerate(lines):
        kind, number = line[:1], number_in(line[1:])
        if kind == TIME:
            for _ in range(1 + number % 5):
                _can_be_done(conversation.fire())
        elif kind == ASKS:
            asked = Asked(verb(machine, number), ("fuzz", caller))
            _can_be_done(conversation.tell(asked))
        elif kind == ENDS:
            if conversation.tasks:
                task = conversation.tasks.pop(number % len(conversation.tasks))
                _can_be_done(conversation.tell(outcome(task, number)))
        else:
            _can_be_done(conversation.tell(dialect.decode_server(line)))
    for line_of_trace in written[1:]:
        assert "lost" not in line_of_trace, f"can't be traced: {line_of_trace}"
        json.loads(as_text(line_of_trace))
    _close(conversation)


def server(data: bytes) -> None:
    """Tell a server's conversation whatever a client says, in either dialect."""
    first, *lines = data.split(b"\n")[: MOST_LINES + 1]
    served = Served(beta=bool(number_in(first) % 2))
    for line in lines:
        kind, number = line[:1], number_in(line[1:])
        if kind == TIME:
            served.wait(number)
        elif kind == ENDS:
            served.engine(number)
        else:
            served.client_says(line)
    served.finish()


def frames(data: bytes) -> None:
    """Feed a parser of WebSocket frames: it must not matter where the bytes are cut."""
    largest = (125, 1_000, 70_000)[data[0] % 3] if data else 125
    chance = Random(data[1] if len(data) > 1 else 0)
    rest = data[2:]
    places = sorted(chance.randrange(len(rest) + 1) for _ in range(chance.randrange(9)))
    pieces = [rest[start:end] for start, end in pairwise((0, *places, len(rest)))]

    whole, in_pieces = _parsed([rest], largest), _parsed(pieces, largest)

    assert whole == in_pieces, f"cut at {places}: {in_pieces} instead of {whole}"


TARGETS: Final[Mapping[str, Target]] = {
    "codec": codec,
    "core": core,
    "server": server,
    "frames": frames,
}


def number_in(text: bytes) -> int:
    """Read the number that a line begins with; 0 if there is none."""
    digits = text[:6].strip()
    return int(digits) if digits.isdigit() else 0


def _same(fast: wire.Event, standard: wire.Event) -> None:
    """Check that both backends have read the same. Each has its own words for what is no JSON."""
    assert type(fast) is type(standard), f"{fast} and {standard}"
    if not isinstance(fast, wire.MalformedEvent):
        assert repr(fast) == repr(standard)  # NaN is not itself


def _read_again(event: E, write: Callable[[E], bytes], read: Callable[[bytes], E]) -> None:
    if isinstance(event, wire.MalformedEvent):
        return
    with suppress(LocalProtocolError):  # nested too deeply to be written
        written = write(event)
        again = write(read(written))
        assert json.loads(again) == json.loads(written)


def _can_be_done(effects: fx.Effects) -> None:
    """Check that a shell could do it: write it, wait for it, show it."""
    for effect in effects:
        match effect:
            case fx.Send(event=event):
                with suppress(LocalProtocolError):  # the core is told, and goes on
                    json.loads(GA.encode_client(event))
            case fx.SetTimer(key=key, delay=delay):
                assert 0 < delay < math.inf, f"{key} after {delay} s"
            case fx.Publish(event=event):
                repr(event)
            case _:
                repr(effect)


def _close(conversation: Conversation) -> None:
    """Go on for a while, and close: everybody is answered once, and it is over."""
    for _ in range(20):
        conversation.fire()
    for item in conversation.machine.history:
        GA.encode_client(wire.ConversationItemCreate(item=item))
    repr(conversation.machine.usage.to_dict())
    if conversation.machine.phase is not Phase.ENDED:
        conversation.tell(Asked(messages.Close(), "the end"))
    conversation.watch.at_the_end()


def _parsed(pieces: list[bytes], largest: int) -> tuple[list[tuple[int, bytes]], object]:
    parser, found = FrameParser(largest), list[Message]()
    error: object = None
    try:
        for piece in pieces:
            parser.feed(piece, found)
    except TransportError as raised:
        error = (raised.code, str(raised))
    return [(opcode, bytes(payload)) for opcode, payload in found], error
