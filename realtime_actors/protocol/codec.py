"""Events to JSON objects and back, driven by one table: the event classes themselves.

How a class describes its event is said in `base`, how its fields are read and written in
`struct`, where settings are nested in `shapes`. Here is what the dialects call an event,
what the types of fields are on the wire, and what is special: the events about sessions,
and the one that comes in a flood.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from operator import itemgetter
from typing import Any, Final, Literal, TypeAlias, TypeVar

from realtime_actors.config.settings import DialectName, ResponseSettings, SessionModelSettings
from realtime_actors.errors import LocalProtocolError
from realtime_actors.items import (
    ContentPart,
    Item,
    item_from_wire,
    item_to_wire,
    part_from_wire,
    part_to_wire,
)
from realtime_actors.protocol import client_events, server_events
from realtime_actors.protocol.backend import Backend
from realtime_actors.protocol.base import (
    MAX_INDEX,
    ClientEvent,
    Cut,
    Event,
    Index,
    Milliseconds,
    RawClientEvent,
    ServerEvent,
    UnknownEvent,
)
from realtime_actors.protocol.client_events import SessionUpdate
from realtime_actors.protocol.objects import Response, SessionInfo
from realtime_actors.protocol.server_events import (
    ResponseOutputAudioDelta,
    SessionCreated,
    SessionUpdated,
)
from realtime_actors.protocol.shapes import (
    RESPONSE,
    RESPONSE_CREATE,
    SESSION,
    TRANSCRIPTION,
    flatten,
    nest,
    read_settings,
    write_settings,
)
from realtime_actors.protocol.struct import Kind, Kinds, Struct, UnreadableError

__all__ = ["BETA_NAMES", "CLIENT_EVENTS", "SERVER_EVENTS", "Codec"]

Wire: TypeAlias = Mapping[str, Any]
Reader: TypeAlias = Callable[[Wire], Any]
E = TypeVar("E", bound=Event)


# --- the table: what there is, and what it is called --------------------------------------------


def _table(module: Any, base: type[E]) -> dict[str, type[E]]:
    classes = (getattr(module, name) for name in module.__all__)
    return {cls.type: cls for cls in classes if issubclass(cls, base)}


CLIENT_EVENTS: Final[Mapping[str, type[ClientEvent]]] = _table(client_events, ClientEvent)
"""The 11 events of a client, by type."""

SERVER_EVENTS: Final[Mapping[str, type[ServerEvent]]] = _table(server_events, ServerEvent)
"""The 46 events of a server, by type."""

BETA_NAMES: Final[Mapping[str, str]] = {
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
}
"""What the beta interface calls an event, where GA calls it something else."""

_BETA_TRANSCRIPTION_NAMES: Final[Mapping[str, str]] = {
    "session.update": "transcription_session.update",
    "session.created": "transcription_session.created",
    "session.updated": "transcription_session.updated",
}
"""What the beta interface calls an event about a session that only transcribes."""

_SESSION_EVENTS: Final = (SessionUpdate, SessionCreated, SessionUpdated)


class Codec:
    """Reads events, whichever dialect they are of, and writes them in one dialect."""

    def __init__(self, dialect: DialectName, backend: Backend) -> None:
        self._dialect = dialect
        self._writers: dict[type[Event], Callable[[Any], Wire]] = {
            UnknownEvent: lambda event: event.raw or {"type": event.type},
            RawClientEvent: lambda event: event.payload,
        }
        kinds = _kinds(dialect, backend)
        self.client_readers = self._readers(CLIENT_EVENTS, kinds)
        """What makes an event out of a JSON object, by the type that is in it."""
        self.server_readers = self._readers(SERVER_EVENTS, kinds)

        hot = ResponseOutputAudioDelta.type
        read = _audio_delta_reader(self.server_readers[hot], backend.decode64)
        self.server_readers[hot] = self.server_readers[BETA_NAMES[hot]] = read

    def write(self, event: Event) -> Wire:
        """Make a JSON object. Raises `LocalProtocolError` for what is no event to send."""
        writer = self._writers.get(type(event))
        if writer is None:
            raise LocalProtocolError(f"a {type(event).__name__} can't be sent")
        return writer(event)

    def _readers(self, table: Mapping[str, type[Event]], kinds: Kinds) -> dict[str, Reader]:
        readers: dict[str, Reader] = {}
        for name, cls in table.items():
            struct = Struct(cls, kinds)
            if cls in _SESSION_EVENTS:
                readers[name] = partial(_read_session_event, struct)
                readers[_BETA_TRANSCRIPTION_NAMES[name]] = readers[name]
                self._writers[cls] = self._write_session_event
            else:
                readers[name] = struct.read
                self._writers[cls] = partial(self._write, struct)
        beta = {other: readers[name] for name, other in BETA_NAMES.items() if name in readers}
        return beta | readers

    def _write(self, struct: Struct[Any], event: Event) -> Wire:
        name = event.type if self._dialect == "ga" else BETA_NAMES.get(event.type, event.type)
        return {"type": name, **struct.write(event)}

    def _write_session_event(self, event: SessionUpdate | SessionCreated | SessionUpdated) -> Wire:
        session: dict[str, Any] = {}
        if isinstance(event, SessionUpdate):
            kind, settings = event.session_type, event.session
        else:
            kind, settings = event.session.type, event.session.settings
            what = "transcription_session" if kind == "transcription" else "session"
            session["object"] = f"realtime.{what}"
            session["id"] = event.session.id
            session["expires_at"] = event.session.expires_at
        if self._dialect == "ga":
            session["type"] = kind
        is_transcription = kind == "transcription"
        shape = TRANSCRIPTION if is_transcription else SESSION
        name = event.type
        if is_transcription and self._dialect == "beta":
            name = _BETA_TRANSCRIPTION_NAMES[name]
        session = _set(session) | write_settings(settings, shape, self._dialect)
        return _set({"type": name, "event_id": event.event_id, "session": session})


def _read_session_event(struct: Struct[Any], wire: Wire) -> Any:
    """Read what is about a session. Of what type it is, is inside of it, or in beta's name."""
    session = wire.get("session")
    if not isinstance(session, Mapping):
        return struct.read(wire)
    if session.get("type") is None and wire["type"] in _BETA_TRANSCRIPTION_NAMES.values():
        session = {**session, "type": "transcription"}
    return struct.read({**wire, "session": session, "session_type": session.get("type")}, wire)


