"""The parts of a conversation, put together."""

from __future__ import annotations

from typing import Final

from attrs import define, field

from realtime_actors import events
from realtime_actors import protocol as wire
from realtime_actors.agent import Agent
from realtime_actors.config import RunConfig, SessionModelSettings
from realtime_actors.core.accounting import Accounting
from realtime_actors.core.agents.handoffs import Handoffs
from realtime_actors.core.agents.reconnecting import Reconnecting
from realtime_actors.core.agents.turns import Turns
from realtime_actors.core.effects import Effects
from realtime_actors.core.guardrails.guarding import Guarding
from realtime_actors.core.guardrails.screening import Screening
from realtime_actors.core.history.editing import Editing
from realtime_actors.core.history.readings import Readings
from realtime_actors.core.history.transcripts import Transcripts
from realtime_actors.core.history.updates import History
from realtime_actors.core.history.words import Words
from realtime_actors.core.limits import Limits
from realtime_actors.core.messages import ResolvedAgent
from realtime_actors.core.reports import Reports
from realtime_actors.core.requests import Requests
from realtime_actors.core.responses.response import ResponseMachine
from realtime_actors.core.responses.sending import MAX_MESSAGE_BYTES
from realtime_actors.core.responses.stalls import StallWatch
from realtime_actors.core.responses.turn_taking import TurnTaking
from realtime_actors.core.responses.unanswered import Unanswered
from realtime_actors.core.responses.unsent import Unsent
from realtime_actors.core.settings import Configuration
from realtime_actors.core.speech.audio_losses import AudioLosses
from realtime_actors.core.speech.echo import EchoPolicy
from realtime_actors.core.speech.playback import PlaybackLedger
from realtime_actors.core.speech.speech import Speech
from realtime_actors.core.tools.announcements import Announcements
from realtime_actors.core.tools.approvals import Approvals
from realtime_actors.core.tools.calling import Calling
from realtime_actors.core.tools.hosted_calls import HOSTED_WITHIN, HostedCalls
from realtime_actors.core.tools.offers import Offers
from realtime_actors.core.tools.outputs import Outputs
from realtime_actors.core.tools.rounds import Rounds
from realtime_actors.core.tools.tool_calls import ToolCalls
from realtime_actors.items import Item
from realtime_actors.snapshot import Snapshot
from realtime_actors.usage import SessionUsage

__all__ = ["START", "Parts"]

START: Final = "start"
"""Why no response is asked for before the server has taken the configuration."""


