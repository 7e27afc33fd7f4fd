"""Talking to the server's half of a conversation, with and without a socket."""

from __future__ import annotations

import base64
import itertools
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from attrs import evolve
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from realtime_actors.protocol import ServerEvent, dialect
from realtime_actors.server import ConversationOptions, RealtimeServer, ServerConversation
from realtime_actors.server.server_effects import Effect, Effects, Emit
from realtime_actors.server.server_messages import Message, Opened

E = TypeVar("E", bound=ServerEvent)

UNIX_TIME = 1_700_000_000.0


def speech(ms: int, *, rate_hz: int = 24_000) -> bytes:
    """A loud square wave: what the energy detector takes for speech."""
    period = rate_hz // 200
    wave = (b"\x00\x20" * (period // 2)) + (b"\x00\xe0" * (period - period // 2))
    samples = ms * rate_hz // 1000
    return (wave * (samples // period + 1))[: samples * 2]


def silence(ms: int, *, rate_hz: int = 24_000) -> bytes:
    return bytes(ms * rate_hz // 1000 * 2)


def counting_ids() -> Callable[[str], str]:
    """item_1, item_2, resp_1, ...; the ids of events are all the same: nobody looks at them."""
    counters: dict[str, Iterator[int]] = defaultdict(lambda: itertools.count(1))
    return lambda prefix: "event" if prefix == "event" else f"{prefix}_{next(counters[prefix])}"


class Talk:
    """A conversation without a socket. Called with a message, it answers the effects."""

    def __init__(
        self,
        *,
        beta: bool = False,
        type_: str = "realtime",
        options: ConversationOptions | None = None,
    ) -> None:
        self.now = 0.0
        self.conversation = ServerConversation(
            ids=counting_ids(),
            model="gpt-realtime",
            beta=beta,
            type_=type_,  # type: ignore[arg-type]  # one of two words
            options=options,
        )
        self.dialect = dialect("beta" if beta else "ga")
        self.opening = self(Opened(unix_time=UNIX_TIME))

    def __call__(self, message: Message | dict[str, Any], *, at: float | None = None) -> Effects:
        """Hand over a message; a dict is a client event as it is on the wire."""
        if at is not None:
            self.now = at
        if isinstance(message, dict):
            message = self.dialect.decode_client(json.dumps(message))
        return self.conversation.handle(message, self.now)

    def all(self, *messages: Message | dict[str, Any]) -> Effects:
        """Hand over several messages, answer all of their effects."""
        return tuple(effect for message in messages for effect in self(message))


def emit(event: ServerEvent) -> Emit:
    """The effect that sends an event."""
    return Emit(evolve(event, event_id="event"))


def events(effects: Effects) -> list[ServerEvent]:
    """What is sent to the client."""
    return [effect.event for effect in effects if isinstance(effect, Emit)]


def types(effects: Effects) -> list[str]:
    """The types of what is sent to the client."""
    return [event.type for event in events(effects)]


def only(cls: type[E], effects: Effects) -> E:
    """The one event of a type."""
    [event] = [each for each in events(effects) if isinstance(each, cls)]
    return event


def doings(effects: Effects) -> list[Effect]:
    """What is to be done besides sending."""
    return [effect for effect in effects if not isinstance(effect, Emit)]


class Client:
    """A bare websocket client: JSON in, JSON out."""

    def __init__(self, socket: Connection) -> None:
        self.socket = socket
        self.received: list[dict[str, Any]] = []

    def send(self, type_: str, **members: Any) -> None:
        self.socket.send(json.dumps({"type": type_, **members}))

    def append(self, audio: bytes) -> None:
        self.send("input_audio_buffer.append", audio=base64.b64encode(audio).decode())

    def say(self, text: str) -> None:
        """Write a user message, and ask for a response."""
        content = [{"type": "input_text", "text": text}]
        self.send(
            "conversation.item.create",
            item={"type": "message", "role": "user", "content": content},
        )
        self.send("response.create")

    def next(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.socket.recv(timeout=10))
        self.received.append(event)
        return event

    def until(self, type_: str) -> dict[str, Any]:
        """Read up to an event of a type, and return it. All of them are in `received`."""
        while (event := self.next())["type"] != type_:
            pass
        return event

    def of(self, type_: str) -> list[dict[str, Any]]:
        """What was received of a type."""
        return [event for event in self.received if event["type"] == type_]

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.received]


@contextmanager
def client(
    server: RealtimeServer, *, query: str = "model=gpt-realtime", **options: Any
) -> Iterator[Client]:
    """Connect, and close in the end."""
    with connect(f"{server.url}?{query}", compression=None, **options) as socket:
        yield Client(socket)