def _set(wire: Wire) -> dict[str, Any]:
    return {name: value for name, value in wire.items() if value is not None}


# --- what the types of fields are on the wire ---------------------------------------------------


def _kinds(dialect: DialectName, backend: Backend) -> Kinds:
    beta = dialect == "beta"
    kinds = Kinds()
    kinds.add(str, Kind("a text", _only(str)))
    kinds.add(bool, Kind("true or false", _only(bool)))
    kinds.add(int, Kind("a whole number", _whole))
    kinds.add(Index, Kind("a whole number", _index))
    kinds.add(Milliseconds, Kind("a number of milliseconds", _milliseconds))
    kinds.add(Cut, Kind("a number of milliseconds", _cut))
    kinds.add(float, Kind("a number", _number))
    kinds.add(int | Literal["inf"], Kind("a number or inf", _whole_or_inf))
    kinds.add(Mapping[str, Any], Kind("an object", _only(dict)))
    kinds.add(str | Mapping[str, Any], Kind("a text or an object", _only(str, dict)))
    kinds.add(bytes, Kind("base64", partial(_decode64, backend.decode64), backend.encode64))

    read_item = partial(item_from_wire, decode64=backend.decode64)
    write_item = partial(item_to_wire, beta=beta, encode64=backend.encode64)
    kinds.add(Item, _object("an item", read_item, write_item))

    read_part = partial(part_from_wire, decode64=backend.decode64)
    # The events about parts say `text` and `audio` in GA as well; only items don't.
    write_part = partial(part_to_wire, beta=True, encode64=backend.encode64)
    kinds.add(ContentPart, _object("a part", read_part, write_part))

    def read_response_settings(wire: Wire) -> ResponseSettings:
        if isinstance(wire.get("input"), list):
            wire = {**wire, "input": [read_item(item) for item in wire["input"]]}
        return read_settings(ResponseSettings, RESPONSE_CREATE, wire)

    def write_response_settings(settings: ResponseSettings) -> Wire:
        wire = write_settings(settings, RESPONSE_CREATE, dialect)
        if settings.input is not None:
            wire["input"] = [write_item(item) for item in settings.input]
        return wire

    kinds.add(
        ResponseSettings, _object("an object", read_response_settings, write_response_settings)
    )
    responses = Struct(Response, kinds)

    def read_response(wire: Wire) -> Response:
        return responses.read({**wire, **flatten(wire, RESPONSE)}, wire)

    def write_response(response: Response) -> Wire:
        wire = responses.write(response)
        same = {name: value for name, value in wire.items() if name not in RESPONSE}
        return {"object": "realtime.response", **same, **nest(wire, RESPONSE, dialect)}

    kinds.add(Response, _object("an object", read_response, write_response))

    # Sessions are written with their events: what becomes of the settings depends on the type.
    read_session_settings = partial(
        read_settings, SessionModelSettings, SESSION, beside=("type", "id", "object", "expires_at")
    )
    kinds.add(SessionModelSettings, _object("an object", read_session_settings))
    sessions = Struct(SessionInfo, kinds)

    def read_session(wire: Wire) -> SessionInfo:
        return sessions.read({**wire, "settings": wire}, wire)

    kinds.add(SessionInfo, _object("an object", read_session))
    return kinds


