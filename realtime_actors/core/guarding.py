"""When the output guardrails judge what the model is saying, and what a verdict does.

They see the growing transcript: each time `debounce` more characters have come, and
once more at its end. One judgement of a response runs at a time; what comes meanwhile
is judged after it. A response trips once, and a verdict that comes late never touches
a newer response.
"""

from __future__ import annotations

from attrs import define, field

from realtime_actors import events
from realtime_actors.core.effects import Effects, Publish, RunGuardrails, Send
from realtime_actors.core.handoffs import Handoffs
from realtime_actors.core.messages import GuardrailsFinished
from realtime_actors.core.response import ResponseMachine
from realtime_actors.core.speech import Speech
from realtime_actors.guardrails import OutputGuardrail
from realtime_actors.items import MessageItem, system_message
from realtime_actors.protocol import ConversationItemCreate

__all__ = ["Guarding"]


@define
class _Watch:
    item_id: str
    text: str = ""
    judged: int = 0  # length of the text that was, or is being, judged
    running: bool = False
    ended: bool = False
    tripped: bool = False


@define(kw_only=True)
class Guarding:
    """The transcripts under guard, by response."""

    info: events.EventInfo
    handoffs: Handoffs
    speech: Speech
    responses: ResponseMachine
    guardrails: tuple[OutputGuardrail, ...]
    """Those of the run. The agent's own come first."""
    debounce: int
    """Characters between two judgements."""
    _watches: dict[str, _Watch] = field(factory=dict)

    def grow(self, response_id: str, item_id: str, delta: str) -> Effects:
        """More of the transcript came. What is out of band is nobody's words to the user."""
        if not self._all() or self.responses.is_out_of_band(response_id):
            return []
        watch = self._watches.setdefault(response_id, _Watch(item_id))
        if watch.item_id != item_id:
            watch.item_id = item_id
            delta = "\n" + delta
        watch.text += delta
        return self._next(response_id, watch)

    def response_done(self, response_id: str | None) -> Effects:
        """The response has ended: judge what is left."""
        watch = self._watches.get(response_id) if response_id is not None else None
        if response_id is None or watch is None:
            return []
        watch.ended = True
        return self._next(response_id, watch)

    def judged(self, verdict: GuardrailsFinished, now: float) -> Effects:
        """The guardrails have judged."""
        response_id = verdict.response_id
        watch = self._watches.get(response_id)
        if watch is None:
            return []  # the connection was lost meanwhile
        effects: Effects = []
        if verdict.failure is not None:
            effects.append(self._failed(verdict.failure))
        watch.running = False
        if verdict.guardrail is not None:
            watch.tripped = True
            effects += self._trip(verdict, verdict.guardrail, now)
        return effects + self._next(response_id, watch)

    def lost(self) -> None:
        """The connection is gone. Verdicts that come late are of no response then."""
        self._watches.clear()

    def _trip(self, verdict: GuardrailsFinished, guardrail: str, now: float) -> Effects:
        response_id = verdict.response_id
        effects = self.speech.interrupt_response(response_id, now)
        tripped = events.GuardrailTrippedEvent(
            guardrail=guardrail,
            response_id=response_id,
            item_id=verdict.item_id,
            reason=verdict.reason,
            text=verdict.text,
            info=self.info,
        )
        self.responses.want()
        why = ConversationItemCreate(item=_reprimand(guardrail, verdict.reason))
        return [*effects, Publish(tripped), Send(why)]

    def _next(self, response_id: str, watch: _Watch) -> Effects:
        due = len(watch.text) - watch.judged
        if watch.running:
            return []
        if watch.tripped or due == 0:
            if watch.ended:
                del self._watches[response_id]
            return []
        if due < self.debounce and not watch.ended:
            return []
        watch.judged, watch.running = len(watch.text), True
        return [
            RunGuardrails(
                response_id=response_id,
                item_id=watch.item_id,
                text=watch.text,
                guardrails=self._all(),
                agent=self.handoffs.agent,
            )
        ]

    def _all(self) -> tuple[OutputGuardrail, ...]:
        return (*self.handoffs.agent.output_guardrails, *self.guardrails)

    def _failed(self, why: str) -> Publish:
        error = events.ErrorInfo(type="guardrail_failed", message=why)
        return Publish(events.ErrorEvent(error=error, source="guardrail", info=self.info))


def _reprimand(guardrail: str, reason: str | None) -> MessageItem:
    because = f": {reason}" if reason else ""
    return system_message(
        f"Your last words were stopped by the guardrail {guardrail!r}{because}."
        " Don't repeat them; say something that it allows."
    )
