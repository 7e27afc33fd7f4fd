"""When the output guardrails judge what the model is saying, and what a verdict does.

They see the growing transcript: each time `debounce` more characters have come, and
once more at its end. One judgement of a response runs at a time; what comes meanwhile
is judged after it. A response trips once, and a verdict that comes late never touches
a newer response.

In the mode "hold", speech is kept back meanwhile (see `Held`): what they stop was never
heard. A guardrail that gives no verdict has tripped there: what was not judged is not heard.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final

from attrs import define, field

from realtime_actors import events
from realtime_actors.agent import Agent
from realtime_actors.core.agents.handoffs import Handoffs
from realtime_actors.core.effects import RunGuardrails
from realtime_actors.core.guardrails.held import SpeechEvent
from realtime_actors.core.loss import Loss
from realtime_actors.core.messages import GuardrailsFinished
from realtime_actors.core.outbox import Outbox
from realtime_actors.core.recent import Recent, RecentSet
from realtime_actors.core.responses.response import ResponseMachine
from realtime_actors.core.speech.speech import Speech
from realtime_actors.guardrails import OutputGuardrail
from realtime_actors.items import MessageItem, system_message
from realtime_actors.protocol import (
    ConversationItemCreate,
    ResponseOutputAudioDelta,
    ResponseOutputAudioDone,
)

__all__ = ["Guarding", "guardrail_timer"]

MAX_IN_A_ROW: Final = 3
"""How many answers in a row may be stopped and asked for anew. Ours."""


def guardrail_timer(response_id: str) -> Hashable:
    """Return the key of the timer that limits how long a response is judged."""
    return ("guardrail", response_id)


@define
class _Watch:
    item_id: str
    agent: Agent
    guardrails: tuple[OutputGuardrail, ...]
    text: str = ""
    parts: dict[tuple[str, int], str] = field(factory=dict)  # the text of each, so far
    whole: dict[tuple[str, int], int] = field(factory=dict)  # length of the text at its end
    judged: int = 0  # length of the text that was, or is being, judged
    running: bool = False
    attempt: int = 0  # verdicts on those before it were given up
    ended: bool = False
    tripped: bool = False

    def add(self, item_id: str, words: str) -> None:
        """Put words behind what is to be judged already."""
        if self.item_id != item_id:
            self.item_id = item_id
            words = f"\n{words}" if self.text else words
        self.text += words


@define(kw_only=True)
class Guarding:
    """The transcripts under guard, by response."""

    outbox: Outbox
    handoffs: Handoffs
    speech: Speech
    responses: ResponseMachine
    guardrails: tuple[OutputGuardrail, ...]
    """Those of the run. The agent's own come first."""
    debounce: int
    """Characters between two judgements."""
    play: Callable[[ResponseOutputAudioDelta, float], None]
    """Let a piece of speech be heard."""
    holds: bool = False
    """Nothing is heard before its transcript has passed."""
    timeout: float | None = None
    """Seconds for a verdict; None for no limit."""
    _tripped: RecentSet[str] = field(factory=RecentSet)
    _gave_up: int = 0  # how often a verdict was
    _watches: Recent[str, _Watch] = field(factory=Recent)
    _in_a_row: int = 0  # answers stopped, since one passed or the user spoke

    @property
    def has_guardrails(self) -> bool:
        """Whether anything is judged now, or is being judged."""
        return bool(self._watches or self.guardrails or self.handoffs.agent.output_guardrails)

    def known(
        self,
        response_id: str,
        item_id: str,
        content_index: int,
        words: str,
        now: float,
        *,
        is_whole: bool,
        is_news: bool,
    ) -> None:
        """Take the words of a part, up to here or all of them.

        They may have what never came as a delta. `is_news`: some of them are new to the
        conversation, which tells apart what is repeated after the end from what comes late.
        """
        watch = self._watch(response_id, item_id, is_news=is_news)
        if watch is None:
            return
        part = item_id, content_index
        known = watch.parts.get(part, "")
        if not is_whole and known.startswith(words):
            return
        watch.parts[part] = words
        if words.startswith(known):
            watch.add(item_id, words.removeprefix(known))
        elif words.strip() != known.strip():
            watch.add(item_id, f"\n{words}")
        if is_whole:
            length = watch.whole[part] = len(watch.text)
            self.speech.held.complete(response_id, item_id, content_index, length)
        self._next(response_id, watch)
        self._release(now)

    def speech_came(self, event: SpeechEvent, now: float) -> None:
        """Keep a piece of speech, or the end of a part, or let it be heard."""
        response_id, held = event.response_id, self.speech.held
        if self.speech.is_silenced(response_id):
            if isinstance(event, ResponseOutputAudioDelta):
                self.speech.unheard(event)
            return
        if self.holds and self.responses.is_over(response_id) and response_id not in held:
            return  # nothing comes any more that could pass
        watch = self._watch(response_id, event.item_id, is_news=True) if self.holds else None
        if watch is not None:
            part = event.item_id, event.content_index
            until = watch.whole.get(part, len(watch.text) + 1)
            held.keep(event, until, now, judged=True)
            self._release(now)
            return
        # What is judged and came before is heard before, but not in the middle of a part.
        waits = self.holds and bool(held) and self.speech.voice != response_id
        if self.speech.may_speak(response_id) and not waits:
            self._hear(event, now)
            self.go_on(now)
        else:
            held.keep(event, 0, now, judged=False)
            self._release(now)

    def go_on(self, now: float) -> None:
        """Let be heard what has waited for another voice to end."""
        if self.speech.held:
            self._release(now)

    def response_done(self, response_id: str | None, now: float) -> None:
        """Judge what is left of a response that has ended."""
        if response_id is None:
            return
        watch = self._watches.get(response_id)
        if watch is None:
            self.speech.held.over(response_id)
        else:
            watch.ended = True
            self._next(response_id, watch)
        self._release(now)

    def judged(self, verdict: GuardrailsFinished, now: float) -> None:
        """Take a verdict: let be heard what passed, and stop what tripped."""
        response_id = verdict.response_id
        watch = self._watches.get(response_id)
        if watch is None or verdict.attempt != watch.attempt:
            return  # the connection was lost meanwhile, or it took too long
        if verdict.failure is not None:
            self._failed(verdict.failure)
        watch.running = False
        guardrail, reason = verdict.guardrail, verdict.reason
        if guardrail is None and self.holds and verdict.failure is not None:
            guardrail, reason = verdict.failed, "it gave no verdict"
        if guardrail is not None:
            watch.tripped = True
            self._trip(verdict, guardrail, reason, now)
        else:
            self.speech.held.passed(response_id, watch.judged)
        self._next(response_id, watch)
        self._release(now)

    def time_out(self, response_id: str, now: float) -> None:
        """Wait no longer for a verdict that was not given in time."""
        watch = self._watches.get(response_id)
        if watch is None or not watch.running:
            return
        self._gave_up += 1
        watch.attempt = self._gave_up
        names = ", ".join(each.name for each in watch.guardrails)
        verdict = GuardrailsFinished(
            response_id=response_id,
            item_id=watch.item_id,
            text=watch.text[: watch.judged],
            failure=f"{names}: there was no verdict within {self.timeout:g} s",
            failed=names,
            attempt=watch.attempt,
        )
        self.judged(verdict, now)

    @property
    def judges(self) -> bool:
        """Whether a verdict is to come."""
        return any(watch.running for watch in self._watches.values())

    def lost(self, loss: Loss) -> None:
        """Forget all: the connection is gone."""
        self.moved()

    def moved(self) -> None:
        """Forget all: verdicts that come late are of no response on another connection."""
        self._watches.clear()
        self._tripped.clear()

    def _trip(
        self, verdict: GuardrailsFinished, guardrail: str, reason: str | None, now: float
    ) -> None:
        response_id = verdict.response_id
        self._tripped.add(response_id)
        beside = self.responses.is_out_of_band(response_id)
        if beside:
            self.speech.stop_out_of_band(response_id, now)
        else:
            self.speech.interrupt_response(response_id, now)
        self.outbox.publish(
            events.GuardrailTrippedEvent,
            guardrail=guardrail,
            response_id=response_id,
            item_id=verdict.item_id,
            reason=reason,
            text=verdict.text,
        )
        if beside:
            return  # it was asked for by the program, which knows what it was for
        self._in_a_row += 1
        if self._in_a_row > MAX_IN_A_ROW:
            # It will not be told: asking once more would go on for ever, and cost each time.
            self._failed(f"{guardrail} has stopped {MAX_IN_A_ROW + 1} answers")
            return
        self.responses.want()
        self.outbox.send(ConversationItemCreate(item=_reprimand(guardrail, reason)))

    def user_spoke(self) -> None:
        """Count anew: what comes now answers something new."""
        self._in_a_row = 0

    def _watch(self, response_id: str, item_id: str, *, is_news: bool) -> _Watch | None:
        """Return what is under guard of a response. None: nothing is."""
        watch = self._watches.get(response_id)
        if watch is not None:
            return watch
        agent = self.handoffs.agent
        guardrails = (*agent.output_guardrails, *self.guardrails)
        is_over = self.responses.is_over(response_id)
        if not guardrails or response_id in self._tripped or (is_over and not is_news):
            return None
        watch = _Watch(item_id, agent, guardrails, ended=is_over, attempt=self._gave_up)
        self._watches[response_id] = watch
        return watch

    def _release(self, now: float) -> None:
        """Let be heard what may be."""
        held = self.speech.held
        has_begun = self.responses.has_begun
        while (event := held.take(now, voice=self.speech.voice, has_begun=has_begun)) is not None:
            self._hear(event, now)
        for response_id in held.take_finished():
            if self.responses.is_over(response_id):
                self.speech.response_done(response_id)

    def _hear(self, event: SpeechEvent, now: float) -> None:
        if isinstance(event, ResponseOutputAudioDone):
            self.speech.done(event)
        else:
            self.play(event, now)

    def _next(self, response_id: str, watch: _Watch) -> None:
        due = len(watch.text) - watch.judged
        if watch.running:
            return
        if watch.tripped or due == 0:
            if watch.ended:
                if not watch.tripped:
                    self._in_a_row = 0
                del self._watches[response_id]
                self.speech.held.over(response_id)
            return
        # Who is kept waiting for a whole part is not kept waiting for more.
        waited_for = self.holds and watch.judged < max(watch.whole.values(), default=0)
        if due < self.debounce and not (watch.ended or waited_for):
            return
        watch.judged, watch.running = len(watch.text), True
        self.outbox.do(
            RunGuardrails(
                response_id=response_id,
                item_id=watch.item_id,
                text=watch.text,
                guardrails=watch.guardrails,
                agent=watch.agent,
                attempt=watch.attempt,
            )
        )
        if self.timeout is not None:
            # Not cancelled by the verdict: it is set anew with each text, or fires in vain.
            self.outbox.set_timer(guardrail_timer(response_id), self.timeout)

    def _failed(self, why: str) -> None:
        self.outbox.publish_error("guardrail_failed", why, source="guardrail")


def _reprimand(guardrail: str, reason: str | None) -> MessageItem:
    because = f": {reason}" if reason else ""
    return system_message(
        f"Your last words were refused by the guardrail {guardrail!r}{because}."
        " Don't repeat them; say something that it allows."
    )
