"""The parts of a conversation, made and put together."""

from __future__ import annotations

from attrs import define, field

from realtime_actors import protocol as wire
from realtime_actors.core.accounting import Accounting
from realtime_actors.core.agents.handoffs import Handoffs
from realtime_actors.core.agents.hook_calls import HookCalls
from realtime_actors.core.agents.turns import Turns
from realtime_actors.core.connection.crossing import Crossing
from realtime_actors.core.connection.ids import ItemIds
from realtime_actors.core.connection.moving import Moving
from realtime_actors.core.connection.unacknowledged import Unacknowledged
from realtime_actors.core.farewell import Farewell
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
from realtime_actors.core.outbox import Outbox
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
from realtime_actors.core.setup import Setup
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


@define
class Components:
    """What a conversation is made of. Each part has rules of its own; see `SessionMachine`.

    They know each other where one's rules need what another knows; what a message means
    to several of them is said in `machine`. All put what they want done into one outbox.
    """

    setup: Setup
    outbox: Outbox
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
    farewell: Farewell = field(init=False)
    transcripts: Transcripts = field(init=False)
    stalls: StallWatch = field(init=False)
    unanswered: Unanswered = field(factory=Unanswered, init=False)
    words: Words = field(init=False)
    unacknowledged: Unacknowledged = field(factory=Unacknowledged, init=False)
    ids: ItemIds = field(factory=ItemIds, init=False)
    crossing: Crossing = field(init=False)
    moving: Moving = field(init=False)
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
        setup, config, outbox = self.setup, self.setup.config, self.outbox
        self.reports = Reports(outbox)
        self.configuration = Configuration(
            outbox=outbox,
            base=setup.settings,
            attached=setup.attached,
            session_type=setup.session_type,
            patient=config.barge_in.mode == "off",
        )
        self.responses = ResponseMachine(outbox)
        self.responses.hold(START)
        self.readings = Readings()
        self.history = History(outbox, self.readings)
        ledger = PlaybackLedger(reported=setup.playback_reported)
        self.speech = Speech(outbox, self.history, self.responses, ledger)
        self.echo = EchoPolicy(config.barge_in, self.speech)
        self.rounds = Rounds(
            outbox=outbox,
            configuration=self.configuration,
            responses=self.responses,
            limit=config.max_tool_rounds_per_turn,
            frees_choice=config.reset_tool_choice,
        )
        hosted = HostedCalls(
            outbox=outbox,
            reports=self.reports,
            rounds=self.rounds,
            timeout=config.tool_timeout or HOSTED_WITHIN,
        )
        self.calls = ToolCalls(
            rounds=self.rounds,
            outputs=Outputs(
                outbox=outbox,
                rounds=self.rounds,
                max_chars=config.max_tool_output_chars,
                max_message_bytes=setup.max_message_bytes,
            ),
            hosted=hosted,
            outbox=outbox,
            at_once=config.max_concurrency if config.async_tool_calls else 1,
            timeout=config.tool_timeout,
            texts=config.tool_texts,
        )
        self.announcements = Announcements()
        self.editing = Editing(
            outbox=outbox,
            history=self.history,
            calls=self.calls,
            announcements=self.announcements,
            responses=self.responses,
            readings=self.readings,
        )
        self.transcripts = Transcripts(outbox, self.history, self.configuration)
        self.handoffs = Handoffs(
            outbox=outbox,
            current=ResolvedAgent(
                agent=setup.agent, instructions="", tools={}, handoffs={}, definitions=()
            ),
            configuration=self.configuration,
            responses=self.responses,
            calls=self.calls,
            editing=self.editing,
            speech=self.speech,
            reconnect=lambda handoff: self.moving.begin(handoff),
            limit=config.max_handoffs_per_turn,
        )
        self.offers = Offers(
            outbox=outbox,
            configuration=self.configuration,
            handoffs=self.handoffs,
            calls=self.calls,
        )
        self.approvals = Approvals(
            outbox=outbox,
            calls=self.calls,
            handoffs=self.handoffs,
            timeout=config.approval_timeout,
        )
        self.stalls = StallWatch(outbox, config.stall_timeout)
        self.turn_taking = TurnTaking(
            outbox=outbox,
            configuration=self.configuration,
            responses=self.responses,
            speech=self.speech,
            calls=self.calls,
            approvals=self.approvals,
        )
        self.calling = Calling(
            outbox=outbox,
            responses=self.responses,
            calls=self.calls,
            handoffs=self.handoffs,
            approvals=self.approvals,
            rounds=self.rounds,
            stalls=self.stalls,
            announcements=self.announcements,
        )
        self.guarding = Guarding(
            outbox=outbox,
            handoffs=self.handoffs,
            speech=self.speech,
            responses=self.responses,
            guardrails=config.output_guardrails,
            debounce=config.guardrails_settings.debounce_text_length,
            holds=config.guardrails_settings.mode == "hold",
            timeout=config.guardrails_settings.verdict_timeout,
            play=self._play,
        )
        self.screening = Screening(
            outbox=outbox,
            handoffs=self.handoffs,
            speech=self.speech,
            responses=self.responses,
            guardrails=config.input_guardrails,
            holds=config.guardrails_settings.mode == "hold",
            timeout=config.guardrails_settings.verdict_timeout,
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
            outbox,
            self.responses,
            self.calls,
            self.handoffs,
            self.history,
            self.speech.held,
        )
        self.crossing = Crossing(
            outbox=outbox,
            settings=config.reconnect,
            model=setup.model,
            configuration=self.configuration,
            responses=self.responses,
            handoffs=self.handoffs,
            turns=self.turns,
            history=self.history,
            words=self.words,
            speech=self.speech,
            calls=self.calls,
            rounds=self.rounds,
            approvals=self.approvals,
            turn_taking=self.turn_taking,
            guarding=self.guarding,
            transcripts=self.transcripts,
            stalls=self.stalls,
            unanswered=self.unanswered,
            unacknowledged=self.unacknowledged,
            ids=self.ids,
            on_move=(
                self.turn_taking.moved,  # first: it asks the others what was stopped
                self.responses.moved,
                self.calls.moved,
                self.announcements.moved,
                self.speech.moved,
                self.guarding.moved,
            ),
        )
        self.requests = Requests(
            outbox,
            self.configuration,
            self.responses,
            self.rounds,
            self.speech,
            self.editing,
            self.approvals,
            self.handoffs,
            setup.max_message_bytes,
        )
        self.accounting = Accounting(
            outbox=outbox,
            model=setup.model,
            pricing=config.pricing,
            max_cost=config.max_cost,
        )
        self.unsent = Unsent(
            outbox=outbox,
            responses=self.responses,
            speech=self.speech,
            approvals=self.approvals,
            configuration=self.configuration,
            editing=self.editing,
            handoffs=self.handoffs,
            unanswered=self.unanswered,
            unacknowledged=self.unacknowledged,
        )
        self.audio_losses = AudioLosses(outbox=outbox)
        self.limits = Limits(
            outbox=outbox,
            responses=self.responses,
            speech=self.speech,
            turn_taking=self.turn_taking,
            max_cost=config.max_cost,
            max_duration=config.max_duration,
            idle_timeout=config.idle_timeout,
        )
        self.farewell = Farewell(
            outbox=outbox, limits=self.limits, turn_taking=self.turn_taking, speech=self.speech
        )
        self.life = Life(
            outbox=outbox,
            configuration=self.configuration,
            responses=self.responses,
            handoffs=self.handoffs,
            accounting=self.accounting,
            limits=self.limits,
            farewell=self.farewell,
            echo=self.echo,
            on_loss=(
                self.audio_losses.lost,
                lambda loss: self.moving.ended(loss),
                self.approvals.lost,
                self.offers.lost,
                self.calls.lost,
                self.responses.lost,
                self.stalls.lost,
                self.unanswered.lost,
                self.turns.lost,
                self.handoffs.lost,
                self.guarding.lost,
                self.screening.lost,
                self.transcripts.lost,
                self.speech.lost,
                self.turn_taking.lost,
                self.turns.lost_held,
                self.configuration.lost,
            ),
        )
        self.moving = Moving(
            outbox=outbox,
            configuration=self.configuration,
            handoffs=self.handoffs,
            crossing=self.crossing,
            life=self.life,
            settings=config.reconnect,
            seed=setup.seed,
        )
        self.course = Course(
            outbox=outbox,
            moving=self.moving,
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
            outbox=outbox,
            configuration=self.configuration,
            life=self.life,
            handoffs=self.handoffs,
            moving=self.moving,
            transcripts=self.transcripts,
            turn_taking=self.turn_taking,
            speech=self.speech,
        )
        self.refusals = Refusals(
            outbox=outbox,
            life=self.life,
            moving=self.moving,
            unacknowledged=self.unacknowledged,
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
            outbox=outbox,
            configuration=self.configuration,
            rounds=self.rounds,
            turn_taking=self.turn_taking,
            screening=self.screening,
            transcripts=self.transcripts,
            words=self.words,
            accounting=self.accounting,
            limits=self.limits,
            on_user_spoke=(self.handoffs.user_spoke, self.guarding.user_spoke),
        )
        self.program = Program(
            outbox=outbox,
            life=self.life,
            moving=self.moving,
            limits=self.limits,
            farewell=self.farewell,
            requests=self.requests,
            responses=self.responses,
            turn_taking=self.turn_taking,
            user_turns=self.user_turns,
            screening=self.screening,
            offers=self.offers,
        )
        self.timers = Timers(
            outbox=outbox,
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
            farewell=self.farewell,
            moving=self.moving,
        )
        self.hook_calls = HookCalls(
            outbox=outbox,
            handoffs=self.handoffs,
            history=self.history,
        )
        self.airs = not (self.guarding.holds or self.echo.follows_speech)

    def _play(self, event: wire.ResponseOutputAudioDelta, now: float) -> None:
        """Let a piece of speech be heard."""
        if self.echo.follows_speech:
            self.echo.audio(event.delta, now)
        self.speech.audio(event, now)
