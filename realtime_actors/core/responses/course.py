"""The course of a response: what its beginning, its growth and its end mean to everything else.

Servers leave out beginnings, ids and ends. A response that makes something has begun; one that
is silent for too long, or that the server does not know of any more, is given up.
"""

from __future__ import annotations

from typing import Final

from attrs import define, evolve

from realtime_actors import protocol as wire
from realtime_actors.core.accounting import Accounting
from realtime_actors.core.agents.turns import Turns
from realtime_actors.core.connection.moving import Moving
from realtime_actors.core.guardrails.guarding import Guarding
from realtime_actors.core.guardrails.screening import Screening
from realtime_actors.core.history.words import Words
from realtime_actors.core.limits import Limits
from realtime_actors.core.outbox import Outbox
from realtime_actors.core.responses.ends import was_talked_over, with_status
from realtime_actors.core.responses.response import ResponseMachine
from realtime_actors.core.responses.stalls import StallWatch
from realtime_actors.core.responses.turn_taking import TurnTaking
from realtime_actors.core.responses.unanswered import Unanswered
from realtime_actors.core.server_errors import is_fatal
from realtime_actors.core.settings import Configuration
from realtime_actors.core.speech.speech import Speech
from realtime_actors.core.tools.announcements import Announcements
from realtime_actors.core.tools.calling import Calling
from realtime_actors.core.tools.rounds import Rounds
from realtime_actors.core.tools.tool_calls import ToolCalls
from realtime_actors.items import Item

__all__ = ["Course"]

_GROWS: Final = (
    wire.ResponseOutputItemAdded,
    wire.ResponseContentPartAdded,
    wire.ResponseOutputAudioDelta,
    wire.ResponseOutputAudioTranscriptDelta,
    wire.ResponseOutputTextDelta,
    wire.ResponseFunctionCallArgumentsDelta,
)
"""What says that a response is in progress, whether its beginning was told or not."""


