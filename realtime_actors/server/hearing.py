"""Hearing the caller: the input buffer, turns, the items made of them, and their words.

Every stretch of speech is recognised, whether or not the client wants to read it: the
model needs the words. Recognition starts at the first pause that may be the end of the
turn; when the caller goes on, it is thrown away and started again at the next one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from attrs import define, frozen

from realtime_actors.items import InputAudio, MessageItem
from realtime_actors.protocol import (
    ConversationItemInputAudioTranscriptionCompleted,
    ConversationItemInputAudioTranscriptionDelta,
    ConversationItemInputAudioTranscriptionFailed,
    ErrorDetail,
    InputAudioBufferCleared,
    InputAudioBufferCommitted,
    InputAudioBufferSpeechStarted,
    InputAudioBufferSpeechStopped,
    InputAudioBufferTimeoutTriggered,
    InputTokenDetails,
    TranscriptionUsage,
)
from realtime_actors.server.input_buffer import InputBuffer
from realtime_actors.server.item_chain import Entry, ItemChain
from realtime_actors.server.outbox import Outbox
from realtime_actors.server.refusals import Refused
from realtime_actors.server.server_effects import (
    CancelRecognition,
    DetectTurns,
    Hear,
    JudgePause,
    Recognise,
    ResetDetector,
)
from realtime_actors.server.server_messages import Transcribed, TranscriptionFailed
from realtime_actors.server.session_state import SessionState
from realtime_actors.server.token_counting import input_audio_tokens, text_tokens
from realtime_actors.server.turn_detection import (
    SilenceBegan,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    TurnSettings,
)

__all__ = ["MAX_APPEND_BYTES", "Hearing"]

MAX_APPEND_BYTES = 15 * 2**20
"""What one append may hold."""
MAX_BUFFER_BYTES = 200 * 2**20
"""An hour of PCM16 and some: more than a session can last."""
MIN_COMMIT_MS = 100
LOOK_BACK_MS = 30_000
"""How much silence is kept while turns are looked for: the longest idle timeout."""
BY_DURATION = (None, "whisper-1", "gpt-transcribe", "gpt-live-transcribe", "gpt-realtime-whisper")
"""Models of transcription that are paid for by the second."""


@frozen
class _Words:
    """What recognition gave: a text, or why there is none."""

    text: str | None
    problem: str = ""


@define(kw_only=True)
class _Recognition:
    """One attempt at the words of an item."""

    attempt: int
    pause_ms: int | None = None
    """The pause that it was started at; None when its audio is all there will be."""
    words: _Words | None = None


@define(kw_only=True)
class _Turn:
    """The caller is speaking."""

    item_id: str
    start_ms: int


class Hearing:
    """Owns everything between the caller's audio and the words of an item."""

    def __init__(self, *, out: Outbox, chain: ItemChain, session: SessionState) -> None:
        self._out = out
        self._chain = chain
        self._session = session
        self._buffer = InputBuffer(session.input_format)
        self._detecting: TurnSettings | None = None
        self._turn: _Turn | None = None
        self._attempts = 0
        self._recognitions: dict[str, _Recognition] = {}
        self._heard: dict[str, Entry] = {}

    # --- the buffer ------------------------------------------------------------------

    def append(self, audio: bytes) -> None:
        """Take audio. Raises `Refused` when it is too much.

        Half of a sample at its end waits for the audio that follows.
        """
        if len(audio) > MAX_APPEND_BYTES:
            raise Refused(
                f"Audio of {len(audio)} bytes is too much for one event: the limit is "
                f"{MAX_APPEND_BYTES} bytes.",
                code="invalid_value",
                param="audio",
            )
        if self._detecting is not None and self._turn is None:
            # Not what was appended just now: turns in it may not have been told yet.
            look_back_ms = max(LOOK_BACK_MS, self._detecting.prefix_padding_ms)
            self._buffer.forget_before(self._buffer.end_ms - look_back_ms)
        if self._buffer.length_bytes + len(audio) > MAX_BUFFER_BYTES:
            raise Refused(
                "The input audio buffer is full: commit or clear it.",
                code="input_audio_buffer_full",
                param="audio",
            )
        audio = self._buffer.append(audio)
        if self._detecting is not None and audio:
            self._out.do(Hear(audio))

    def commit(self) -> None:
        """Make an item of all that is buffered. Raises `Refused` below 100 ms."""
        length_ms = self._buffer.length_ms
        if length_ms < MIN_COMMIT_MS:
            raise Refused(
                "Error committing input audio buffer: buffer too small. Expected at least "
                f"{MIN_COMMIT_MS}ms of audio, but buffer only has {length_ms:.2f}ms of audio.",
                code="input_audio_buffer_commit_empty",
            )
        item_id = self._turn.item_id if self._turn else self._out.new_id("item")
        self._buffer.end_stretch()
        self._forget_turn()
        self._commit(item_id, self._buffer.start_ms, self._buffer.end_ms)

    def clear(self) -> None:
        """Drop all that is buffered, and the turn that is going on."""
        self._buffer.clear()
        self._forget_turn()
        self._out.emit(InputAudioBufferCleared())

    def configure(self) -> None:
        """Follow the session's settings, as they are now."""
        settings, audio_format = self._session.turn_settings, self._session.input_format
        if audio_format != self._buffer.audio_format:
            self._drop_recognition(self._turn)
            self._turn = None
            self._buffer.change_format(audio_format)
        elif settings == self._detecting:
            return
        if settings is None:
            self._drop_recognition(self._turn)
            self._turn = None
        if settings is not None or self._detecting is not None:
            self._out.do(
                DetectTurns(
                    settings=settings, audio_format=audio_format, start_ms=self._buffer.end_ms
                )
            )
        self._detecting = settings

    # --- turns -----------------------------------------------------------------------

    def speech_started(self, found: SpeechStarted) -> bool:
        """Begin a turn. Return False when turns are not looked for any more."""
        if self._detecting is None or self._turn is not None:
            return False
        self._turn = _Turn(item_id=self._out.new_id("item"), start_ms=found.audio_start_ms)
        self._out.emit(
            InputAudioBufferSpeechStarted(
                item_id=self._turn.item_id, audio_start_ms=found.audio_start_ms
            )
        )
        return True

    def silence_began(self, found: SilenceBegan) -> None:
        """Start to recognise: this may have been all."""
        if self._turn is not None:
            audio = self._buffer.between(self._turn.start_ms, found.audio_ms)
            self._recognise(self._turn.item_id, audio, pause_ms=found.audio_ms)

    def speech_resumed(self, _found: SpeechResumed) -> None:
        """Drop what was recognised: it was not all."""
        self._drop_recognition(self._turn)

    def speech_stopped(self, found: SpeechStopped) -> bool:
        """End the turn and commit it. Return False when there was none."""
        turn = self._turn
        if turn is None:
            return False
        self._turn = None
        self._out.emit(
            InputAudioBufferSpeechStopped(item_id=turn.item_id, audio_end_ms=found.audio_end_ms)
        )
        self._commit(turn.item_id, turn.start_ms, found.audio_end_ms)
        return True

    def time_out(self, idle_timeout_ms: int) -> None:
        """Commit the silence of a caller who has said nothing for so long."""
        end_ms = self._buffer.end_ms
        start_ms = max(end_ms - idle_timeout_ms, self._buffer.start_ms)
        item_id = self._out.new_id("item")
        self._out.emit(
            InputAudioBufferTimeoutTriggered(
                item_id=item_id, audio_start_ms=start_ms, audio_end_ms=end_ms
            )
        )
        self._commit(item_id, start_ms, end_ms)

    @property
    def in_turn(self) -> bool:
        """Whether the caller is speaking."""
        return self._turn is not None

    def _commit(self, item_id: str, start_ms: int, end_ms: int) -> None:
        audio = self._buffer.between(start_ms, end_ms)
        self._buffer.forget_before(end_ms)
        self._out.emit(
            InputAudioBufferCommitted(item_id=item_id, previous_item_id=self._chain.last_id)
        )
        item = MessageItem(
            id=item_id, status="completed", role="user", content=(InputAudio(audio=audio),)
        )
        entry = Entry(item, self._session.input_format)
        self._chain.add(item_id, entry)
        self._chain.done(item_id)
        self.listen_to(item_id, entry)

    def _forget_turn(self) -> None:
        """Drop the turn that is going on: its audio is gone."""
        self._drop_recognition(self._turn)
        self._turn = None
        if self._detecting is not None:
            self._out.do(ResetDetector())

    # --- words -----------------------------------------------------------------------

    def listen_to(self, item_id: str, entry: Entry) -> None:
        """Find out what is said in an item, unless that is known."""
        audio = entry.unheard_audio
        if audio is None:
            return
        self._heard[item_id] = entry
        recognition = self._recognitions.get(item_id)
        if recognition is None:
            self._recognise(item_id, audio, pause_ms=None)
        elif recognition.words is not None:
            self._settle(item_id, recognition.words)

    def pending(self, item_ids: Iterable[str]) -> set[str]:
        """Return those of the items whose words are not known yet."""
        return {each for each in item_ids if each in self._heard}

    def recognised(self, result: Transcribed | TranscriptionFailed) -> str | None:
        """Take a result. Return the item whose words are known now, if there is one."""
        recognition = self._recognitions.get(result.item_id)
        if recognition is None or recognition.attempt != result.attempt:
            return None
        match result:
            case Transcribed(text=text):
                recognition.words = _Words(text)
            case TranscriptionFailed(message=message):
                recognition.words = _Words(None, message)
        if result.item_id in self._heard:
            self._settle(result.item_id, recognition.words)
            return result.item_id
        if self._detecting is not None and self._detecting.eagerness and recognition.pause_ms:
            self._out.do(
                JudgePause(text=recognition.words.text or "", audio_ms=recognition.pause_ms)
            )
        return None

    def _recognise(self, item_id: str, audio: bytes, *, pause_ms: int | None) -> None:
        self._attempts += 1
        self._recognitions[item_id] = _Recognition(attempt=self._attempts, pause_ms=pause_ms)
        config = self._session.transcription
        prompt = config and (config.prompt or ", ".join(config.keywords or ()))
        self._out.do(
            Recognise(
                item_id=item_id,
                attempt=self._attempts,
                audio=audio,
                audio_format=self._session.input_format,
                language=config.language if config else None,
                prompt=prompt or None,
            )
        )

    def _drop_recognition(self, turn: _Turn | None) -> None:
        """Cancel the recognition of this turn's audio so far: its words are of no use."""
        recognition = self._recognitions.pop(turn.item_id, None) if turn else None
        if turn and recognition and recognition.words is None:
            self._out.do(CancelRecognition(item_id=turn.item_id, attempt=recognition.attempt))

    def _settle(self, item_id: str, words: _Words) -> None:
        """Write the words into the item, and tell the client when it wants to know."""
        entry = self._heard.pop(item_id)
        del self._recognitions[item_id]
        entry.heard_text = words.text or ""
        config = self._session.transcription
        if config is None or item_id not in self._chain:
            return
        index = entry.audio_index
        if words.text is None:
            self._out.emit(
                ConversationItemInputAudioTranscriptionFailed(
                    item_id=item_id,
                    content_index=index,
                    error=ErrorDetail(
                        type="transcription_error",
                        code="audio_unintelligible",
                        message=words.problem,
                    ),
                )
            )
            return
        entry.show_transcript(words.text)
        in_one = config.model in (None, "whisper-1")
        for piece in (words.text,) if in_one else re.findall(r"\s*\S+", words.text):
            self._out.emit(
                ConversationItemInputAudioTranscriptionDelta(
                    item_id=item_id, content_index=index, delta=piece
                )
            )
        self._out.emit(
            ConversationItemInputAudioTranscriptionCompleted(
                item_id=item_id,
                content_index=index,
                transcript=words.text,
                usage=_usage(entry.input_audio_ms, words.text, config.model),
            )
        )


def _usage(length_ms: float, text: str, model: str | None) -> TranscriptionUsage:
    if model in BY_DURATION:
        return TranscriptionUsage(type="duration", seconds=round(length_ms / 1000, 3))
    audio, words = input_audio_tokens(length_ms), text_tokens(text)
    return TranscriptionUsage(
        type="tokens",
        total_tokens=audio + words,
        input_tokens=audio,
        output_tokens=words,
        input_token_details=InputTokenDetails(audio_tokens=audio),
    )
