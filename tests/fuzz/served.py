"""A server's conversation with engines of no cost, run by the numbers of a script."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import suppress

from attrs import define, field

from realtime_actors import protocol as wire
from realtime_actors.server import server_effects as fx
from realtime_actors.server import server_messages
from realtime_actors.server.answering import answer, transcribe
from realtime_actors.server.ears import Ears
from realtime_actors.server.engines.energy import EnergyDetector
from realtime_actors.server.engines.interfaces import (
    BrainOutput,
    BrainRequest,
    Cancelled,
    Engines,
    Finished,
    TextDelta,
    ToolCallDelta,
    never,
)
from realtime_actors.server.engines.scripted import ScriptedRecognizer
from realtime_actors.server.engines.tone import ToneVoice
from realtime_actors.server.server_conversation import ServerConversation

__all__ = ["Served"]


class _Brain:
    """Says a word, and calls the first tool that it is offered."""

    def respond(
        self, request: BrainRequest, *, cancelled: Cancelled = never
    ) -> Iterator[BrainOutput]:
        yield TextDelta("Well. ")
        for index, tool in enumerate(request.tools[:1]):
            yield ToolCallDelta(index=index, name=str(tool.get("name")), arguments="{}")
        yield TextDelta("That is all.")
        yield Finished()


ENGINES = Engines(
    detector=EnergyDetector,
    recognizer=ScriptedRecognizer(["Good morning."] * 1_000),
    brain=_Brain(),
    voice=ToneVoice(character_ms=1, pause_ms=1),
)


@define
class Served:
    """Performs what a conversation decides, as a connection would."""

    beta: bool
    conversation: ServerConversation = field(init=False)
    now: float = 0.0
    ears: Ears = field(factory=lambda: Ears(EnergyDetector))
    answers: dict[str, Iterator[server_messages.GenerationFinding]] = field(factory=dict)
    recognitions: list[fx.Recognise] = field(factory=list)
    done: list[str | None] = field(factory=list)
    """Responses that are over."""
    is_closed: bool = False

    def __attrs_post_init__(self) -> None:
        numbers = itertools.count(1)
        self._dialect = wire.dialect("beta" if self.beta else "ga")
        self.conversation = ServerConversation(
            ids=lambda prefix: f"{prefix}_{next(numbers)}", model="gpt-realtime", beta=self.beta
        )
        self.tell(server_messages.Opened(unix_time=1.7e9))

    _dialect: wire.Dialect = field(init=False)

    def client_says(self, line: bytes) -> None:
        self.tell(self._dialect.decode_client(line))

    def tell(self, message: server_messages.Message) -> None:
        waiting = [message]
        while waiting:
            for effect in self.conversation.handle(waiting.pop(0), self.now):
                assert not self.is_closed, f"after the end: {effect}"
                waiting += self._perform(effect)

    def _perform(self, effect: fx.Effect) -> list[server_messages.Message]:
        match effect:
            case fx.Emit(event=event):
                self._check_said(event)
            case fx.Hear(audio=audio):
                return [*self.ears.hear(audio)]
            case fx.DetectTurns():
                self.ears.configure(effect)
            case fx.ResetDetector():
                self.ears.reset()
            case fx.JudgePause():
                return [*self.ears.judge(effect)]
            case fx.Recognise():
                self.recognitions.append(effect)
            case fx.CancelRecognition():
                pass  # it may be too late for that
            case fx.Generate(response_id=response_id):
                self.answers[response_id] = answer(effect, ENGINES, never)
            case fx.CancelGeneration(response_id=response_id):
                del self.answers[response_id]
            case fx.CloseConnection():
                self.is_closed = True
        return []

    def _check_said(self, event: wire.ServerEvent) -> None:
        """Check that it can be written, and is what a client reads."""
        written = self._dialect.encode_server(event)
        json.loads(written)
        read = self._dialect.decode_server(written)
        assert type(read) is type(event), f"{event} is read as {read}"
        if isinstance(event, wire.ResponseDone):
            assert event.response.id not in self.done, f"over twice: {event.response.id}"
            self.done.append(event.response.id)

    def wait(self, number: int) -> None:
        """Let time pass, at most until the session is over."""
        self.now += number % 1000
        wakes_at = self.conversation.wakes_at
        if wakes_at is not None and wakes_at <= self.now:
            self.tell(server_messages.Tick())

    def engine(self, number: int) -> None:
        """Let an engine find something, whichever the number says."""
        if self.recognitions and number % 2:
            asked = self.recognitions.pop(number % len(self.recognitions))
            self.tell(transcribe(asked, ENGINES, never))
        elif self.answers:
            response_id = list(self.answers)[number % len(self.answers)]
            finding = next(self.answers[response_id], None)
            if finding is None:
                self.answers.pop(response_id, None)
            else:
                with suppress(StopIteration):
                    self.tell(finding)

    def finish(self) -> None:
        """Let everything that is owed come."""
        while self.answers or self.recognitions:
            self.engine(0 if self.answers else 1)
