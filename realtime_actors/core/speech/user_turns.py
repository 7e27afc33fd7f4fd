"""The user's turns: what their beginning and their end mean to everything else."""

from __future__ import annotations

from attrs import define

from realtime_actors import events
from realtime_actors import protocol as wire
from realtime_actors.config import TranscriptionConfig
from realtime_actors.core.accounting import Accounting
from realtime_actors.core.agents.handoffs import Handoffs
from realtime_actors.core.effects import Effects, Publish
from realtime_actors.core.guardrails.guarding import Guarding
from realtime_actors.core.guardrails.screening import Screening
from realtime_actors.core.history.transcripts import Transcripts
from realtime_actors.core.history.words import Words
from realtime_actors.core.limits import Limits
from realtime_actors.core.responses.turn_taking import TurnTaking
from realtime_actors.core.settings import Configuration
from realtime_actors.core.tools.rounds import Rounds

__all__ = ["UserTurns"]


@define(kw_only=True)
class UserTurns:
    """What happens when the user speaks, stops, and is written down."""

    info: events.EventInfo
    configuration: Configuration
    handoffs: Handoffs
    rounds: Rounds
    turn_taking: TurnTaking
    guarding: Guarding
    screening: Screening
    transcripts: Transcripts
    words: Words
    accounting: Accounting
    limits: Limits

    def spoke(self) -> None:
        """Count anew what is limited per turn: the user has said or written something."""
        self.handoffs.user_spoke()
        self.guarding.user_spoke()

    def began(self, event: wire.InputAudioBufferSpeechStarted, now: float) -> Effects:
        """Take the beginning of the user's speech."""
        started = events.SpeechStartedEvent(
            item_id=event.item_id, audio_start_ms=event.audio_start_ms, info=self.info
        )
        self.limits.user_began(now)
        self.spoke()
        self.rounds.start_anew()
        return [
            Publish(started),
            *self.words.turn_began(event.item_id),
            *self.turn_taking.user_began(now),
        ]

    def stopped(self, event: wire.InputAudioBufferSpeechStopped, now: float) -> Effects:
        """Take the end of the user's speech."""
        self.turn_taking.user_stopped(event.item_id, now)
        stopped = events.SpeechStoppedEvent(
            item_id=event.item_id, audio_end_ms=event.audio_end_ms, info=self.info
        )
        return [Publish(stopped), *self.words.turn_stopped(event.item_id)]

    def timed_out(self, event: wire.InputAudioBufferTimeoutTriggered, now: float) -> Effects:
        """Take the server's word that the user has said nothing for long."""
        self.turn_taking.user_stopped(event.item_id, now)
        return [Publish(self._idle_timeout(event))]

    def committed(self, item_id: str | None, previous_id: str | None, now: float) -> Effects:
        """Take a turn of the user's that is an item now."""
        self.spoke()
        self.rounds.start_anew()
        self.screening.committed(item_id)
        self.turn_taking.user_committed(item_id, now)
        return self.words.committed(item_id, previous_id)

    def transcribed(self, event: wire.ConversationItemInputAudioTranscriptionCompleted) -> Effects:
        """Take what the user has said, and count what it cost to write it down."""
        again = self.transcripts.is_counted(event)
        counted = [] if again else self._transcription_counted(event.usage)
        return counted + self.words.transcription(event)

    def _transcription_counted(self, usage: wire.TranscriptionUsage | None) -> Effects:
        settings = self.configuration.settings.input_audio_transcription
        model = settings.model if isinstance(settings, TranscriptionConfig) else None
        effects = self.accounting.transcription(usage, model)
        return effects + self.limits.spent(self.accounting.known_cost)

    def _idle_timeout(
        self, event: wire.InputAudioBufferTimeoutTriggered
    ) -> events.InputAudioTimeoutTriggeredEvent:
        return events.InputAudioTimeoutTriggeredEvent(
            item_id=event.item_id,
            audio_start_ms=event.audio_start_ms,
            audio_end_ms=event.audio_end_ms,
            info=self.info,
        )