@define(kw_only=True)
class Parts:
    """What a conversation is made with, and of. Each part has rules of its own.

    They know each other where one's rules need what another knows; what a message means
    to several of them is said in `machine`.
    """

    agent: Agent
    """The agent that the conversation starts with; `current_agent` is the one it has."""
    session_type: str = "realtime"
    """realtime, or transcription: it only listens."""
    settings: SessionModelSettings
    """What the program configured (defaults included), before any agent."""
    attached: bool = False
    """The server's session has settings of its own: see `Configuration.attached`."""
    info: events.EventInfo = events.NO_INFO
    config: RunConfig = field(factory=RunConfig)
    """What holds for all agents. Its `model_settings` are in `settings` already."""
    max_message_bytes: int = MAX_MESSAGE_BYTES
    """How large a message may be, either way."""
    playback_reported: bool = False
    """A `PlaybackTracker` reports what was heard."""
    model: str | None = None
    """The model that we asked for, until the server says which it is."""

    _event_ids: int = field(default=0, init=False)
    _reports: Reports = field(init=False)
    _configuration: Configuration = field(init=False)
    _responses: ResponseMachine = field(init=False)
    _history: History = field(init=False)
    _speech: Speech = field(init=False)
    _echo: EchoPolicy = field(init=False)
    _rounds: Rounds = field(init=False)
    _calls: ToolCalls = field(init=False)
    _readings: Readings = field(init=False)
    _editing: Editing = field(init=False)
    _handoffs: Handoffs = field(init=False)
    _offers: Offers = field(init=False)
    _approvals: Approvals = field(init=False)
    _announcements: Announcements = field(init=False)
    _calling: Calling = field(init=False)
    _turn_taking: TurnTaking = field(init=False)
    _guarding: Guarding = field(init=False)
    _screening: Screening = field(init=False)
    _turns: Turns = field(init=False)
    _requests: Requests = field(init=False)
    _accounting: Accounting = field(init=False)
    _unsent: Unsent = field(init=False)
    _audio_losses: AudioLosses = field(init=False)
    _limits: Limits = field(init=False)
    _transcripts: Transcripts = field(init=False)
    _stalls: StallWatch = field(init=False)
    _unanswered: Unanswered = field(factory=Unanswered, init=False)
    _words: Words = field(init=False)
    _reconnecting: Reconnecting = field(init=False)
    _airs: bool = field(init=False)  # speech is published as it comes: nothing is to be decided

    def __attrs_post_init__(self) -> None:
        self._reports = Reports(self.info)
        self._configuration = Configuration(
            new_id=self._new_id,
            base=self.settings,
            attached=self.attached,
            session_type=self.session_type,
            patient=self.config.barge_in.mode == "off",
        )
        self._responses = ResponseMachine(self._new_id)
        self._responses.hold(START)
        self._readings = Readings()
        self._history = History(self.info, self._readings)
        ledger = PlaybackLedger(reported=self.playback_reported)
        self._speech = Speech(self.info, self._history, self._responses, ledger)
        self._echo = EchoPolicy(self.config.barge_in, self._speech)
        self._rounds = Rounds(
            info=self.info,
            configuration=self._configuration,
            responses=self._responses,
            limit=self.config.max_tool_rounds_per_turn,
            frees_choice=self.config.reset_tool_choice,
        )
        hosted = HostedCalls(
            info=self.info, rounds=self._rounds, timeout=self.config.tool_timeout or HOSTED_WITHIN
        )
        self._calls = ToolCalls(
            rounds=self._rounds,
            outputs=Outputs(
                rounds=self._rounds,
                max_chars=self.config.max_tool_output_chars,
                max_message_bytes=self.max_message_bytes,
            ),
            hosted=hosted,
            info=self.info,
            at_once=self.config.max_concurrency if self.config.async_tool_calls else 1,
            timeout=self.config.tool_timeout,
            texts=self.config.tool_texts,
        )
        self._editing = Editing(self._new_id, self._history, self._calls, self._readings)
        self._transcripts = Transcripts(self.info, self._history, self._configuration)
        self._handoffs = Handoffs(
            info=self.info,
            new_id=self._new_id,
            current=ResolvedAgent(
                agent=self.agent, instructions="", tools={}, handoffs={}, definitions=()
            ),
            configuration=self._configuration,
            responses=self._responses,
            calls=self._calls,
            editing=self._editing,
            speech=self._speech,
            reconnect=lambda handoff: self._reconnecting.begin(handoff),
            limit=self.config.max_handoffs_per_turn,
        )
        self._offers = Offers(
            info=self.info,
            configuration=self._configuration,
            handoffs=self._handoffs,
            calls=self._calls,
        )
        self._approvals = Approvals(
            info=self.info,
            new_id=self._new_id,
            calls=self._calls,
            handoffs=self._handoffs,
            timeout=self.config.approval_timeout,
        )
        self._stalls = StallWatch(self.config.stall_timeout)
        self._announcements = Announcements()
        self._turn_taking = TurnTaking(
            configuration=self._configuration,
            responses=self._responses,
            speech=self._speech,
            calls=self._calls,
            approvals=self._approvals,
        )
        self._calling = Calling(
            info=self.info,
            responses=self._responses,
            calls=self._calls,
            handoffs=self._handoffs,
            approvals=self._approvals,
            rounds=self._rounds,
            stalls=self._stalls,
            announcements=self._announcements,
        )
        self._guarding = Guarding(
            info=self.info,
            handoffs=self._handoffs,
            speech=self._speech,
            responses=self._responses,
            guardrails=self.config.output_guardrails,
            debounce=self.config.guardrails_settings.debounce_text_length,
            holds=self.config.guardrails_settings.mode == "hold",
            timeout=self.config.guardrails_settings.verdict_timeout,
            play=self._play,
        )
        self._screening = Screening(
            info=self.info,
            handoffs=self._handoffs,
            speech=self._speech,
            responses=self._responses,
            guardrails=self.config.input_guardrails,
            holds=self.config.guardrails_settings.mode == "hold",
            timeout=self.config.guardrails_settings.verdict_timeout,
        )
        self._words = Words(
            history=self._history,
            responses=self._responses,
            speech=self._speech,
            guarding=self._guarding,
            transcripts=self._transcripts,
            screening=self._screening,
        )
        self._turns = Turns(
            self.info,
            self._responses,
            self._calls,
            self._handoffs,
            self._history,
            self._speech.held,
        )
        self._reconnecting = Reconnecting(
            info=self.info,
            new_id=self._new_id,
            configuration=self._configuration,
            responses=self._responses,
            handoffs=self._handoffs,
            history=self._history,
            speech=self._speech,
            calls=self._calls,
            announcements=self._announcements,
            turn_taking=self._turn_taking,
            guarding=self._guarding,
            transcripts=self._transcripts,
        )
        self._requests = Requests(
            self._configuration,
            self._responses,
            self._rounds,
            self._speech,
            self._editing,
            self._approvals,
            self._handoffs,
            self.max_message_bytes,
        )
        self._accounting = Accounting(
            info=self.info,
            model=self.model,
            pricing=self.config.pricing,
            max_cost=self.config.max_cost,
        )
        self._unsent = Unsent(
            info=self.info,
            responses=self._responses,
            speech=self._speech,
            approvals=self._approvals,
            configuration=self._configuration,
            editing=self._editing,
            handoffs=self._handoffs,
            unanswered=self._unanswered,
        )
        self._audio_losses = AudioLosses(info=self.info)
        self._limits = Limits(
            info=self.info,
            responses=self._responses,
            speech=self._speech,
            turn_taking=self._turn_taking,
            max_cost=self.config.max_cost,
            max_duration=self.config.max_duration,
            idle_timeout=self.config.idle_timeout,
        )
        self._airs = not (self._guarding.holds or self._echo.follows_speech)

    @property
    def current_agent(self) -> Agent:
        """The agent that is speaking to the user."""
        return self._handoffs.agent

    @property
    def history(self) -> Snapshot[Item]:
        """The conversation so far, in its order."""
        return self._history.items

    @property
    def usage(self) -> SessionUsage:
        """What the session has used so far."""
        return self._accounting.usage

    def _play(self, event: wire.ResponseOutputAudioDelta, now: float) -> Effects:
        """Let a piece of speech be heard."""
        if self._echo.follows_speech:
            self._echo.audio(event.delta, now)
        return self._speech.audio(event, now)

    def _user_spoke(self) -> None:
        self._handoffs.user_spoke()
        self._guarding.user_spoke()

    def _new_id(self) -> str:
        self._event_ids += 1
        return f"ra_{self._event_ids}"
