"""The parts of a conversation, made and put together."""

from __future__ import annotations

from attrs import define, field

from realtime_actors import events
from realtime_actors import protocol as wire
from realtime_actors.agent import Agent
from realtime_actors.config import RunConfig, SessionModelSettings
from realtime_actors.core.accounting import Accounting
from realtime_actors.core.agents.handoffs import Handoffs
from realtime_actors.core.agents.hook_calls import HookCalls
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
from realtime_actors.core.life import START, Life
from realtime_actors.core.limits import Limits
from realtime_actors.core.messages import ResolvedAgent
from realtime_actors.core.program import Program
from realtime_actors.core.refusals import Refusals
from realtime_actors.core.reports import Reports
from realtime_actors.core.requests import Requests
from realtime_actors.core.responses.course import Course
from realtime_actors.core.responses.response import ResponseMachine
from realtime_actors.core.responses.stalls import StallWatch
from realtime_actors.core.responses.turn_taking import TurnTaking
from realtime_actors.core.responses.unanswered import Unanswered
from realtime_actors.core.responses.unsent import Unsent
from realtime_actors.core.settings import Configuration
from realtime_actors.core.settings_answers import SettingsAnswers
from realtime_actors.core.speech.audio_losses import AudioLosses
from realtime_actors.core.speech.echo import EchoPolicy
from realtime_actors.core.speech.playback import PlaybackLedger
from realtime_actors.core.speech.speech import Speech
from realtime_actors.core.speech.user_turns import UserTurns
from realtime_actors.core.timers import Timers
from realtime_actors.core.tools.announcements import Announcements
from realtime_actors.core.tools.approvals import Approvals
from realtime_actors.core.tools.calling import Calling
from realtime_actors.core.tools.hosted_calls import HOSTED_WITHIN, HostedCalls
from realtime_actors.core.tools.offers import Offers
from realtime_actors.core.tools.outputs import Outputs
from realtime_actors.core.tools.rounds import Rounds
from realtime_actors.core.tools.tool_calls import ToolCalls

__all__ = ["Components"]


