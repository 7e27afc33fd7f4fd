"""The model's speech: what is played, and how it is stopped.

The fence: once a response is interrupted it is silenced. No audio of it is published
after its `AudioInterruptedEvent`, however late its deltas come.

One voice at a time: several responses may speak at once, one in the conversation and others out
of band. A player plays what comes in the order in which it comes, so a part of one response that
has begun is published to its end before anything of another. What comes meanwhile of others is
kept, and published after it (see `Held`).

    no voice --a piece of a part--> its response is the voice
       ^                                     |
       +--the end of the part, item or response; it is stopped, or given up
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from attrs import define, evolve, field

from realtime_actors import events
from realtime_actors.audio import bytes_per_sample, sample_rate
from realtime_actors.core.guardrails.held import Held
from realtime_actors.core.history.updates import History
from realtime_actors.core.loss import Loss
from realtime_actors.core.outbox import Outbox
from realtime_actors.core.recent import RecentSet
from realtime_actors.core.responses.response import ResponseMachine
from realtime_actors.core.speech.playback import Heard, PlaybackLedger
from realtime_actors.core.speech.samples import WholeSamples
from realtime_actors.protocol import (
    ClientEvent,
    ConversationItemDelete,
    ConversationItemTruncate,
    ResponseCancel,
    ResponseOutputAudioDelta,
    ResponseOutputAudioDone,
)

__all__ = ["Speech"]


@define
class Speech:
    """What the model has said, and how much of it was heard."""

    outbox: Outbox
    history: History
    responses: ResponseMachine
    ledger: PlaybackLedger
    audio_format: str = "pcm16"
    """Of the model's speech."""
    started: bool = False
    """The model has spoken in this connection: its voice cannot be changed any more."""
    held: Held = field(factory=Held)
    """What has come and must not be heard yet."""
    samples: WholeSamples = field(factory=WholeSamples)
    """Those of which only a half has come."""
    _last: ResponseOutputAudioDelta | None = None  # the last piece of a part that has not ended
    _silenced: RecentSet[str | None] = field(factory=RecentSet)
    _learned: str | None = None  # the id of the last response that began without one
    _stops: list[ClientEvent] = field(factory=list)  # what the last interruption sent
    _unsent: list[ClientEvent] = field(factory=list)  # what of that could not be sent
    _aired: RecentSet[str] = field(factory=RecentSet)  # items of which something was let be heard
    _before: set[str] = field(factory=set)  # items by the connection before that are still played

    def use_format(self, name: str) -> None:
        """Count bytes in this output format from now on."""
        if name == self.audio_format:
            return
        self.audio_format = name
        self.samples.change_format(bytes_per_sample(name))
        self.ledger.bytes_per_ms = sample_rate(name) * bytes_per_sample(name) // 1000

    @property
    def voice(self) -> str | None:
        """The response that is in the middle of a part: no other one is heard meanwhile."""
        if self._last is None:
            return None
        response_id = self._last.response_id
        is_over = self.responses.is_over(response_id) and response_id not in self.held
        # One that has not begun may never end.
        may_end = self.responses.has_begun(response_id)
        return None if is_over or self.is_silenced(response_id) or not may_end else response_id

    def is_voice(self, response_id: str) -> bool:
        """Whether a response goes on with a part that is being heard, if it is not stopped."""
        return self._last is not None and self._last.response_id == response_id

    def may_speak(self, response_id: str) -> bool:
        """Whether a piece of a response is heard as it comes, and not after another voice."""
        return self.voice in (None, response_id)

    def ended(self, item_id: str | None, content_index: int | None = None) -> None:
        """Nothing more comes of a part, or of any part of an item."""
        last = self._last
        if last is not None and last.item_id == item_id:
            self._last = last if content_index not in (None, last.content_index) else None

    def audio(self, event: ResponseOutputAudioDelta, now: float) -> None:
        """Let a piece of speech be heard, unless its response is stopped."""
        self.started = True  # also by what will not be heard
        response_id = event.response_id
        if self._silenced and self.is_silenced(response_id):
            self.unheard(event)
            return
        if self._last is None or self._last.item_id != event.item_id:
            self._aired.add(event.item_id)
        self._last = event
        length = len(event.delta)
        self.ledger.received(response_id, event.item_id, event.content_index, length, now)
        self.outbox.publish_speech(event)

    def unheard(self, event: ResponseOutputAudioDelta) -> None:
        """Note a piece that is not heard any more: what was is a smaller share of it all."""
        length_ms = len(event.delta) // self.ledger.bytes_per_ms
        self.history.conversation.lengthen(event.item_id, event.content_index, length_ms)

    def began(self, response_id: str | None) -> None:
        """A response of the conversation began. One without a name is no other than the last."""
        if response_id is None:
            for each in (None, self._learned):
                self._silenced.discard(each)

    def learn_id(self, response_id: str) -> None:
        """The response that began without an id has this one."""
        self._learned = response_id
        if None in self._silenced:
            self._silenced.add(response_id)

    def is_silenced(self, response_id: str | None) -> bool:
        """Whether nothing of a response is to be heard any more."""
        return response_id in self._silenced or self._is_unnamed(response_id)

    def _is_unnamed(self, response_id: str | None) -> bool:
        """Whether it is of a response that began without a name, and was silenced."""
        return None in self._silenced and not self.responses.has_begun(response_id)

    @property
    def speaks_beside(self) -> bool:
        """More is to come of what is said out of band."""
        return any(each not in self._silenced for each in self.responses.spoken_beside)

    def response_done(self, response_id: str | None) -> None:
        """A response has ended. What is held of it will be played all the same."""
        self.samples.over(response_id)
        if response_id not in self.held:
            self.ledger.response_done(response_id)

    def done(self, event: ResponseOutputAudioDone) -> None:
        """All of a part's speech has come."""
        self.ended(event.item_id, event.content_index)
        self.ledger.complete(event.item_id, event.content_index)
        if event.response_id not in self._silenced:
            self.outbox.publish(
                events.AudioEndEvent,
                response_id=event.response_id,
                item_id=event.item_id,
                content_index=event.content_index,
            )

    def received_ms(self, item_id: str, content_index: int, now: float) -> int:
        """How much of a part has come, as far as that is still known."""
        lengths = [
            part.received_ms
            for part in self.ledger.heard(now)
            if (part.item_id, part.content_index) == (item_id, content_index)
        ]
        return sum(lengths)

    def protected_until(self, now: float) -> float | None:
        """Until when the user's speech must not stop the model's. None: it may."""
        if self.responses.protects or self.held.any_of(self.responses.protected):
            return math.inf
        return self.ledger.ends_of(self.responses.protected, now)

    def interrupt_response(self, response_id: str, now: float) -> None:
        """Stop this response, but never a newer one."""
        if self.responses.is_out_of_band(response_id):
            self.stop_out_of_band(response_id, now)
            return
        active_id = self.responses.active_id
        is_active = response_id == active_id
        heard = self.ledger.heard(now)
        is_played = any(
            part.response_id == response_id and part.heard_ms < part.received_ms for part in heard
        )
        newer = any(part.response_id != response_id for part in heard[-1:])
        newer = newer or self.held.others(response_id) or active_id is not None
        if is_active or (is_played and not newer):
            self.interrupt(now, cancel=True)
        else:
            self._drop(response_id, now)

    def refuse(self, response_id: str) -> None:
        """Let nothing be heard of a response that has just begun. Stop nothing else."""
        self._silenced.add(response_id)
        self.outbox.send(ResponseCancel(response_id=response_id))

    def talked_over(self, response_id: str, now: float) -> None:
        """Stop a response that the server has stopped already, unless that is known."""
        if response_id not in self._silenced and response_id not in self.responses.protected:
            self.interrupt_response(response_id, now)

    def interrupt(self, now: float, *, cancel: bool) -> bool:
        """Stop speaking. Return whether there was anything to stop.

        `cancel` tells the server to stop the response in progress, if there is one (its
        own voice detection has done so already).
        """
        before = self.outbox.mark()
        again = self._take_unsent()
        for event in again:
            self.outbox.send(event)
        was_speaking = self._interrupt(now, cancel=cancel)
        self._stops = self.outbox.sent_since(before)
        return was_speaking or bool(again)

    def not_stopped(self, event: ClientEvent) -> None:
        """What an interruption sent was not sent after all: the next one sends it."""
        if any(event is each for each in self._stops):
            self._unsent.append(event)

    def _take_unsent(self) -> list[ClientEvent]:
        unsent, self._unsent = self._unsent, []
        return [
            event
            for event in unsent
            if not isinstance(event, ResponseCancel)
            or not self.responses.is_over(event.response_id)
        ]

    def stop_out_of_band(self, response_id: str, now: float) -> None:
        """Stop this response, which runs beside the conversation."""
        if response_id in self._silenced:
            return
        unheard = {part.response_id for part in self.ledger.heard(now) if not part.wholly}
        if response_id in unheard and unheard != {response_id}:
            # The player throws away all that it has, of every response.
            self.interrupt(now, cancel=True)
            return
        heard = self.ledger.stop(now) if unheard == {response_id} else []
        heard += self.held.drop(now, self.ledger.bytes_per_ms, response_id)
        self._stop_beside(response_id, [part for part in heard if not part.wholly])

    def _interrupt(self, now: float, *, cancel: bool) -> bool:
        heard = self._stop(now)
        unheard = [part for part in heard if not part.wholly]
        beside = dict.fromkeys(
            part.response_id for part in unheard if self.responses.is_out_of_band(part.response_id)
        )
        beside |= dict.fromkeys(
            each for each in self.responses.spoken_beside if each not in self._silenced
        )
        of_it = [part for part in heard if part.response_id not in beside]
        was_speaking = self._stop_conversation(of_it, cancel=cancel)
        for response_id in beside:
            its = [part for part in unheard if part.response_id == response_id]
            self._stop_beside(response_id, its)
        return was_speaking or bool(beside)

    def _stop_beside(self, response_id: str, unheard: Sequence[Heard]) -> None:
        """Stop a response out of band. It has no items in the conversation.

        Nor does the server stop it by itself when the user speaks.
        """
        self._silenced.add(response_id)
        self._interrupted(response_id, unheard)
        if not self.responses.is_over(response_id):
            self.outbox.send(ResponseCancel(response_id=response_id))

    def _stop_conversation(self, heard: Sequence[Heard], *, cancel: bool) -> bool:
        """Stop the responses of the conversation. Return whether there was anything to stop."""
        is_active, active_id = self.responses.is_active, self.responses.active_id
        if active_id in self._silenced:
            is_active, active_id = False, None  # interrupted before, and not over yet
        unheard = [part for part in heard if not part.wholly]
        if not is_active and not unheard:
            return False
        self._silenced.add_all(part.response_id for part in unheard)
        if is_active:
            self._silenced.add(active_id)
        self._interrupted(active_id, unheard)
        heard_items = {part.item_id for part in heard if part.heard_ms > 0}
        for part in unheard:
            if part.item_id in heard_items:
                self._truncate(part)
        if cancel and is_active:
            self.outbox.send(ResponseCancel(response_id=active_id))
        # An item of which nothing was heard was never said. After the cancel, so that
        # the server isn't adding to it any more.
        for item_id in dict.fromkeys(part.item_id for part in unheard):
            if item_id not in heard_items:
                self._delete(item_id)
        return True

    def _interrupted(self, response_id: str | None, unheard: Sequence[Heard]) -> None:
        """Tell that what is unheard will not be heard, or what a response has not said yet."""
        current = unheard[0] if unheard else None
        self.outbox.publish(
            events.AudioInterruptedEvent,
            response_id=current.response_id if current else response_id,
            item_id=current.item_id if current else None,
            content_index=current.content_index if current else 0,
            heard_ms=current.heard_ms if current else 0,
        )

    def was_heard(self, item_id: str, response_id: str | None) -> bool:
        """Whether something of an item was heard, or may still be."""
        return response_id not in self._silenced or item_id in self._aired

    def never_heard(self, item_id: str) -> None:
        """Delete an item that the server told when its response was stopped already."""
        if not self.history.is_deleted(item_id):
            self._delete(item_id)

    def was_aired(self, item_id: str) -> bool:
        """Whether something of an item was let be heard."""
        return item_id in self._aired

    def went_down(self) -> None:
        """The connection is lost. What has come of the model's speech is heard to its end."""
        self.ledger.complete_all()
        self.samples.halves.clear()
        self._unsent.clear()
        self._last = None

    def drop_held(self, now: float) -> None:
        """Give up what is still held back: there will be nothing that it could wait for."""
        for response_id in self.held.responses:
            self._drop(response_id, now)
        self.ledger.forget_heard(now)

    def lost(self, loss: Loss) -> None:
        """The connection is gone: forget what was being played."""
        self.ledger.clear()
        self.held.clear()
        self.samples.halves.clear()
        self._silenced.clear()
        self._unsent.clear()
        self._aired.clear()
        self._before.clear()
        self._last = None
        self.started = False

    def moved(self) -> None:
        """Another connection is in use. What came by the one before may still be heard."""
        self._before = set(self.ledger.items)
        self.samples.halves.clear()
        self._silenced.clear()
        self._unsent.clear()
        self._aired.clear()
        self._last = None
        self.started = False

    def _stop(self, now: float) -> list[Heard]:
        """Play nothing any more. Gives what was heard, of what is held as well."""
        heard = self.ledger.stop(now)
        for held in self.held.drop(now, self.ledger.bytes_per_ms):
            part = held.item_id, held.content_index
            for index, played in enumerate(heard):
                if (played.item_id, played.content_index) == part:
                    heard[index] = _joined(played, held)
                    break
            else:
                heard.append(held)
        return heard

    def _drop(self, response_id: str, now: float) -> None:
        """Drop what is held of a response, and leave everything else as it is."""
        dropped = self.held.drop(now, self.ledger.bytes_per_ms, response_id)
        if not dropped:
            return
        self._silenced.add(response_id)
        self.ledger.response_done(response_id)
        released = {(each.item_id, each.content_index): each for each in self.ledger.heard(now)}
        for each in dropped:
            played = released.get((each.item_id, each.content_index))
            if played is None:
                self._delete(each.item_id)
            else:  # what was released will be heard to its end
                whole = _joined(played, each)
                self._truncate(evolve(whole, heard_ms=played.received_ms))

    def _delete(self, item_id: str) -> None:
        if item_id not in self._before or self.history.is_told_anew(item_id):
            self.outbox.send(ConversationItemDelete(item_id=item_id))
        self.history.deleted(item_id)

    def _truncate(self, part: Heard) -> None:
        if part.item_id in self._before:
            self._truncate_words(part)
            return
        truncate = ConversationItemTruncate(
            item_id=part.item_id, content_index=part.content_index, audio_end_ms=part.heard_ms
        )
        self.outbox.send(truncate)
        self.history.truncated(
            part.item_id,
            part.content_index,
            heard_ms=part.heard_ms,
            received_ms=part.received_ms,
        )

    def _truncate_words(self, part: Heard) -> None:
        """Cut a part that came by the connection before: this one has its words, and no sound."""
        self.history.truncated(
            part.item_id,
            part.content_index,
            heard_ms=part.heard_ms,
            received_ms=part.received_ms,
        )
        self.history.tell_anew(part.item_id)


def _joined(played: Heard, held: Heard) -> Heard:
    """A part of which some was released, and some is held."""
    return evolve(played, received_ms=played.received_ms + held.received_ms, complete=False)
