"""Engines that say what they were told to say: for tests, without the extra [local]."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from attrs import field, frozen

from realtime_actors.server.engines.brain.words_said import last_words
from realtime_actors.server.engines.interfaces import (
    BrainOutput,
    BrainRequest,
    Cancelled,
    EngineError,
    Finished,
    TextDelta,
    ToolCallDelta,
    Transcript,
    never,
)

__all__ = ["Call", "Reply", "ScriptedBrain", "ScriptedRecognizer"]


@frozen
class Call:
    """Have the brain call a tool."""

    name: str
    arguments: Mapping[str, object] = field(factory=dict)


Line = str | Call
Reply = Line | Sequence[Line] | Callable[[BrainRequest], Line | Sequence[Line]]
"""What to say, what to call, several of both in order, or a function that decides."""


class ScriptedBrain:
    """Answers with one reply after the other; without a script, it repeats what was said.

    Text comes word by word. A script that is over is an `EngineError`.
    """

    def __init__(self, replies: Iterable[Reply] | None = None) -> None:
        self._replies = iter([] if replies is None else list(replies))
        self._echoes = replies is None
        self._lock = threading.Lock()  # guards the place in the script

    def respond(
        self, request: BrainRequest, *, cancelled: Cancelled = never
    ) -> Iterator[BrainOutput]:
        index = 0
        for line in self._lines(request):
            if cancelled():
                return
            if isinstance(line, Call):
                arguments = json.dumps(line.arguments)
                yield ToolCallDelta(index=index, name=line.name, arguments=arguments)
                index += 1
            else:
                yield from map(TextDelta, _words(line))
        yield Finished()

    def _lines(self, request: BrainRequest) -> Sequence[Line]:
        if self._echoes:
            return [f"You said: {last_words(request.items)}"]
        with self._lock:
            reply = next(self._replies, None)
        if reply is None:
            raise EngineError("the script is over")
        if callable(reply):
            reply = reply(request)
        return [reply] if isinstance(reply, str | Call) else reply


class ScriptedRecognizer:
    """Hears one text after the other, whatever was said; then it hears nothing."""

    rate_hz = 16_000

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._texts = iter(list(texts))
        self._lock = threading.Lock()  # guards the place in the script

    def transcribe(
        self,
        pcm: bytes,
        *,
        language: str | None = None,
        prompt: str | None = None,
        cancelled: Cancelled = never,
    ) -> Transcript:
        with self._lock:
            return Transcript(text=next(self._texts, ""))


def _words(text: str) -> list[str]:
    return [word + " " for word in text.split(" ")[:-1]] + text.split(" ")[-1:]