@define(kw_only=True)
class Components:
    """What a conversation is made of. Each part has rules of its own; see `SessionMachine`.

    They know each other where one's rules need what another knows; what a message means
    to several of them is said in `machine`.
    """

    agent: Agent
    session_type: str
    settings: SessionModelSettings
    attached: bool
    info: events.EventInfo
    config: RunConfig
    max_message_bytes: int
    playback_reported: bool
    model: str | None

    _event_ids: int = field(default=0, init=False)
    reports: Reports = field(init=False)
    configuration: Configuration = field(init=False)
    responses: ResponseMachine = field(init=False)
    history: History = field(init=False)
    speech: Speech = field(init=False)
    echo: EchoPolicy = field(init=False)
    rounds: Rounds = field(init=False)
    calls: ToolCalls = field(init=False)
    readings: Readings = field(init=False)
    editing: Editing = field(init=False)
    handoffs: Handoffs = field(init=False)
    offers: Offers = field(init=False)
    approvals: Approvals = field(init=False)
    announcements: Announcements = field(init=False)
    calling: Calling = field(init=False)
    turn_taking: TurnTaking = field(init=False)
    guarding: Guarding = field(init=False)
    screening: Screening = field(init=False)
    turns: Turns = field(init=False)
    requests: Requests = field(init=False)
    accounting: Accounting = field(init=False)
    unsent: Unsent = field(init=False)
    audio_losses: AudioLosses = field(init=False)
    limits: Limits = field(init=False)
    transcripts: Transcripts = field(init=False)
    stalls: StallWatch = field(init=False)
    unanswered: Unanswered = field(factory=Unanswered, init=False)
    words: Words = field(init=False)
    reconnecting: Reconnecting = field(init=False)
    life: Life = field(init=False)
    course: Course = field(init=False)
    settings_answers: SettingsAnswers = field(init=False)
    refusals: Refusals = field(init=False)
    user_turns: UserTurns = field(init=False)
    program: Program = field(init=False)
    timers: Timers = field(init=False)
    hook_calls: HookCalls = field(init=False)
    airs: bool = field(init=False)  # speech is published as it comes: nothing is to be decided

    def __attrs_post_init__(self) -> None:
        self.reports = Reports(self.info)
        self.configuration = Configuration(
            new_id=self._new_id,
            base=self.settings,
            attached=self.attached,
            session_type=self.session_type,
            patient=self.config.barge_in.mode == "off",
        )
        self.responses = ResponseMachine(self._new_id)
        self.responses.hold(START)
        self.readings = Readings()
        self.history = History(self.info, self.readings)
        ledger = PlaybackLedger(reported=self.playback_reported)
        self.speech = Speech(self.info, self.history, self.responses, ledger)
        self.echo = EchoPolicy(self.config.barge_in, self.speech)
        self.rounds = Rounds(
            info=self.info,
            configuration=self.configuration,
            responses=self.responses,
            limit=self.config.max_tool_rounds_per_turn,
            frees_choice=self.config.reset_tool_choice,
        )
        hosted = HostedCalls(
            info=self.info,
            reports=self.reports,
            rounds=self.rounds,
            timeout=self.config.tool_timeout or HOSTED_WITHIN,
        )
        self.calls = ToolCalls(
            rounds=self.rounds,
            outputs=Outputs(
                rounds=self.rounds,
                max_chars=self.config.max_tool_output_chars,
                max_message_bytes=self.max_message_bytes,
            ),
            hosted=hosted,
            info=self.info,
            at_once=self.config.max_concurrency if self.config.async_tool_calls else 1,
            timeout=self.config.tool_timeout,
            texts=self.config.tool_texts,
        )
        self.announcements = Announcements()
        self.editing = Editing(
            new_id=self._new_id,
            history=self.history,
            calls=self.calls,
            announcements=self.announcements,
            responses=self.responses,
            readings=self.readings,
        )
        self.transcripts = Transcripts(self.info, self.history, self.configuration)
        self.handoffs = Handoffs(
            info=self.info,
            new_id=self._new_id,
            current=ResolvedAgent(
                agent=self.agent, instructions="", tools={}, handoffs={}, definitions=()
            ),
            configuration=self.configuration,
            responses=self.responses,
            calls=self.calls,
            editing=self.editing,
            speech=self.speech,
            reconnect=lambda handoff: self.reconnecting.begin(handoff),
            limit=self.config.max_handoffs_per_turn,
        )
        self.offers = Offers(
            info=self.info,
            configuration=self.configuration,
            handoffs=self.handoffs,
            calls=self.calls,
        )
        self.approvals = Approvals(
            info=self.info,
            new_id=self._new_id,
            calls=self.calls,
            handoffs=self.handoffs,
            timeout=self.config.approval_timeout,
        )
        self.stalls = StallWatch(self.config.stall_timeout)
        self.turn_taking = TurnTaking(
            configuration=self.configuration,
            responses=self.responses,
            speech=self.speech,
            calls=self.calls,
            approvals=self.approvals,
        )
        self.calling = Calling(
            info=self.info,
            responses=self.responses,
            calls=self.calls,
            handoffs=self.handoffs,
            approvals=self.approvals,
            rounds=self.rounds,
            stalls=self.stalls,
            announcements=self.announcements,
        )
        self.guarding = Guarding(
            info=self.info,
            handoffs=self.handoffs,
            speech=self.speech,
            responses=self.responses,
            guardrails=self.config.output_guardrails,
            debounce=self.config.guardrails_settings.debounce_text_length,
            holds=self.config.guardrails_settings.mode == "hold",
            timeout=self.config.guardrails_settings.verdict_timeout,
            play=self._play,
        )
        self.screening = Screening(
            info=self.info,
            handoffs=self.handoffs,
            speech=self.speech,
            responses=self.responses,
            guardrails=self.config.input_guardrails,
            holds=self.config.guardrails_settings.mode == "hold",
            timeout=self.config.guardrails_settings.verdict_timeout,
        )
        self.words = Words(
            history=self.history,
            responses=self.responses,
            speech=self.speech,
            guarding=self.guarding,
            transcripts=self.transcripts,
            screening=self.screening,
        )
        self.turns = Turns(
            self.info,
            self.responses,
            self.calls,
            self.handoffs,
            self.history,
            self.speech.held,
        )
        self.reconnecting = Reconnecting(
            info=self.info,
            new_id=self._new_id,
            configuration=self.configuration,
            responses=self.responses,
            handoffs=self.handoffs,
            history=self.history,
            speech=self.speech,
            calls=self.calls,
            announcements=self.announcements,
            turn_taking=self.turn_taking,
            guarding=self.guarding,
            transcripts=self.transcripts,
        )
        self.requests = Requests(
            self.configuration,
            self.responses,
            self.rounds,
            self.speech,
            self.editing,
            self.approvals,
            self.handoffs,
            self.max_message_bytes,
        )
        self.accounting = Accounting(
            info=self.info,
            model=self.model,
            pricing=self.config.pricing,
            max_cost=self.config.max_cost,
        )
        self.unsent = Unsent(
            info=self.info,
            responses=self.responses,
            speech=self.speech,
            approvals=self.approvals,
            configuration=self.configuration,
            editing=self.editing,
            handoffs=self.handoffs,
            unanswered=self.unanswered,
        )
        self.audio_losses = AudioLosses(info=self.info)
        self.limits = Limits(
            info=self.info,
            responses=self.responses,
            speech=self.speech,
            turn_taking=self.turn_taking,
            max_cost=self.config.max_cost,
            max_duration=self.config.max_duration,
            idle_timeout=self.config.idle_timeout,
        )
        self.life = Life(
            info=self.info,
            reports=self.reports,
            configuration=self.configuration,
            responses=self.responses,
            stalls=self.stalls,
            unanswered=self.unanswered,
            speech=self.speech,
            calls=self.calls,
            handoffs=self.handoffs,
            offers=self.offers,
            approvals=self.approvals,
            turn_taking=self.turn_taking,
            guarding=self.guarding,
            screening=self.screening,
            transcripts=self.transcripts,
            turns=self.turns,
            reconnecting=self.reconnecting,
            accounting=self.accounting,
            audio_losses=self.audio_losses,
            limits=self.limits,
            echo=self.echo,
        )
        self.course = Course(
            info=self.info,
            reports=self.reports,
            life=self.life,
            configuration=self.configuration,
            responses=self.responses,
            stalls=self.stalls,
            unanswered=self.unanswered,
            turn_taking=self.turn_taking,
            turns=self.turns,
            speech=self.speech,
            words=self.words,
            guarding=self.guarding,
            screening=self.screening,
            calling=self.calling,
            calls=self.calls,
            rounds=self.rounds,
            announcements=self.announcements,
            accounting=self.accounting,
            limits=self.limits,
        )
        self.settings_answers = SettingsAnswers(
            info=self.info,
            configuration=self.configuration,
            life=self.life,
            handoffs=self.handoffs,
            reconnecting=self.reconnecting,
            transcripts=self.transcripts,
            turn_taking=self.turn_taking,
            speech=self.speech,
        )
        self.refusals = Refusals(
            info=self.info,
            life=self.life,
            configuration=self.configuration,
            settings_answers=self.settings_answers,
            responses=self.responses,
            course=self.course,
            stalls=self.stalls,
            unanswered=self.unanswered,
            history=self.history,
            editing=self.editing,
            calls=self.calls,
            approvals=self.approvals,
        )
        self.user_turns = UserTurns(
            info=self.info,
            configuration=self.configuration,
            handoffs=self.handoffs,
            rounds=self.rounds,
            turn_taking=self.turn_taking,
            guarding=self.guarding,
            screening=self.screening,
            transcripts=self.transcripts,
            words=self.words,
            accounting=self.accounting,
            limits=self.limits,
        )
        self.program = Program(
            life=self.life,
            limits=self.limits,
            requests=self.requests,
            responses=self.responses,
            turn_taking=self.turn_taking,
            user_turns=self.user_turns,
            screening=self.screening,
            offers=self.offers,
        )
        self.timers = Timers(
            reports=self.reports,
            calls=self.calls,
            handoffs=self.handoffs,
            approvals=self.approvals,
            offers=self.offers,
            words=self.words,
            guarding=self.guarding,
            screening=self.screening,
            settings_answers=self.settings_answers,
            responses=self.responses,
            course=self.course,
            audio_losses=self.audio_losses,
            limits=self.limits,
            reconnecting=self.reconnecting,
        )
        self.hook_calls = HookCalls(
            handoffs=self.handoffs,
            history=self.history,
        )
        self.airs = not (self.guarding.holds or self.echo.follows_speech)

    def _play(self, event: wire.ResponseOutputAudioDelta, now: float) -> Effects:
        """Let a piece of speech be heard."""
        if self.echo.follows_speech:
            self.echo.audio(event.delta, now)
        return self.speech.audio(event, now)

    def _new_id(self) -> str:
        self._event_ids += 1
        return f"ra_{self._event_ids}"