def _object(
    what: str, read: Callable[[Wire], Any], write: Callable[[Any], Any] = lambda value: value
) -> Kind:
    return Kind(what, lambda value: read(value) if isinstance(value, Mapping) else None, write)


def _only(*types: type) -> Callable[[Any], Any]:
    return lambda value: value if isinstance(value, types) else None


def _whole(value: object) -> int | None:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _index(value: object) -> int | None:
    """A place in a list. What is no number says nothing; a number that is none says too much."""
    if _number(value) is None:
        return None
    index = _whole(value)
    if index is None or not 0 <= index <= MAX_INDEX:
        raise UnreadableError(f"is {value}: it counts from 0 to {MAX_INDEX}")
    return index


def _milliseconds(value: object) -> int | None:
    whole = _whole(value)
    return whole if whole is not None and 0 <= whole < 2**53 else None


def _cut(value: object) -> int:
    whole = _milliseconds(value)
    if whole is None:
        raise UnreadableError("is not a number of milliseconds")
    return whole


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole_or_inf(value: object) -> int | str | None:
    return "inf" if value == "inf" else _whole(value)


def _decode64(decode64: Callable[[str], bytes], value: object) -> bytes | None:
    try:
        return decode64(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _audio_delta_reader(read: Reader, decode64: Callable[[str], bytes]) -> Reader:
    """Make a quick reader of the one event that comes in a flood. `read` has the odd cases."""
    fields = itemgetter(
        "event_id", "response_id", "item_id", "output_index", "content_index", "delta"
    )

    def read_audio_delta(wire: Wire) -> Any:
        try:
            event_id, response_id, item_id, output_index, content_index, delta = fields(wire)
            if (
                type(delta) is type(event_id) is type(response_id) is type(item_id) is str
                and type(output_index) is type(content_index) is int
                and 0 <= content_index <= MAX_INDEX
                and 0 <= output_index <= MAX_INDEX
            ):
                # What calling the class does, but for a dict of the keywords: half the time.
                event = ResponseOutputAudioDelta.__new__(ResponseOutputAudioDelta)
                ResponseOutputAudioDelta.__init__(
                    event,
                    event_id=event_id,
                    raw=wire,
                    response_id=response_id,
                    item_id=item_id,
                    output_index=output_index,
                    content_index=content_index,
                    delta=decode64(delta),
                )
                return event
        except (KeyError, ValueError):
            pass
        return read(wire)

    return read_audio_delta
