"""What the server answers to changes of the settings, and to whom that matters."""

from __future__ import annotations

from attrs import define

from realtime_actors import events
from realtime_actors import protocol as wire
from realtime_actors.config import OFF
from realtime_actors.core.agents.handoffs import Handoffs
from realtime_actors.core.connection.moving import Moving
from realtime_actors.core.history.transcripts import Transcripts
from realtime_actors.core.life import Life
from realtime_actors.core.outbox import Outbox
from realtime_actors.core.responses.turn_taking import TurnTaking
from realtime_actors.core.server_errors import message_of
from realtime_actors.core.settings import (
    Configuration,
    ForBarrier,
    ForCaller,
    ForHandoff,
    ForNobody,
    ForStart,
    Pending,
)
from realtime_actors.core.speech.speech import Speech
from realtime_actors.errors import SessionUpdateError

__all__ = ["SettingsAnswers"]


@define(kw_only=True)
class SettingsAnswers:
    """From the server's answer to an update to what becomes of its purpose."""

    outbox: Outbox
    configuration: Configuration
    life: Life
    handoffs: Handoffs
    moving: Moving
    transcripts: Transcripts
    turn_taking: TurnTaking
    speech: Speech

    def acknowledged(self, session: wire.SessionInfo, now: float) -> None:
        """Take what the server says to be in force: it may answer an update."""
        pending = self.configuration.acknowledged(session.settings)
        self.use_output_format()
        if self.configuration.settings.turn_detection is OFF:
            self.turn_taking.not_listening()
        self.outbox.publish(events.SessionUpdatedEvent, session=session)
        if pending is None:
            return  # the server changed something by itself
        self.outbox.cancel_timer(pending.timer)
        if pending.changes.input_audio_transcription is not None:
            self.transcripts.reconfigured()
        match pending.purpose:
            case ForStart(resolved=resolved):
                self.life.begin(resolved, now)
            case ForCaller(caller=caller):
                self.configuration.keep(pending)
                self.outbox.answer(caller)
            case ForHandoff(handoff=handoff):
                self.handoffs.acknowledged(handoff)
            case ForBarrier():
                self.moving.answered()
            case ForNobody():
                pass

    def refused(self, pending: Pending, error: wire.ErrorDetail) -> None:
        """Tell whom it concerns that the server does not take an update."""
        failure = _refusal(error)
        self.outbox.cancel_timer(pending.timer)
        match pending.purpose:
            case ForStart() as start if without := self.configuration.without_default(
                pending, error
            ):
                self.configuration.update(without, start)
            case ForStart():
                self.life.end(failure)
            case ForCaller(caller=caller):
                self.outbox.refuse(caller, failure)
            case ForHandoff(handoff=handoff):
                self.handoffs.refused(handoff, message_of(error))
            case ForBarrier():
                self.moving.answered()
            case ForNobody():
                pass

    def unanswered(self, event_id: str) -> None:
        """Give an update up that the server has not answered in time."""
        pending = self.configuration.give_up(event_id)
        if pending is None:
            return
        failure = SessionUpdateError("the server did not answer")
        if pending.doubt is not None:
            failure = _refusal(pending.doubt)
        match pending.purpose:
            case ForStart():
                self.life.end(failure)
            case ForCaller(caller=caller):
                self.outbox.refuse(caller, failure)
            case ForHandoff(handoff=handoff):
                self.handoffs.unanswered(handoff, str(failure), pending.changes)
            case ForBarrier():
                self.moving.unanswered()
            case ForNobody():
                pass

    def use_output_format(self) -> None:
        """Read the model's speech in the format that is in force."""
        name = self.configuration.settings.output_audio_format
        if name is not None:
            self.speech.use_format(name)


def _refusal(error: wire.ErrorDetail) -> SessionUpdateError:
    """Return the server's words as an error for the caller that asked for the update."""
    return SessionUpdateError(
        f"the server refused the settings: {message_of(error)}", code=error.code, param=error.param
    )
