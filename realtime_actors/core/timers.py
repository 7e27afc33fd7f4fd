"""Which part a timer belongs to."""

from __future__ import annotations

from attrs import define

from realtime_actors.core.agents.handoffs import Handoffs
from realtime_actors.core.connection.moving import (
    LIMIT_TIMER,
    OUTAGE_TIMER,
    PAUSE_TIMER,
    QUIET_TIMER,
    RENEW_TIMER,
    Moving,
)
from realtime_actors.core.farewell import FAREWELL_TIMER, Farewell
from realtime_actors.core.guardrails.guarding import Guarding
from realtime_actors.core.guardrails.screening import Screening
from realtime_actors.core.history.words import Words
from realtime_actors.core.limits import DURATION_TIMER, GOODBYE_TIMER, IDLE_TIMER, Limits
from realtime_actors.core.outbox import Outbox
from realtime_actors.core.responses.course import Course
from realtime_actors.core.responses.response import ANSWER_TIMER, RETRY_TIMER, ResponseMachine
from realtime_actors.core.responses.turn_taking import TURN_TIMER
from realtime_actors.core.settings_answers import SettingsAnswers
from realtime_actors.core.speech.audio_losses import LOSSES_TIMER, AudioLosses
from realtime_actors.core.tools.approvals import Approvals
from realtime_actors.core.tools.offers import OFFERS_TIMER, Offers
from realtime_actors.core.tools.tool_calls import ToolCalls

__all__ = ["Timers"]


@define(kw_only=True)
class Timers:
    """From the key of a timer to what happens when it fires."""

    outbox: Outbox
    calls: ToolCalls
    handoffs: Handoffs
    approvals: Approvals
    offers: Offers
    words: Words
    guarding: Guarding
    screening: Screening
    settings_answers: SettingsAnswers
    responses: ResponseMachine
    course: Course
    audio_losses: AudioLosses
    limits: Limits
    farewell: Farewell
    moving: Moving

    def fired(self, key: object, now: float) -> None:
        """Hand a timer that fired to the part that has set it."""
        match key:
            case ("tool", str(call_id)):
                self.calls.time_out(call_id)
            case ("handoff", str(call_id)):
                self.handoffs.time_out(call_id)
            case ("approval", str(call_id)):
                self.approvals.time_out(call_id)
            case ("hosted", str(call_id)):
                self.calls.hosted.time_out(call_id)
            case ("transcript", str(item_id)):
                self.words.transcript_timer_fired(item_id)
            case ("guardrail", str(response_id)):
                self.guarding.time_out(response_id, now)
            case ("screening", str(item_id)):
                self.screening.time_out(item_id, now)
            case ("update", str(event_id)):
                self.settings_answers.unanswered(event_id)
            case _ if key == LOSSES_TIMER:
                self.audio_losses.second_is_over()
            case _ if key == OFFERS_TIMER:
                self.offers.time_out()
            case _ if key == DURATION_TIMER:
                self.limits.out_of_time()
            case _ if key == IDLE_TIMER:
                self.limits.idle(now)
            case _ if key == GOODBYE_TIMER:
                self.limits.looks()
            case _ if key == FAREWELL_TIMER:
                self.farewell.looks()
            case _ if key == LIMIT_TIMER:
                self.moving.out_of_time(now)
            case _ if key == PAUSE_TIMER:
                self.moving.pause_is_over(now)
            case _ if key == OUTAGE_TIMER:
                self.moving.outage_is_over()
            case _ if key == RENEW_TIMER:
                self.moving.renew(now)
            case _ if key == QUIET_TIMER:
                pass  # to look whether all was heard: see `go_on`
            case ("stall", (str() | None) as response_id):
                self.course.stalled(response_id, now)
            case ("out_of_band", str(event_id)):
                self.course.out_of_band_unanswered(event_id)
            case _ if key == TURN_TIMER:
                pass  # to look whose turn it is: see `ask`
            case _ if key == RETRY_TIMER:
                self.responses.retry()
            case _ if key == ANSWER_TIMER and self.responses.unanswered():
                self.outbox.publish_error(
                    "response_unanswered",
                    "the server did not answer a response.create",
                    source="response.create",
                )
            case _:
                pass
