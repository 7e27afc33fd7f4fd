"""What the model is told of the outcome of a call: once, within limits, and not in vain.

    sent --refused--> an error is sent in its place --refused--> given up

A call without an output poisons the conversation: some servers ask no model any more. So what
can't be sent is replaced by a short text, and what the server refuses too, once.
"""

from __future__ import annotations

from typing import Final

from attrs import define, evolve, field, frozen

from realtime_actors.core.outbox import Outbox
from realtime_actors.core.responses.sending import MAX_MESSAGE_BYTES, fits
from realtime_actors.core.tools.rounds import Rounds
from realtime_actors.items import FunctionCallOutputItem, InputImage, user_message
from realtime_actors.protocol import ConversationItemCreate

__all__ = ["ID_CHARS", "Outcome", "Outputs"]

REMEMBERED: Final = 64
"""Of how many of the last outputs a refusal is understood. Ours: servers answer in order."""

ID_CHARS: Final = 400
"""How much of a call's id goes into an event's: those have 512 characters at most."""

ESCAPED: Final = 12
"""Bytes of a character in JSON, at most: two escapes of six."""


@frozen(kw_only=True)
class Outcome:
    """What a call came to."""

    call_id: str
    """Ours."""
    server_id: str
    response_id: str | None
    name: str
    text: str = field(repr=False)
    images: tuple[InputImage, ...] = field(default=(), repr=False)
    error: str | None = field(default=None, repr=False)
    spoken_of: bool = True
    """The model is asked to speak of it."""


@define(kw_only=True)
class Outputs:
    """The outputs that were sent, as long as they may be refused."""

    outbox: Outbox
    rounds: Rounds
    max_chars: int | None = None
    """How long an output may be. None: as long as a message."""
    max_message_bytes: int = MAX_MESSAGE_BYTES
    _sent: dict[str, Outcome] = field(factory=dict)  # by the event's id

    def within_limits(self, outcome: Outcome) -> Outcome:
        """Return an outcome as it can be sent: with another text for what can't be."""
        length = len(outcome.text)
        if self.max_chars is not None and length > self.max_chars:
            return _too_long(outcome, f"at most {self.max_chars:,} are allowed")
        is_long = length * ESCAPED > self.max_message_bytes  # most never have to be measured
        if is_long and not self._fits(_output(outcome)):
            return _too_long(outcome, "which is more than fits into a message")
        left = tuple(each for each in outcome.images if self._fits(_message((each,))))
        gone = len(outcome.images) - len(left)
        return _without_images(outcome, left, gone) if gone else outcome

    def send(self, outcome: Outcome) -> None:
        """Tell the model, by an item, and by more of them for what is to be seen."""
        self._sent[_event_id(outcome)] = outcome
        while len(self._sent) > REMEMBERED:
            del self._sent[next(iter(self._sent))]
        self.outbox.send(_output(outcome))
        # An output is text. What the tool shows can only be shown by the user.
        for event in self._shown(outcome):
            self.outbox.send(event)

    def refused(self, event_id: str | None, why: str) -> bool:
        """Tell the model another output in place of one that the server refused.

        Return whether the event that was refused is an output.
        """
        outcome = self._sent.pop(event_id or "", None)
        if outcome is None:
            return False
        text = f"Error: the output of {outcome.name} could not be sent: {why[:200]}"
        if outcome.spoken_of:
            self.rounds.told_again(outcome.response_id, outcome.server_id)
        item = FunctionCallOutputItem(call_id=outcome.server_id, output=text)
        again = f"{_event_id(outcome)}_again"
        self.outbox.send(ConversationItemCreate(event_id=again, item=item))
        return True

    def forget(self) -> None:
        """The connection is gone, or another one is in use: nothing is refused any more."""
        self._sent.clear()

    def _shown(self, outcome: Outcome) -> list[ConversationItemCreate]:
        images = outcome.images
        if not images:
            return []
        together = _message(images)
        return [together] if self._fits(together) else [_message((each,)) for each in images]

    def _fits(self, event: ConversationItemCreate) -> bool:
        return fits(event, self.max_message_bytes)


def _output(outcome: Outcome) -> ConversationItemCreate:
    item = FunctionCallOutputItem(call_id=outcome.server_id, output=outcome.text)
    return ConversationItemCreate(event_id=_event_id(outcome), item=item)


def _message(images: tuple[InputImage, ...]) -> ConversationItemCreate:
    return ConversationItemCreate(item=user_message(images))


def _event_id(outcome: Outcome) -> str:
    return f"output_{outcome.call_id[-ID_CHARS:]}"


def _too_long(outcome: Outcome, allowed: str) -> Outcome:
    text = (
        f"Error: the output of {outcome.name} is {len(outcome.text):,} characters long, {allowed}:"
        " ask for less, or for a part of it"
    )
    return evolve(outcome, text=text, error=text, images=())


def _without_images(outcome: Outcome, left: tuple[InputImage, ...], gone: int) -> Outcome:
    what = "an image" if gone == 1 else f"{gone} images"
    why = f"Error: {what} of {outcome.name} can't be shown: more than fits into a message"
    return evolve(outcome, text=f"{outcome.text}\n{why}", error=outcome.error or why, images=left)
