"""Engines at work for a connection: the words of a turn, the words and sound of an answer.

    brain ──words──▶ sentences ──▶ voice ──▶ resample, encode, cut ──▶ pieces of speech

The words go ahead of their sound. No thread and no socket in here: an answer is a
generator, that may be closed at any time.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Generator, Iterable, Iterator
from typing import TypeVar

from realtime_actors.audio import Resampler, decode_audio, encode_audio, sample_rate
from realtime_actors.server.engines.interfaces import (
    Cancelled,
    EngineError,
    Engines,
    Finished,
    TextDelta,
    ToolCallDelta,
    Voice,
)
from realtime_actors.server.engines.sentences import SentenceSplitter
from realtime_actors.server.input_buffer import bytes_per_ms
from realtime_actors.server.server_effects import Generate, Recognise, Speech
from realtime_actors.server.server_messages import (
    GenerationAudio,
    GenerationEnded,
    GenerationFailed,
    GenerationFinding,
    GenerationText,
    GenerationToolCall,
    Transcribed,
    TranscriptionFailed,
)

__all__ = ["DELTA_MS", "answer", "transcribe"]

T = TypeVar("T")

DELTA_MS = 100
"""How long the pieces of speech are."""

_log = logging.getLogger("realtime_actors.server")


def transcribe(
    effect: Recognise, engines: Engines, cancelled: Cancelled
) -> Transcribed | TranscriptionFailed:
    """Write down what is said. Whatever goes wrong becomes a `TranscriptionFailed`."""
    recognizer = engines.recognizer
    problem = "This server has no speech recognition."
    if recognizer is not None:
        try:
            pcm = decode_audio(effect.audio, effect.audio_format)
            resampler = Resampler(sample_rate(effect.audio_format), recognizer.rate_hz)
            transcript = recognizer.transcribe(
                resampler.process(pcm, last=True),
                language=effect.language,
                prompt=effect.prompt,
                cancelled=cancelled,
            )
        except EngineError as error:
            problem = str(error)
        except Exception:
            _log.exception("the recognizer failed on %s", effect.item_id)
            problem = "The speech recognition failed."
        else:
            return Transcribed(item_id=effect.item_id, attempt=effect.attempt, text=transcript.text)
    return TranscriptionFailed(item_id=effect.item_id, attempt=effect.attempt, message=problem)


def answer(
    effect: Generate, engines: Engines, cancelled: Cancelled
) -> Generator[GenerationFinding, None, None]:
    """Let the brain answer, and speak it. Ends with a `GenerationEnded` or `GenerationFailed`."""
    response_id = effect.response_id
    try:
        yield from _answer(effect, engines, cancelled)
    except EngineError as error:
        yield GenerationFailed(response_id=response_id, message=str(error))
    except Exception:
        _log.exception("the answer of %s failed", response_id)
        yield GenerationFailed(response_id=response_id, message="The model failed.")


def _answer(
    effect: Generate, engines: Engines, cancelled: Cancelled
) -> Iterator[GenerationFinding]:
    response_id = effect.response_id
    mouth = _Mouth(engines.voice, effect.speech, cancelled) if effect.speech else None
    with _closing(engines.brain.respond(effect.request, cancelled=cancelled)) as outputs:
        for output in outputs:
            # Words are spoken as they come; whatever else comes waits until all is said.
            pieces: Iterable[bytes]
            if isinstance(output, TextDelta):
                pieces = mouth.say(output.text) if mouth is not None else ()
                if output.text:
                    yield GenerationText(response_id, output.text)
            else:
                pieces = mouth.finish() if mouth is not None else ()
            for piece in pieces:
                yield GenerationAudio(response_id, piece)
            match output:
                case TextDelta():
                    pass
                case ToolCallDelta(index=index, name=name, arguments=arguments, call_id=call_id):
                    yield GenerationToolCall(
                        response_id=response_id,
                        index=index,
                        name=name,
                        arguments=arguments,
                        call_id=call_id,
                    )
                case Finished(reason=reason, input_tokens=read, output_tokens=written):
                    yield GenerationEnded(
                        response_id=response_id,
                        reason=reason,
                        input_tokens=read,
                        output_tokens=written,
                    )
                    return
    if not cancelled():
        raise EngineError("The model stopped in the middle of its answer.")


@contextlib.contextmanager
def _closing(iterator: Iterator[T]) -> Iterator[Iterator[T]]:
    """Close an iterator in the end, if that can be done: it stops the work behind it."""
    try:
        yield iterator
    finally:
        close = getattr(iterator, "close", None)
        if close is not None:
            close()


class _Mouth:
    """Turns text that grows into speech that grows, sentence by sentence."""

    def __init__(self, voice: Voice, speech: Speech, cancelled: Cancelled) -> None:
        self._voice = voice
        self._speech = speech
        self._cancelled = cancelled
        self._sentences = SentenceSplitter()
        self._resampler = Resampler(voice.rate_hz, sample_rate(speech.audio_format))
        self._delta_bytes = DELTA_MS * bytes_per_ms(speech.audio_format)
        self._rest = b""

    def say(self, text: str) -> Iterator[bytes]:
        """Take the next text. Return the speech of the sentences that it ended."""
        for sentence in self._sentences.feed(text):
            yield from self._speak(sentence)

    def finish(self) -> Iterator[bytes]:
        """Speak what is left. Whatever is said next is another message."""
        for sentence in self._sentences.flush():
            yield from self._speak(sentence)
        yield from self._cut(self._resampler.process(b"", last=True))
        if self._rest:
            rest, self._rest = self._rest, b""
            yield rest

    def _speak(self, sentence: str) -> Iterator[bytes]:
        speech = self._speech
        with _closing(
            self._voice.speak(
                sentence, voice=speech.voice, speed=speech.speed, cancelled=self._cancelled
            )
        ) as chunks:
            for chunk in chunks:
                yield from self._cut(self._resampler.process(chunk))

    def _cut(self, pcm: bytes) -> Iterator[bytes]:
        audio = self._rest + encode_audio(pcm, self._speech.audio_format)
        whole = len(audio) - len(audio) % self._delta_bytes
        self._rest = audio[whole:]
        for start in range(0, whole, self._delta_bytes):
            yield audio[start : start + self._delta_bytes]