@define(kw_only=True)
class Course:
    """What happens when a response begins, ends, or is lost."""

    outbox: Outbox
    moving: Moving
    configuration: Configuration
    responses: ResponseMachine
    stalls: StallWatch
    unanswered: Unanswered
    turn_taking: TurnTaking
    turns: Turns
    speech: Speech
    words: Words
    guarding: Guarding
    screening: Screening
    calling: Calling
    calls: ToolCalls
    rounds: Rounds
    announcements: Announcements
    accounting: Accounting
    limits: Limits

    def unannounced(self, event: wire.ServerEvent, now: float) -> None:
        """Learn from what a response makes that it has begun, or its id, if that was not told."""
        if not isinstance(event, _GROWS):
            return
        response_id = event.response_id
        if not response_id or self.responses.is_known(response_id):
            return
        if not self.responses.is_expected:
            self._learn_id(response_id)
            return
        response = wire.Response(id=response_id)
        asked_for = self.responses.is_requested
        self.responses.began_unannounced(response)
        self._began(response, asked_for=asked_for, now=now)

    def created(self, event: wire.ServerEvent, response: wire.Response, now: float) -> None:
        """Take the beginning of a response."""
        if self.responses.is_known(response.id):
            return  # it came twice, or after something of it
        if response.id is None and not self.responses.may_be_of_conversation(response):
            self.outbox.publish_raw(event)  # out of band: nothing of it will be known by its id
            return
        if response.id is None and self.responses.is_active and self.responses.active_id is None:
            return  # it came twice: one at a time is of the conversation
        asked_for = self.responses.is_requested
        self.responses.created(response)
        if not self.responses.is_out_of_band(response.id):
            self._began(response, asked_for=asked_for, now=now)
            return
        self.stalls.began(response.id, now)
        self.announcements.began(response.id)
        self.outbox.publish_raw(event)
        self.turn_taking.began_out_of_band(str(response.id), now)

    def done(self, event: wire.ServerEvent, response: wire.Response, now: float) -> None:
        """Take the end of a response, told or not."""
        if self.responses.is_over(response.id):
            self._done_again(response, now)
            return
        self.limits.active(now)
        response = with_status(evolve(response, id=self.responses.id_of_end(response)))
        if self.responses.may_be_of_conversation(response):
            self._learn_id(response.id)
        # Without an id it may be none that is active any more: a server that runs two at once.
        is_watched = self.stalls.watches(response.id)
        has_begun = is_watched or self.responses.has_begun(response.id)
        self.responses.done(response, has_begun=is_watched)
        self.stalls.over(response.id)
        if was_talked_over(response):
            self._talked_over(response.id, now)
        self._counted(response)
        self.turn_taking.done(response)
        self.speech.response_done(response.id)
        if self.responses.is_out_of_band(response.id):
            self._words_of_response(response, now)
            if self.stalls.is_given_up(response.id):
                return
            self.turns.failed(response)
            self.outbox.publish_raw(event)
            self._end_if_fatal(response, now)
            return
        if not has_begun:  # the server has not said so
            self.words.began(response.id)
            self.turns.began(response)
        self._words_of_response(response, now)
        self.calling.response_done(response)
        self.rounds.response_done(response.id)
        self.rounds.go_on()
        self.turns.failed(response)
        self.turns.ended(response)
        self._end_if_fatal(response, now)

    def item_done(self, item: Item, response_id: str | None, now: float) -> None:
        """Take the end of an item that a response has made."""
        self.speech.ended(item.id)
        self.words.item(item, None, now, response_id=response_id, is_done=True)
        self.calling.item_done(item, response_id)

    def cancelled(self, event: wire.UnknownEvent, now: float) -> None:
        """Take the event by which some servers answer a cancel, with nothing else in it."""
        cancelled = self.unanswered.cancelled()
        self.outbox.publish_raw(event)
        if cancelled is not None and self.stalls.watches(cancelled.about):
            self.give_up(cancelled.about, now, "cancelled")

    def stalled(self, response_id: str | None, now: float) -> None:
        """Look whether a response in progress is silent for too long."""
        is_lost = self.stalls.fired(
            response_id,
            now,
            has_open_call=any(call.response_id == response_id for call in self.calls.open),
            unapproved=self.calls.hosted.unapproved,
        )
        if not is_lost:
            return
        self.outbox.publish_error(
            "response_stalled",
            "the server said nothing more of a response, nor of its end, and did not answer when it"
            " was cancelled: it was given up",
            response_id=response_id,
            source="response",
        )
        self.give_up(response_id, now)

    def out_of_band_unanswered(self, event_id: str) -> None:
        """Give up a response out of band that was asked for, and that the server does not begin."""
        if self.responses.out_of_band.give_up(event_id):
            self.outbox.publish_error(
                "response_unanswered",
                "the server did not answer a response.create out of band; where a server names no"
                " conversations, metadata tell its response from others",
                source="response.create",
            )

    def give_up(self, response_id: str | None, now: float, status: str = "lost") -> None:
        """Go on without a response whose end the server has not told."""
        self.stalls.give_up(response_id)
        response = wire.Response(id=response_id, status=status)
        self.done(wire.ResponseDone(response=response), response, now)

    def _learn_id(self, response_id: str | None) -> None:
        """Take an id for that of the response in progress, if it began without one."""
        if response_id is not None and self.responses.learn_id(response_id):
            self.speech.learn_id(response_id)
            self.stalls.learn_id(response_id)

    def _began(self, response: wire.Response, *, asked_for: bool, now: float) -> None:
        """A response of the conversation is in progress."""
        self.stalls.began(response.id, now)
        self.announcements.began(response.id)
        self.words.began(response.id)
        self.turns.began(response)
        self.turn_taking.began(now)
        if self.limits.leaving and not asked_for and response.id is not None:
            self.speech.refuse(response.id)
        self.screening.began(response.id, asked_for=asked_for, now=now)

    def _done_again(self, response: wire.Response, now: float) -> None:
        """Take what is new in the end of a response that was given up; else it came twice."""
        if not self.stalls.late_end(response.id):
            return
        for item in response.output:
            self.item_done(item, response.id, now)
        if response.usage is not None:
            self._counted(response)

    def _counted(self, response: wire.Response) -> None:
        if response.usage is None:
            self.accounting.not_counted()
            return
        model = self.configuration.settings.model
        self.accounting.response(response.id, response.usage, model)
        self.limits.spent(self.accounting.known_cost)

    def _end_if_fatal(self, response: wire.Response, now: float) -> None:
        error = response.status_details.error if response.status_details else None
        if error is not None and is_fatal(error):
            self.moving.server_ended(error, now)

    def _talked_over(self, response_id: str | None, now: float) -> None:
        """The server has stopped a response for the user's speech, whatever its settings say."""
        self.configuration.interrupted()
        if response_id is not None and not self.configuration.patient:
            self.speech.talked_over(response_id, now)

    def _words_of_response(self, response: wire.Response, now: float) -> None:
        """Take what a response says at its end of its words."""
        for item in response.output:
            self.words.item(item, None, now, response_id=response.id, is_done=True)
        self.words.ended(response)
        self.guarding.response_done(response.id, now)
