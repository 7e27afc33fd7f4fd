"""The user's turns: what their beginning and their end mean to everything else."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import define

from realtime_actors import events
from realtime_actors import protocol as wire
from realtime_actors.config import TranscriptionConfig
from realtime_actors.core.accounting import Accounting
from realtime_actors.core.guardrails.screening import Screening
from realtime_actors.core.history.transcripts import Transcripts
from realtime_actors.core.history.words import Words
from realtime_actors.core.limits import Limits
from realtime_actors.core.outbox import Outbox
from realtime_actors.core.responses.turn_taking import TurnTaking
from realtime_actors.core.settings import Configuration
from realtime_actors.core.tools.rounds import Rounds

__all__ = ["UserTurns"]


@define(kw_only=True)
class UserTurns:
    """What happens when the user speaks, stops, and is written down."""

    outbox: Outbox
    configuration: Configuration
    rounds: Rounds
    turn_taking: TurnTaking
    screening: Screening
    transcripts: Transcripts
    words: Words
    accounting: Accounting
    limits: Limits
    on_user_spoke: Sequence[Callable[[], None]]
    """What counts anew once the user has said or written something."""

    def spoke(self) -> None:
        """Count anew what is limited per turn: the user has said or written something."""
        for user_spoke in self.on_user_spoke:
            user_spoke()

    def began(self, event: wire.InputAudioBufferSpeechStarted, now: float) -> None:
        """Take the beginning of the user's speech."""
        self.limits.user_began(now)
        self.spoke()
        self.rounds.start_anew()
        self.outbox.publish(
            events.SpeechStartedEvent, item_id=event.item_id, audio_start_ms=event.audio_start_ms
        )
        self.words.turn_began(event.item_id)
        self.turn_taking.user_began(now)

    def stopped(self, event: wire.InputAudioBufferSpeechStopped, now: float) -> None:
        """Take the end of the user's speech."""
        self.turn_taking.user_stopped(event.item_id, now)
        self.outbox.publish(
            events.SpeechStoppedEvent, item_id=event.item_id, audio_end_ms=event.audio_end_ms
        )
        self.words.turn_stopped(event.item_id)

    def timed_out(self, event: wire.InputAudioBufferTimeoutTriggered, now: float) -> None:
        """Take the server's word that the user has said nothing for long."""
        self.turn_taking.user_stopped(event.item_id, now)
        self.outbox.publish(
            events.InputAudioTimeoutTriggeredEvent,
            item_id=event.item_id,
            audio_start_ms=event.audio_start_ms,
            audio_end_ms=event.audio_end_ms,
        )

    def committed(self, item_id: str | None, previous_id: str | None, now: float) -> None:
        """Take a turn of the user's that is an item now."""
        self.spoke()
        self.rounds.start_anew()
        self.screening.committed(item_id)
        self.turn_taking.user_committed(item_id, now)
        self.words.committed(item_id, previous_id)

    def transcribed(self, event: wire.ConversationItemInputAudioTranscriptionCompleted) -> None:
        """Take what the user has said, and count what it cost to write it down."""
        if not self.transcripts.is_counted(event):
            self._transcription_counted(event.usage)
        self.words.transcription(event)

    def _transcription_counted(self, usage: wire.TranscriptionUsage | None) -> None:
        settings = self.configuration.settings.input_audio_transcription
        model = settings.model if isinstance(settings, TranscriptionConfig) else None
        self.accounting.transcription(usage, model)
        self.limits.spent(self.accounting.known_cost)
