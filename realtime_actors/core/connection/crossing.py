"""What a conversation leaves behind with a connection, and what it brings along to the next one.

    leave   (a loss, or a move that can wait no longer)
            the response in progress is cut; what was asked for is wanted again; edits that were
            on their way are done here; calls run on, approvals wait on; nothing is sent
    arrive  (any move)
            every part forgets the names of the old connection; the new one, which is configured, is
            told the conversation; then the audio and the verbs that have waited follow

A response that was cut is asked for again once, in the words in which it was asked for. The model
is told how far it came, so that it goes on there. What of it was heard stays in the history; what
was not, is gone from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from attrs import define, evolve

from realtime_actors import events
from realtime_actors import protocol as wire
from realtime_actors.config import Reconnect, SessionModelSettings
from realtime_actors.config.models import context_of
from realtime_actors.core.agents.handoffs import Handoffs
from realtime_actors.core.agents.turns import Turns
from realtime_actors.core.connection.ids import ItemIds
from realtime_actors.core.connection.outage import Cut, Outage
from realtime_actors.core.connection.tokens import room_for
from realtime_actors.core.connection.unacknowledged import Unacknowledged
from realtime_actors.core.effects import Publish, SendKeptAudio
from realtime_actors.core.guardrails.guarding import Guarding
from realtime_actors.core.history.retelling import retell
from realtime_actors.core.history.transcripts import Transcripts
from realtime_actors.core.history.updates import History
from realtime_actors.core.history.words import Words
from realtime_actors.core.loss import Loss
from realtime_actors.core.messages import HandoffResolved
from realtime_actors.core.outbox import Outbox
from realtime_actors.core.responses.response import ResponseMachine
from realtime_actors.core.responses.stalls import StallWatch
from realtime_actors.core.responses.turn_taking import TurnTaking
from realtime_actors.core.responses.unanswered import Unanswered
from realtime_actors.core.settings import Configuration, ForNobody, difference
from realtime_actors.core.speech.speech import Speech
from realtime_actors.core.tools.approvals import Approvals
from realtime_actors.core.tools.rounds import Rounds
from realtime_actors.core.tools.tool_calls import ToolCalls
from realtime_actors.errors import NotConnectedError
from realtime_actors.items import (
    FunctionCallItem,
    InputAudio,
    Item,
    MessageItem,
    OutputText,
    system_message,
)
from realtime_actors.protocol import ConversationItemCreate, SessionInfo

__all__ = ["Cause", "Crossing"]

Cause: TypeAlias = Literal["lost", "renewal", "voice"]
Action: TypeAlias = Literal["", "asked_again", "continued", "dropped", "finished"]

_NO_CONNECTION = "there is no connection"

GO_ON = (
    "The connection was lost while you were saying your last words. The user has heard them as far"
    " as they stand here. Go on from there, and don't repeat what you have said."
)
SAY_AGAIN = (
    "The connection was lost while the user was speaking, and what they said last has not reached"
    " you. Tell them so in a few words, and ask them to say it again."
)


@define(kw_only=True, repr=False)
class Crossing:
    """From one connection to the next."""

    outbox: Outbox
    settings: Reconnect | None
    model: str | None
    configuration: Configuration
    responses: ResponseMachine
    handoffs: Handoffs
    turns: Turns
    history: History
    words: Words
    speech: Speech
    calls: ToolCalls
    rounds: Rounds
    approvals: Approvals
    turn_taking: TurnTaking
    guarding: Guarding
    transcripts: Transcripts
    stalls: StallWatch
    unanswered: Unanswered
    unacknowledged: Unacknowledged
    ids: ItemIds
    on_move: Sequence[Callable[[], None]]
    """What else is told that another connection is in use, in this order."""

    # -- leaving ---------------------------------------------------------------------------

    def leave(self, outage: Outage, now: float) -> None:
        """The connection is lost, or left in the middle of something."""
        self.note_sent()
        self.outbox.keeps_back = True
        self.responses.hold(_NO_CONNECTION)
        for item_id in self.unacknowledged.deleted:
            self.history.deleted(item_id)
        for item_id, index, heard_ms in self.unacknowledged.cut:
            received_ms = self.speech.received_ms(item_id, index, now)
            self.history.truncated(item_id, index, heard_ms=heard_ms, received_ms=received_ms)
        outage.user_cut |= self.turn_taking.user_speaks
        outage.owes_answer |= self.turn_taking.went_down()
        outage.hosted_calls += self.calls.hosted.count
        self.approvals.went_down()
        self._cut_response(outage, now)
        loss = Loss(error=NotConnectedError(_NO_CONNECTION), broke_off=False, response_id=None)
        self.transcripts.lost(loss)
        self.stalls.lost(loss)
        self.unanswered.lost(loss)
        self.configuration.went_down()
        self.speech.went_down()
        self.turns.settle()

    def note_sent(self) -> None:
        """Keep what is on its way to the server, or kept back: the next one is told of it."""
        for event in (*self.outbox.sent_since(0), *self.outbox.take_kept_back()):
            self.unacknowledged.sent(event, self._last_id)

    def _last_id(self) -> str | None:
        items = self.history.items
        return items[-1].id if items else None

    def _cut_response(self, outage: Outage, now: float) -> None:
        active_id, is_active = self.responses.active_id, self.responses.is_active
        is_stopped = self.turn_taking.is_stopped(active_id) or self.responses.is_stopped
        wanted = self.responses.went_down()
        if outage.owes_answer or outage.hosted_calls:
            self.responses.want()
        if not is_active:
            return
        made = self.words.made_by(active_id)
        outage.cut = Cut(
            response_id=active_id,
            wanted=wanted,
            items=tuple(str(item.id) for item in made if isinstance(item, MessageItem)),
            is_finished=bool(made) and all(map(self._is_finished, made)),
            is_stopped=is_stopped,
        )
        if active_id is not None:
            self.guarding.response_done(active_id, now)
        self.words.ended(wire.Response(id=active_id, status="incomplete"))
        for item_id in outage.cut.items:
            self.history.finished(item_id, "incomplete")
        self.rounds.response_done(active_id)
        self.rounds.go_on()
        self._want_what_is_owed(outage)
        self.turns.broke_off(active_id)

    def _want_what_is_owed(self, outage: Outage) -> None:
        """Ask for what the loss has cut off, as soon as there is a connection."""
        cut, settings = outage.cut, self.settings
        if cut is None or cut.is_finished or cut.is_stopped or settings is None:
            return
        if settings.on_cut_response == "retry":
            cut.is_wanted = True
            self.responses.want_again(cut.wanted)

    def _is_finished(self, item: Item) -> bool:
        if isinstance(item, FunctionCallItem):
            return any(item.id == call.item_id for call in self.calls.open) or (
                item.call_id in self.calls.made
            )
        entry = self.history.conversation.entry(item.id)
        return entry is not None and entry.is_finished

    def interrupted(self, outage: Outage) -> None:
        """The program has stopped the model: do not ask again for what the loss has cut."""
        cut = outage.cut
        if cut is not None:
            if cut.is_wanted:
                self.responses.want_no_more(cut.wanted)
            cut.is_stopped, cut.is_wanted = True, False

    # -- arriving --------------------------------------------------------------------------

    def rest(self, now: float) -> float | None:
        """Return the seconds until all that came has been heard. None while more may come."""
        is_busy = (
            not self.responses.at_rest
            or self.turn_taking.user_speaks
            or self.transcripts.awaited
            or self.guarding.judges
            or self.speech.held
            or self.calls.hosted.owed  # the other server knows nothing of what it is asked
        )
        return None if is_busy else max(0.0, self.speech.ledger.ends_at(now) - now)

    def arrive(
        self,
        cause: Cause,
        outage: Outage,
        *,
        told: SessionModelSettings,
        wanted: SessionModelSettings,
        session: SessionInfo,
        handoff: HandoffResolved | None,
        now: float,
    ) -> None:
        """Another connection is in use, which was told these settings. Bring all along."""
        self._finish_speech(now)
        for event in self.outbox.take_kept_back():
            self.unacknowledged.sent(event, self._last_id)
        action, notes = self._tell_of_cut(outage)
        for moved in self.on_move:
            moved()
        self.outbox.keeps_back = False
        self.configuration.moved(told, session.settings)
        changed = difference(told, wanted)  # meanwhile
        if changed != SessionModelSettings():
            self.configuration.update(changed, ForNobody())
        items, new = self._conversation(handoff)
        retelling = retell(items, self.calls.open, self.outbox.new_item_id, self._room(told))
        self.history.retold(item.id for item in retelling.items if item.id not in new)
        self.ids.told(retelling.items, self.history.items)
        report = events.ConnectionReport(
            cause=cause,
            items_told=len(retelling.items),
            left_out=retelling.left_out,
            open_calls=tuple(call.call_id for call in self.calls.open),
            hosted_calls_lost=outage.hosted_calls,
            cut_response=outage.cut.response_id if outage.cut else None,
            cut_action=action,
            user_cut=outage.user_cut,
            unanswered_turn=outage.owes_answer,
            kept_verbs=len(outage.verbs),
            attempts=outage.attempts,
            down_seconds=max(0.0, now - outage.since),
        )
        self._resumed(cause, outage, handoff, report)
        self.outbox.publish(events.SessionUpdatedEvent, session=session)
        for item in (*retelling.items, *notes):
            self.outbox.send(ConversationItemCreate(item=item))
        if handoff is not None:
            self.handoffs.acknowledged(evolve(handoff, history=None))
        if cause == "lost":
            self.outbox.do(SendKeptAudio())
        self.responses.release(_NO_CONNECTION)

    def _finish_speech(self, now: float) -> None:
        """See to what came of the model's speech by the connection before."""
        if self.outbox.keeps_back:
            self.speech.drop_held(now)
        else:
            self.speech.ledger.forget_parts()  # all of it was heard

    def _resumed(
        self,
        cause: Cause,
        outage: Outage,
        handoff: HandoffResolved | None,
        report: events.ConnectionReport,
    ) -> None:
        reason = "before the server ends the session"
        if handoff is not None:
            reason = f"for the voice of {handoff.resolved.agent.name}"
        if cause == "lost":
            reason = f"after a loss: {outage.reason or outage.code or 'without a word'}"
        event = events.ConnectionEvent(
            state="resumed",
            reason=reason,
            attempt=outage.attempts,
            report=report,
            info=self.outbox.info,
        )
        self.outbox.do(Publish(event))
        if cause == "lost":
            self.outbox.call_hook(self.handoffs.agent, "on_connection_resumed", event)

    def _conversation(self, handoff: HandoffResolved | None) -> tuple[Sequence[Item], set[str]]:
        """Return the conversation with what is on its way, and what of it is new to the history."""
        items: Sequence[Item] = self.history.items
        new: set[str] = set()
        if handoff is not None:
            items, untold = self.handoffs.told_to_another(handoff)
            new = {str(item.id) for item in items if item.id in untold}
        whole, on_their_way = self.unacknowledged.take(items, self.outbox.new_item_id)
        return whole, new | on_their_way

    def _room(self, told: SessionModelSettings) -> int:
        if self.settings is not None and self.settings.max_retold_tokens is not None:
            return self.settings.max_retold_tokens
        return room_for(context_of(self.configuration.settings.model or self.model), told)

    def _tell_of_cut(self, outage: Outage) -> tuple[Action, list[Item]]:
        """Say what becomes of what the loss has cut off. Gives what the model is told of it."""
        cut, action, notes = outage.cut, self._action(outage.cut), list[str]()
        if cut is not None and action == "asked_again":
            for item_id in cut.items:
                self.history.deleted(item_id)
        if action == "continued":
            notes.append(GO_ON)
        if outage.owes_answer and self._last_turn_is_lost():
            notes.append(SAY_AGAIN)
        items = [evolve(system_message(each), id=self.outbox.new_item_id()) for each in notes]
        for item in items:
            self.history.created(str(item.id))
        return action, [*items]

    def _action(self, cut: Cut | None) -> Action:
        if cut is None:
            return ""
        if cut.is_finished:
            return "finished"
        if cut.is_stopped or not cut.is_wanted:
            return "dropped"
        return "continued" if any(map(self._was_heard, cut.items)) else "asked_again"

    def _was_heard(self, item_id: str) -> bool:
        """Whether the user has heard or read something of an item."""
        item = self.history.conversation.get(item_id)
        if not isinstance(item, MessageItem):
            return False
        is_read = any(isinstance(part, OutputText) and part.text for part in item.content)
        return is_read or self.speech.was_aired(item_id)

    def _last_turn_is_lost(self) -> bool:
        """Whether what the user said last can't be told: its words are not known."""
        users = [
            item
            for item in self.history.items
            if isinstance(item, MessageItem) and item.role == "user"
        ]
        if not users:
            return True
        content = users[-1].content
        return any(isinstance(part, InputAudio) and not part.transcript for part in content)
