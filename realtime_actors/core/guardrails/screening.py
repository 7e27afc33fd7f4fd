"""When the input guardrails judge what the user has said, and what a verdict does.

    committed --transcript--> Judged --passed--> nothing happens
                                |-----tripped--> the answer is stopped, the model is told why

The server answers a turn without waiting for its transcript, so the answer may be over,
in progress, or still to come when the verdict is there. It is stopped as far as it can
be. A verdict on a turn that was followed by another one stops nothing.

In the mode "hold" a guardrail that gives no verdict, or none in time, has tripped. Words that
are known to be others after they were judged are judged again.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Literal

from attrs import define, field, frozen

from realtime_actors import events
from realtime_actors.core.agents.handoffs import Handoffs
from realtime_actors.core.effects import ScreenInput
from realtime_actors.core.loss import Loss
from realtime_actors.core.messages import InputScreened
from realtime_actors.core.outbox import Outbox
from realtime_actors.core.recent import Recent
from realtime_actors.core.responses.response import ResponseMachine
from realtime_actors.core.speech.speech import Speech
from realtime_actors.guardrails import InputGuardrail
from realtime_actors.items import MessageItem, system_message
from realtime_actors.protocol import ConversationItemCreate

__all__ = ["Screening", "screening_timer"]


def screening_timer(item_id: str) -> Hashable:
    """Return the key of the timer that limits how long a turn of the user's is judged."""
    return ("screening", item_id)


@frozen
class _Judging:
    """What the guardrails are asked about."""

    text: str
    guardrails: tuple[InputGuardrail, ...]
    attempt: int


@define(kw_only=True)
class Screening:
    """The user's turns under guard."""

    outbox: Outbox
    handoffs: Handoffs
    speech: Speech
    responses: ResponseMachine
    guardrails: tuple[InputGuardrail, ...]
    """Those of the run. The agent's own come first."""
    timeout: float | None = None
    """Seconds for a verdict; None for no limit."""
    holds: bool = False
    """What is not judged has not passed."""
    _turn: str | None = None  # the user's latest
    _answer: str | None = None  # the latest response to it
    _stop: Literal["the server's own", "any"] | None = None  # of the answers still to come
    _said: Recent[str, str] = field(factory=Recent)  # the latest words of each turn
    _judging: dict[str, _Judging] = field(factory=dict)
    _gave_up: int = 0  # how often a verdict was

    def committed(self, item_id: str | None) -> None:
        """Note that the user has ended a turn."""
        self._turn, self._answer, self._stop = item_id, None, None

    def written(self) -> None:
        """Note that the program has said something in the user's place, which is answered next."""
        self._turn = self._answer = None

    def said(self, item_id: str, text: str) -> None:
        """Judge what the user said in a turn, once it is known, and when it is known better."""
        if not text.strip() or self._said.get(item_id) == text:
            return
        self._said[item_id] = text
        if item_id not in self._judging:
            self._judge(item_id, text)

    def began(self, response_id: str | None, *, asked_for: bool, now: float) -> None:
        """Stop a response that has begun, if what it answers was refused."""
        self._answer, stop, self._stop = response_id, self._stop, None
        if stop is None or (asked_for and stop != "any"):
            return
        self.responses.want()
        self.speech.interrupt(now, cancel=True)

    def judged(self, verdict: InputScreened, now: float) -> None:
        """Take a verdict: stop the answer to a turn that tripped."""
        item_id = verdict.item_id
        judging = self._judging.get(item_id)
        if judging is None or judging.attempt != verdict.attempt:
            return  # the connection was lost meanwhile, or it took too long
        del self._judging[item_id]
        if verdict.failure is not None:
            self.outbox.publish_error("guardrail_failed", verdict.failure, source="guardrail")
        guardrail, reason = verdict.guardrail, verdict.reason
        if guardrail is None and self.holds and verdict.failure is not None:
            guardrail, reason = verdict.failed, "it gave no verdict"
        if guardrail is not None:
            self._trip(verdict, guardrail, reason, now)
        elif self._said[item_id] != judging.text:
            self._judge(item_id, self._said[item_id])

    @property
    def judges(self) -> bool:
        """Whether a verdict is to come."""
        return bool(self._judging)

    def time_out(self, item_id: str, now: float) -> None:
        """Wait no longer for a verdict that was not given in time."""
        judging = self._judging.get(item_id)
        if judging is None:
            return
        self._gave_up += 1
        names = ", ".join(each.name for each in judging.guardrails)
        verdict = InputScreened(
            item_id=item_id,
            text=judging.text,
            failure=f"{names}: there was no verdict within {self.timeout:g} s",
            failed=names,
            attempt=judging.attempt,
        )
        self.judged(verdict, now)

    def lost(self, loss: Loss) -> None:
        """Forget all: verdicts that come late are of no turn once the connection is gone."""
        self._judging.clear()
        self._said.clear()
        self.committed(None)

    def _judge(self, item_id: str, text: str) -> None:
        agent = self.handoffs.agent
        guardrails = (*agent.input_guardrails, *self.guardrails)
        if not guardrails:
            return
        self._judging[item_id] = _Judging(text, guardrails, self._gave_up)
        self.outbox.do(
            ScreenInput(
                item_id=item_id,
                text=text,
                guardrails=guardrails,
                agent=agent,
                attempt=self._gave_up,
            )
        )
        if self.timeout is not None:
            self.outbox.set_timer(screening_timer(item_id), self.timeout)

    def _trip(self, verdict: InputScreened, guardrail: str, reason: str | None, now: float) -> None:
        latest = verdict.item_id == self._turn
        if latest and self._answer is not None:
            if self.speech.interrupt(now, cancel=True):
                self.responses.want()
        elif latest:
            # One that we asked for before this is no better than one that the server makes.
            self._stop = "any" if self.responses.is_requested else "the server's own"
        self.outbox.publish(
            events.GuardrailTrippedEvent,
            guardrail=guardrail,
            kind="input",
            response_id=self._answer if latest else None,
            item_id=verdict.item_id,
            reason=reason,
            text=verdict.text,
        )
        self.outbox.send(ConversationItemCreate(item=_warning(guardrail, reason)))


def _warning(guardrail: str, reason: str | None) -> MessageItem:
    because = f": {reason}" if reason else ""
    return system_message(
        f"What the user said was refused by the guardrail {guardrail!r}{because}."
        " Don't act on it; say that you can't help with that."
    )
