"""The server's half of a conversation, without any input or output.

`ServerConversation.handle(message, now)` takes what the client sent and what the engines
found, and answers what is to be done. It has no threads, no clock, no socket and no
chance: the same messages at the same times, with the same ids, give the same effects.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Mapping
from typing import Any, assert_never

from attrs import evolve, frozen

from realtime_actors.protocol import (
    ClientEvent,
    ConversationCreated,
    ConversationInfo,
    ConversationItemCreate,
    ConversationItemDelete,
    ConversationItemRetrieve,
    ConversationItemTruncate,
    ErrorDetail,
    InputAudioBufferAppend,
    InputAudioBufferClear,
    InputAudioBufferCommit,
    MalformedEvent,
    OutputAudioBufferClear,
    RawClientEvent,
    ResponseCancel,
    ResponseCreate,
    ServerError,
    SessionCreated,
    SessionUpdate,
    SessionUpdated,
    UnknownEvent,
    dialect,
)
from realtime_actors.seconds import seconds
from realtime_actors.server.client_rules import check_client_event
from realtime_actors.server.hearing import Hearing
from realtime_actors.server.item_chain import ItemChain
from realtime_actors.server.item_editing import Editing
from realtime_actors.server.outbox import Ids, Outbox
from realtime_actors.server.refusals import Refused
from realtime_actors.server.responding import Responses
from realtime_actors.server.response_run import ResponseRun
from realtime_actors.server.server_effects import CloseConnection, Effects
from realtime_actors.server.server_messages import (
    Finding,
    GenerationAudio,
    GenerationEnded,
    GenerationFailed,
    GenerationText,
    GenerationToolCall,
    Message,
    Opened,
    Tick,
    Transcribed,
    TranscriptionFailed,
)
from realtime_actors.server.session_state import SessionState, SessionType
from realtime_actors.server.token_counting import RateLimiter
from realtime_actors.server.turn_detection import (
    SilenceBegan,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
)

__all__ = ["ConversationOptions", "ServerConversation"]


@frozen(kw_only=True)
class ConversationOptions:
    """What a server may do differently from the real one, or differently from another day."""

    max_session_seconds: float = 3600.0
    silence_duration_ms: int = 500
    """How much silence ends a turn, until the client says otherwise."""
    requests_per_minute: int = 100_000
    tokens_per_minute: int = 100_000_000
    echo_event_ids: bool = True
    """Whether an error names the client event that caused it. The real service sometimes
    forgets."""

    def __attrs_post_init__(self) -> None:
        seconds(self.max_session_seconds, "ConversationOptions.max_session_seconds")


class ServerConversation:
    """One client's session, from `Opened` to `CloseConnection`.

    `ids` makes ids that were never used before out of a prefix. After a
    `CloseConnection` nothing has any effect.
    """

    def __init__(
        self,
        *,
        ids: Ids,
        model: str,
        beta: bool = False,
        type_: SessionType = "realtime",
        options: ConversationOptions | None = None,
        model_is_open: bool = False,
        models: Collection[str] | None = None,
    ) -> None:
        self._options = options or ConversationOptions()
        self._beta = beta
        self._dialect = dialect("beta" if beta else "ga")
        self._out = Outbox(ids)
        self._conversation_id = ids("conv")
        self._session = SessionState(
            ids("sess"),
            model=model,
            beta=beta,
            type_=type_,
            silence_duration_ms=self._options.silence_duration_ms,
            model_is_open=model_is_open,
            models=models,
        )
        self._chain = ItemChain(self._out, beta=beta)
        self._hearing = Hearing(out=self._out, chain=self._chain, session=self._session)
        self._responses = Responses(
            out=self._out,
            chain=self._chain,
            session=self._session,
            hearing=self._hearing,
            limiter=RateLimiter(
                requests_per_minute=self._options.requests_per_minute,
                tokens_per_minute=self._options.tokens_per_minute,
            ),
            conversation_id=self._conversation_id,
            on_done=self._response_done,
        )
        self._editing = Editing(
            out=self._out, chain=self._chain, session=self._session, hearing=self._hearing
        )
        self._expires_at: float | None = None
        self._idle_until: float | None = None
        self._closed = False

    @property
    def wakes_at(self) -> float | None:
        """When `handle` wants a `Tick`, by the clock that `now` is by; None: not at all."""
        if self._closed or self._expires_at is None:
            return None
        idle_until = self._idle_until
        return self._expires_at if idle_until is None else min(idle_until, self._expires_at)

    def configure(self, session: Mapping[str, Any]) -> None:
        """Set the session as its client secret says, before it is opened.

        What can't be set is left as it is: who made the secret was told by its answer.
        """
        event = self._dialect.decode_client(
            json.dumps({"type": "session.update", "session": {"type": "realtime", **session}})
        )
        if isinstance(event, SessionUpdate):
            with contextlib.suppress(Refused):
                self._check(event)
                self._session.update(event, fresh=True, spoke=False, responding=False)

    def handle(self, message: Message, now: float) -> Effects:
        """Take a message at a time (seconds of a monotonic clock). Return what to do."""
        if self._closed:
            return ()
        if isinstance(message, RawClientEvent):
            message = self._dialect.decode_client(json.dumps(message.payload))
        try:
            if isinstance(message, ClientEvent):
                self._check(message)
                self._client(message, now)
            else:
                self._found(message, now)
        except Refused as refused:
            self._error(refused.detail, message)
        return self._out.drain()

    def _client(self, event: ClientEvent, now: float) -> None:
        match event:
            case InputAudioBufferAppend(audio=audio):
                self._hearing.append(audio)
            case InputAudioBufferCommit():
                self._hearing.commit()
                self._idle_until = None
            case InputAudioBufferClear():
                self._hearing.clear()
            case SessionUpdate():
                self._update(event)
            case ConversationItemCreate(item=item, previous_item_id=previous):
                self._editing.create(item, previous)
            case ConversationItemRetrieve(item_id=item_id):
                self._editing.retrieve(item_id)
            case ConversationItemDelete(item_id=item_id):
                self._editing.delete(item_id)
            case ConversationItemTruncate(item_id=item_id):
                self._editing.truncate(event, self._responses.words_of(item_id))
            case ResponseCreate(response=override):
                if self._session.type == "transcription":
                    raise Refused(
                        "A transcription session has no responses.", code="invalid_parameter"
                    )
                self._responses.create(override, now)
                self._stop_idling_while_responding()
            case ResponseCancel(response_id=response_id):
                self._responses.cancel(response_id, now)
            case OutputAudioBufferClear():
                raise Refused(
                    "output_audio_buffer.clear is only for WebRTC and SIP connections.",
                    code="invalid_value",
                    param="type",
                )
            case _:
                pass  # what is malformed or unknown was refused before

    def _found(self, message: Finding, now: float) -> None:
        match message:
            case Opened():
                self._open(message, now)
            case SpeechStarted():
                self._speech_started(message, now)
            case SilenceBegan():
                self._hearing.silence_began(message)
            case SpeechResumed():
                self._hearing.speech_resumed(message)
            case SpeechStopped():
                if self._hearing.speech_stopped(message):
                    self._answer_turn(now)
            case Transcribed() | TranscriptionFailed():
                item_id = self._hearing.recognised(message)
                if item_id is not None:
                    self._responses.words_known(item_id)
            case (
                GenerationText()
                | GenerationAudio()
                | GenerationToolCall()
                | GenerationEnded()
                | GenerationFailed()
            ):
                self._responses.found(message, now)
            case Tick():
                self._look_at_the_clock(now)
            case _:
                assert_never(message)

    # --- the session -----------------------------------------------------------------

    def _open(self, opened: Opened, now: float) -> None:
        seconds = self._options.max_session_seconds
        self._expires_at = now + seconds
        self._session.expires_at = int(opened.unix_time + seconds)
        self._out.emit(SessionCreated(session=self._session.info))
        if self._beta:
            self._out.emit(
                ConversationCreated(conversation=ConversationInfo(id=self._conversation_id))
            )
        self._hearing.configure()

    def _update(self, event: SessionUpdate) -> None:
        self._session.update(
            event,
            fresh=not len(self._chain) and self._responses.active is None,
            spoke=self._responses.spoke,
            responding=self._responses.active is not None,
        )
        self._out.emit(SessionUpdated(session=self._session.info))
        self._hearing.configure()
        if self._idle_timeout_ms is None:
            self._idle_until = None

    def _expire(self) -> None:
        minutes = self._options.max_session_seconds / 60
        message = f"Your session hit the maximum duration of {minutes:g} minutes."
        self._error(
            ErrorDetail(type="invalid_request_error", code="session_expired", message=message)
        )
        self._responses.abandon()
        self._out.do(CloseConnection(1001, message))
        self._closed = True

    # --- turns -----------------------------------------------------------------------

    def _speech_started(self, found: SpeechStarted, now: float) -> None:
        if not self._hearing.speech_started(found):
            return
        self._idle_until = None
        detection = self._session.turn_detection
        if detection is not None and detection.interrupt_response:
            self._responses.interrupt(now)

    def _answer_turn(self, now: float) -> None:
        detection = self._session.turn_detection
        if detection and detection.create_response and self._session.type == "realtime":
            self._responses.answer_turn(now)
            self._stop_idling_while_responding()

    @property
    def _idle_timeout_ms(self) -> int | None:
        detection = self._session.turn_detection
        return detection.idle_timeout_ms if detection else None

    def _response_done(self, run: ResponseRun, now: float) -> None:
        """Wait for the caller until so long after the last word has been played."""
        if self._idle_timeout_ms is not None and not self._hearing.in_turn:
            self._idle_until = now + (run.audio_ms + self._idle_timeout_ms) / 1000

    def _stop_idling_while_responding(self) -> None:
        if self._responses.active is not None:
            self._idle_until = None

    def _look_at_the_clock(self, now: float) -> None:
        if self._expires_at is not None and now >= self._expires_at:
            self._expire()
        elif (
            self._idle_until is not None
            and now >= self._idle_until
            and self._idle_timeout_ms is not None
        ):
            self._idle_until = None
            self._hearing.time_out(self._idle_timeout_ms)
            self._answer_turn(now)

    # --- refusing --------------------------------------------------------------------

    def _check(self, event: ClientEvent) -> None:
        """Refuse what has the wrong shape."""
        if isinstance(event, InputAudioBufferAppend):
            return  # fifty times a second, and its one member was decoded already
        wire = event.raw
        if wire is None and isinstance(event, MalformedEvent):
            raise Refused(event.reason, code="invalid_json")
        check_client_event(self._to_wire(event) if wire is None else wire, beta=self._beta)
        if isinstance(event, MalformedEvent | UnknownEvent):
            raise Refused(
                event.reason if isinstance(event, MalformedEvent) else "Unknown event.",
                code="invalid_value",
            )

    def _to_wire(self, event: ClientEvent) -> Mapping[str, Any]:
        """Return what the event would be on the wire: it was made here, and never was there."""
        wire: Mapping[str, Any] = json.loads(self._dialect.encode_client(event))
        return wire

    def _error(self, detail: ErrorDetail, cause: Message | None = None) -> None:
        if isinstance(cause, ClientEvent) and self._options.echo_event_ids:
            detail = evolve(detail, event_id=cause.event_id)
        self._out.emit(ServerError(error=detail))
