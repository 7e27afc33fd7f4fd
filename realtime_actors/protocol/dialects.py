"""The two dialects of the Realtime protocol: GA, and the beta interface before it.

OpenAI speaks GA only; servers of others still speak beta. Events are the same in both
(see `server_events`, `client_events`), their text is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, TypeAlias

from attrs import evolve

from realtime_actors.agent import default_model
from realtime_actors.config.settings import DialectName
from realtime_actors.errors import ConfigError, LocalProtocolError, did_you_mean
from realtime_actors.protocol.backend import Backend, fastest, loads_damaged
from realtime_actors.protocol.base import ClientEvent, MalformedEvent, ServerEvent, UnknownEvent
from realtime_actors.protocol.codec import BETA_NAMES, Codec
from realtime_actors.protocol.cutting import cut_speech
from realtime_actors.protocol.server_events import ResponseOutputAudioDelta
from realtime_actors.protocol.struct import UnreadableError
from realtime_actors.surrogates import replace_surrogates_within

__all__ = ["Dialect", "Text", "dialect"]

Text: TypeAlias = str | bytes | bytearray | memoryview
"""JSON text, as it is or as UTF-8."""


class Dialect:
    """Text to events and back, in either role: a client's and a server's.

    Reading never raises. It takes what either dialect says, and what comes of text that
    is no event is a `MalformedEvent`. Safe to use from any thread.
    """

    def __init__(self, name: DialectName, backend: Backend | None = None) -> None:
        backend = fastest() if backend is None else backend
        self.name = name
        self.default_model = default_model(name)
        self.connect_headers: Mapping[str, str] = (
            {"OpenAI-Beta": "realtime=v1"} if name == "beta" else {}
        )
        """Sent by a client on connecting, beside its key."""
        self._codec = Codec(name, backend)
        self._server_readers = self._codec.server_readers
        self._client_readers = self._codec.client_readers
        self._loads, self._dumps = backend.loads, backend.dumps
        self._encode64 = backend.encode64
        self._worth_cutting = backend.worth_cutting

    def __repr__(self) -> str:
        return f"<Dialect {self.name}>"

    def decode_server(self, data: Text) -> ServerEvent:
        """Read what a server sent."""
        event: ServerEvent | None = None
        if len(data) >= self._worth_cutting and isinstance(data, bytes | bytearray):
            event = self._decode_speech(data)
        return self._decode(data, self._server_readers) if event is None else event

    def decode_client(self, data: Text) -> ClientEvent:
        """Read what a client sent."""
        event: ClientEvent = self._decode(data, self._client_readers)
        return event

    def encode_client(self, event: ClientEvent) -> bytes:
        """Write what a client sends. Raises `LocalProtocolError` for what can't be sent."""
        return self._encode(event)

    def encode_server(self, event: ServerEvent) -> bytes:
        """Write what a server sends. Raises `LocalProtocolError` for what can't be sent."""
        return self._encode(event)

    def encode_append(self, audio: bytes) -> bytes:
        """Write an `InputAudioBufferAppend` without an id: fifty times a second, so directly."""
        return f'{{"type":"input_audio_buffer.append","audio":"{self._encode64(audio)}"}}'.encode()

    def _decode_speech(self, data: bytes | bytearray) -> ServerEvent | None:
        """Read a piece of speech. None for all else, and whenever anything is odd about it."""
        try:
            cut = cut_speech(data)
            if cut is None:
                return None
            rest, speech = cut
            wire = self._loads(rest)
            if wire["delta"] != "" or wire["type"] not in SPEECH:
                return None
            wire["delta"] = speech
            event: ServerEvent = self._server_readers[wire["type"]](wire)
        except (ValueError, LookupError, TypeError, RecursionError):
            return None
        return event

    def _decode(self, data: Text, readers: Mapping[str, Callable[[Mapping[str, Any]], Any]]) -> Any:
        left_out: tuple[str, ...] = ()
        try:
            wire = self._loads(data)
        except (ValueError, RecursionError) as error:
            try:
                wire, left_out = loads_damaged(data)
            except (ValueError, RecursionError):
                return _malformed(data, f"it is not JSON: {error}", "not JSON")
        if type(wire) is not dict:
            what = f"an event is a JSON object, not a {type(wire).__name__}"
            return _malformed(data, what, "not an object")
        kind = wire.get("type")
        if type(kind) is not str:
            return _malformed(data, "it has no type", "no type", wire)
        # One of the specification's own examples has a blank before its type.
        reader = readers.get(kind) or readers.get(kind.strip())
        if reader is None:
            return UnknownEvent(type=kind, event_id=_event_id(wire), raw=wire)
        try:
            event = reader(wire)
        except UnreadableError as error:
            return _malformed(data, f"{kind}: {error}", f"{kind}: {error.member}", wire)
        return evolve(event, ignored=(*event.ignored, *left_out)) if left_out else event

    def _encode(self, event: ClientEvent | ServerEvent) -> bytes:
        try:
            wire = self._codec.write(event)
            try:
                return self._dumps(wire)
            except (TypeError, ValueError):
                # Most likely for half of a character: no text of anybody is to end a session.
                return self._dumps(replace_surrogates_within(wire))
        except (TypeError, ValueError, AttributeError, RecursionError) as error:
            # AttributeError: a part of an item, say, that is none.
            raise LocalProtocolError(f"{event.type} can't be written as JSON: {error}") from error


def dialect(name: str) -> Dialect:
    """The dialect of that name: ga or beta. Always the same object. Raises `ConfigError`."""
    if name not in _NAMES:
        raise ConfigError(f"dialect is {name!r}: {did_you_mean(name, _NAMES)}")
    return _dialect(name)


SPEECH: Final = (ResponseOutputAudioDelta.type, BETA_NAMES[ResponseOutputAudioDelta.type])
"""What a piece of the model's speech is called, in either dialect."""

_NAMES: Final = ("ga", "beta")
_dialect = cache(Dialect)

_SHOWN_CHARACTERS: Final = 2_000
"""How much of what is no event is kept, to look at."""


def _malformed(
    data: Text, reason: str, kind: str, wire: Mapping[str, Any] | None = None
) -> MalformedEvent:
    beginning = data[:_SHOWN_CHARACTERS]
    if not isinstance(beginning, str):
        beginning = bytes(beginning).decode("utf-8", "replace")
    event_id = _event_id(wire) if wire else None
    return MalformedEvent(reason=reason, kind=kind, raw_text=beginning, event_id=event_id, raw=wire)


def _event_id(wire: Mapping[str, Any]) -> str | None:
    event_id = wire.get("event_id")
    return event_id if isinstance(event_id, str) else None
