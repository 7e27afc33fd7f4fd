"""The core and the embedded server's half, joined without a socket.

What each says travels as JSON and may take its time; what engines, tools, guardrails and
people do happens whenever a number says so. Each side sees the other's events in order,
late.

The server finds out by itself when the user speaks, at any time; or, with `by_ear`, only
from what the microphone was allowed to send.
"""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from attrs import define, evolve, field

from realtime_actors import events, messages
from realtime_actors import protocol as wire
from realtime_actors.config import GuardrailsSettings, SessionModelSettings
from realtime_actors.core import effects as fx
from realtime_actors.core.connection.moving import RENEW_TIMER
from realtime_actors.core.machine import SessionMachine
from realtime_actors.core.messages import (
    AgentResolved,
    ApprovalNeeded,
    Asked,
    Connected,
    ConnectionLost,
    GuardrailsFinished,
    HandoffResolved,
    InputScreened,
    StandbyFailed,
    StandbyOpened,
    Started,
    TimerFired,
    ToolFinished,
    ToolRefused,
)
from realtime_actors.core.responses.response import ANSWER_TIMER
from realtime_actors.core.speech.microphone import BLOCK_MS, MicrophoneFilter
from realtime_actors.errors import StartCause, StartError
from realtime_actors.guardrails import InputGuardrail, OutputGuardrail
from realtime_actors.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputText,
    Item,
    MessageItem,
)
from realtime_actors.server import ConversationOptions, ServerConversation, server_messages
from realtime_actors.server import server_effects as server_fx
from realtime_actors.server.turn_detection import SpeechStarted, SpeechStopped
from tests.core.invariants import Watch
from tests.core.machine import BYTES_PER_MS, AnyMessage, agent_with, new, resolve, tool_named, words

__all__ = ["DESK", "NO_NAMES", "World"]

NO_PRICES = OutputGuardrail(name="no_prices", check=lambda text: "$" in text)
NO_NAMES = InputGuardrail(name="no_names", check=lambda text: "Ada" in text)
PAY = evolve(tool_named("pay"), needs_approval=True)
BILLING = evolve(
    agent_with("refund", name="Billing", output_guardrails=[NO_PRICES]),
    tools=[tool_named("refund"), PAY],
)
DESK = evolve(
    agent_with(name="Desk", handoffs=[BILLING], output_guardrails=[NO_PRICES]),
    tools=[tool_named("weather"), tool_named("time"), PAY],
)
WORDS = ("Good ", "morning. ", "It costs $5. ", "How are you? ")
CALLS = ("weather", "pay", "time", "refund", "pay", "transfer_to_billing", "pay", "dance")
SILENCE = bytes(BYTES_PER_MS * 150)
VOICE = (b"\x00\x40" * 12 + b"\x00\xc0" * 12) * 150
"""Somebody who speaks up, for as long."""
BLOCK = BYTES_PER_MS * BLOCK_MS
HELLO = InputText("Hello!")
NAMED_BY_CLIENT = "item_ra_"
"""Items that it creates when the conversation is edited, and no others here."""
NO_MORE_TOOLS = "Error: no more tools may be called"
"""After this no response is asked for: the model was asked to answer without tools."""

ALLOWED_ERRORS = {
    "conversation_already_has_active_response",
    "response_cancel_not_active",
    "input_audio_buffer_commit_empty",
    "too_many_active_responses",
    "cannot_update_voice",  # it began to speak while we asked
    # A response that was cancelled takes what it had not finished along.
    "item_delete_invalid_item_id",
    "item_truncate_invalid_item_id",
}


def new_server(ids: Callable[[str], str], *, beta: bool) -> ServerConversation:
    """Make a server's half whose time is never over."""
    options = ConversationOptions(max_session_seconds=1e9)
    return ServerConversation(ids=ids, model="gpt-realtime", beta=beta, options=options)


@define(kw_only=True)
class World:
    """A client, a server, the two ways between them, and everything beside."""

    settings: SessionModelSettings
    beta: bool = False
    options: Mapping[str, Any] = field(factory=dict)
    by_ear: bool = False
    """The server knows of the user's speech what the microphone sends, and nothing else."""
    client: SessionMachine = field(init=False)
    server: ServerConversation = field(init=False)
    now: float = 0.0
    watch: Watch = field(factory=Watch)
    trace: list[tuple[float, AnyMessage]] = field(factory=list)
    told: list[fx.Effect] = field(factory=list)
    """All effects of the client."""

    to_server: deque[bytes] = field(factory=deque)
    to_client: deque[bytes] = field(factory=deque)
    tasks: list[fx.RunTool | fx.RunHandoff | fx.RunGuardrails | fx.ScreenInput] = field(
        factory=list
    )
    client_timers: dict[Hashable, float] = field(factory=dict)
    generations: dict[str, server_fx.Generate] = field(factory=dict)
    recognitions: list[server_fx.Recognise] = field(factory=list)
    detecting: bool = False
    speaking: bool = False
    heard_ms: int = 0
    filter: MicrophoneFilter = field(factory=MicrophoneFilter)
    gate: fx.Gate | None = None
    user_speaks: bool = False
    """Into the microphone, whoever may hear it."""
    plays_from: float = 0.0
    plays_until: float = 0.0
    """When the model's voice was in the room: what came was played at once."""
    required: Counter[str] = field(factory=Counter)
    """How often a call was said to wait for approval."""
    ran: Counter[tuple[str, bool]] = field(factory=Counter)
    """How often a tool was run, and with whose approval."""
    callers: itertools.count[int] = field(factory=itertools.count)

    # What the server holds to be true.
    order: list[str] = field(factory=list)
    log: list[str] = field(factory=list)
    """What asks for a response, and what is one, in the order in which it came to be."""
    answered: Counter[str] = field(factory=Counter)
    """Wishes with a name, by how many responses there were for each."""
    wishes: list[str] = field(factory=list)
    asked: set[str] = field(factory=set)
    """Wishes that the client has sent."""
    begun: set[str] = field(factory=set)
    """Wishes whose response the client has seen begin."""
    interrupted: set[str] = field(factory=set)
    """Wishes that the program has stopped before it saw their response begin."""
    talked_over: set[str] = field(factory=set)
    """Wishes that the user's speech has stopped before their response began."""
    took_back: bool = False
    """The program may have stopped a response that was only asked for: if it was refused besides,
    it is not wanted any more."""
    out_of_band: set[str | None] = field(factory=set)
    calls: set[str | None] = field(factory=set)
    """Those that are complete: at least their arguments are."""
    outputs: Counter[str] = field(factory=Counter)
    instructions: str | None = None
    refusals: list[wire.ErrorDetail] = field(factory=list)
    updates: dict[str | None, bool] = field(factory=dict)
    """Those that are not answered yet, and whether they make another agent the current one."""

    # Connections.
    dialled: list[fx.OpenStandby] = field(factory=list)
    """Those that are being made, or were given up: their news comes all the same."""
    given_up: set[int] = field(factory=set)
    """Attempts that are not wanted any more: who makes one closes it."""
    waiting: list[Any] | None = None
    """The standby's server, and what it wants done."""
    is_down: bool = False
    opened: int = 0
    switched: int = 0
    told_again: set[str | None] = field(factory=set)
    """The items that the server was told when it was new."""
    is_owed: bool = False
    """When the last connection was lost, somebody had not been answered."""

    def __attrs_post_init__(self) -> None:
        dialect = wire.dialect("beta" if self.beta else "ga")
        self._dialect = dialect
        ids: Counter[str] = Counter()

        def new_id(prefix: str) -> str:
            ids[prefix] += 1
            return f"{prefix}_{ids[prefix]}"

        self.server = new_server(new_id, beta=self.beta)
        self.client = self.new_client()
        self.watch.reported = self.client.setup.playback_reported
        self.watch.idle_timeout = self.client.setup.config.idle_timeout
        for message in (Started(), Connected(), AgentResolved(resolve(DESK))):
            self.tell(message)
        self.serve(server_messages.Opened(unix_time=1.7e9))
        self.settle()

    _dialect: Any = field(init=False, default=None)

    def new_client(self) -> SessionMachine:
        return new(
            DESK,
            settings=self.settings,
            **{
                "guardrails_settings": GuardrailsSettings(debounce_text_length=8),
                "tool_timeout": 30.0,
                **self.options,
            },
        )

    # --- both sides ---------------------------------------------------------------------

    def tell(self, message: AnyMessage) -> None:
        """Hand a message to the client, and do what it wants done."""
        effects = self.client.handle(message, self.now)
        self.trace.append((self.now, message))
        self._connect(effects)
        self.told += effects
        self._note_answered_update(message)
        self.watch.step(message, effects, self.now)
        if isinstance(message, wire.ResponseCreated):
            self.begun |= _wishes(message.response.metadata)
        if isinstance(message, wire.InputAudioBufferSpeechStarted):
            self.talked_over |= self.asked - self.begun
        if message == TimerFired(ANSWER_TIMER):
            self.watch.in_doubt = True
        for effect in effects:
            match effect:
                case fx.SetGate(gate=gate):
                    self.gate = gate
                case fx.Publish(event=event):
                    self._published(event)
                case fx.Send(event=event):
                    self._check_sent(event, undoing=isinstance(message, TimerFired))
                    self.to_server.append(self._dialect.encode_client(event))
                case fx.SetTimer(key=key, delay=delay):
                    self.client_timers[key] = self.now + delay
                case fx.CancelTimer(key=key):
                    self.client_timers.pop(key, None)
                case fx.RunTool(call_id=call_id, approved=approved):
                    self.ran[call_id, approved] += 1
                    assert self.ran[call_id, approved] == 1, f"runs twice: {call_id}"
                    self.tasks.append(effect)
                case fx.RunHandoff() | fx.RunGuardrails() | fx.ScreenInput():
                    self.tasks.append(effect)
                case _:
                    pass
        if any(isinstance(effect, fx.SwitchConnection) for effect in effects):
            # It is told in one go, and sooner than anybody can say a word.
            while self.to_server:
                self.server_reads(3)
        limited = {
            key[1] for key in self.client_timers if isinstance(key, tuple) and key[0] == "approval"
        }
        assert limited == (
            self.watch.unapproved if self.client.setup.config.approval_timeout else set()
        )

    def _published(self, event: events.Event) -> None:
        match event:
            case events.AudioEvent():
                if self.now >= self.plays_until:
                    self.plays_from = self.plays_until = self.now
                self.plays_until += len(event.audio.data) / BYTES_PER_MS / 1000
            case events.AudioInterruptedEvent():
                self.plays_until = min(self.plays_until, self.now)
            case events.ToolApprovalRequiredEvent(call_id=call_id):
                self.required[call_id] += 1
                assert self.required[call_id] == 1, f"approval asked for twice: {call_id}"

    def serve(self, message: server_messages.Message) -> None:
        """Hand a message to the server, and do what it wants done."""
        if self.is_down:
            return
        for effect in self.server.handle(message, self.now):
            match effect:
                case server_fx.Emit(event=event):
                    self._note(event)
                    self.carry(self._dialect.encode_server(event))
                case server_fx.Generate(response_id=response_id):
                    self.generations[response_id] = effect
                case server_fx.CancelGeneration(response_id=response_id):
                    del self.generations[response_id]
                case server_fx.Recognise():
                    self.recognitions.append(effect)
                case server_fx.DetectTurns(settings=settings):
                    self.detecting, self.speaking = settings is not None, False
                case server_fx.ResetDetector():
                    self.speaking = False
                case _:
                    pass

    # --- connections ----------------------------------------------------------------------

    def _connect(self, effects: fx.Effects) -> None:
        """See to the connections, before anything is sent."""
        for effect in effects:
            match effect:
                case fx.OpenStandby():
                    self.dialled.append(effect)
                case fx.CloseStandby(attempt=attempt):
                    self.given_up.add(attempt)
                    self.waiting = None
                case fx.DropConnection():
                    self._hang_up()
                case fx.SwitchConnection():
                    if not self.is_down:
                        self._hang_up()
                    sent = [each.event for each in effects if isinstance(each, fx.Send)]
                    self._switch(sent)

    def _hang_up(self) -> None:
        """Nothing that was on its way arrives."""
        last = self.log[_last(self.log, "response") + 1 :]
        in_flight = b"".join(self.to_server)
        self.is_owed = "wish" in last or b"Hello!" in in_flight
        ways = (self.to_server, self.to_client, self.generations, self.recognitions, self.updates)
        for left in ways:
            left.clear()
        if self.watch.user_speaks:  # what they stopped is not wanted; what they said is lost
            self.is_owed, self.took_back = False, True
        self.interrupted |= self.talked_over - self.begun
        self.speaking = self.detecting = False
        self.is_down = True

    def _switch(self, sent: list[wire.ClientEvent]) -> None:
        assert self.waiting is not None
        self.server, *wanted = self.waiting
        self.waiting, self.is_down = None, False
        self.switched += 1
        self.detecting = False
        for effect in wanted:
            match effect:
                case server_fx.Emit(event=wire.SessionUpdated(session=session)):
                    self.instructions = session.settings.instructions
                case server_fx.DetectTurns(settings=settings):
                    self.detecting = settings is not None
        # What is true there is what it is told now.
        told = [each.item for each in sent if isinstance(each, wire.ConversationItemCreate)]
        self.told_again = {item.id for item in told}
        self.calls = {item.call_id for item in told if isinstance(item, FunctionCallItem)}
        self.order.clear()
        self.outputs.clear()
        self.log[:] = ["wish"] if self.is_owed else []

    @property
    def history(self) -> list[Item]:
        """The conversation of the client, as far as its server was told of it."""
        return [item for item in self.client.history if self._is_told(item)]

    def _is_told(self, item: Item) -> bool:
        # Of what was cut to nothing afterwards, there is nothing to tell.
        is_told = item.id in self.told_again and words(item) != ""
        return not self.switched or item.id in self.order or is_told

    def dial(self, number: int) -> None:
        """There is news of a connection."""
        if not self.dialled:
            return
        effect = self.dialled.pop(0)
        if number % 8 == 7:
            error = StartError("nobody there", StartCause.NETWORK)
            self.tell(StandbyFailed(attempt=effect.attempt, error=error))
            return
        self.opened += 1
        ids: Counter[str] = Counter()
        server = self.opened

        def new_id(prefix: str) -> str:
            ids[prefix] += 1
            return f"{prefix}_{server}_{ids[prefix]}"

        other = new_server(new_id, beta=self.beta)
        update = self._dialect.decode_client(self._dialect.encode_client(effect.update))
        wanted = [
            *other.handle(server_messages.Opened(unix_time=1.7e9), self.now),
            *other.handle(update, self.now),
        ]
        (answer,) = [
            each.event
            for each in wanted
            if isinstance(each, server_fx.Emit) and isinstance(each.event, wire.SessionUpdated)
        ]
        if effect.attempt not in self.given_up:
            self.waiting = [other, *wanted]
        self.tell(StandbyOpened(attempt=effect.attempt, answer=answer))

    def lose(self) -> None:
        """The connection is lost."""
        self.tell(ConnectionLost(code=1006, reason="gone"))

    def carry(self, said: bytes) -> None:
        """What the server says sets out for the client."""
        self.to_client.append(said)

    def _note_answered_update(self, message: AnyMessage) -> None:
        match message:
            case wire.SessionUpdated() if self.updates:
                del self.updates[next(iter(self.updates))]
            case wire.ServerError(error=error):
                self.updates.pop(error.event_id, None)
            case TimerFired(key=("update", str(event_id))):
                self.updates.pop(event_id, None)

    def _check_sent(self, event: wire.ClientEvent, *, undoing: bool) -> None:
        match event:
            case wire.SessionUpdate(event_id=event_id, session=session):
                current = self.client.current_agent.instructions
                switches = session.instructions not in (None, current)
                self.updates[event_id] = switches and not undoing
            case wire.RawClientEvent(payload={"response": {"metadata": metadata}}):
                self.asked |= _wishes(metadata)
            case wire.ResponseCreate(response=settings):
                self.asked |= _wishes(None if settings is None else settings.metadata)
                if settings is None or settings.conversation != "none":
                    switching = any(self.updates.values())
                    assert not switching, "asked for a response in the middle of a handoff"
                if settings is not None and "protected" in (settings.metadata or {}):
                    self._crossing(self.to_client, b'"response.created"')

    def _crossing(self, way: deque[bytes], what: bytes) -> None:
        """Whether a response that the server makes by itself crosses a wish for another one."""
        if any(what in each for each in way):
            self.watch.in_doubt = True

    def _note(self, event: wire.ServerEvent) -> None:
        """Keep what the server has just made true."""
        match event:
            case wire.ConversationItemAdded(item=item) | wire.ConversationItemCreated(item=item):
                previous = event.previous_item_id
                place = 0 if previous is None else self.order.index(previous) + 1
                self.order.insert(place, item.id or "")
                self._note_item(item)
            case wire.ConversationItemDeleted(item_id=item_id):
                self.order.remove(item_id)
            case wire.ResponseFunctionCallArgumentsDone(call_id=call_id, arguments="{}"):
                # Who asks for a response beside the conversation answers its calls.
                if event.response_id not in self.out_of_band:
                    self.calls.add(call_id)
            case wire.ResponseOutputItemDone(item=FunctionCallItem(status="completed") as call):
                if event.response_id not in self.out_of_band:
                    self.calls.add(call.call_id)
            case wire.ResponseCreated(response=response):
                if response.metadata and "wish" in response.metadata:
                    self.answered[response.metadata["wish"]] += 1
                if response.conversation_id is not None:
                    self.log.append("response")
                    self._crossing(self.to_server, b'"protected"')
                else:
                    self.out_of_band.add(response.id)
            case wire.SessionUpdated(session=session):
                self.instructions = session.settings.instructions
            case wire.ResponseDone(response=response) if self.by_ear and not self.watch.in_doubt:
                if "protected" in (response.metadata or {}):
                    why = response.status_details and response.status_details.reason
                    assert why != "turn_detected", f"talked over: {response.id}"
            case wire.ServerError(error=error):
                self.refusals.append(error)

    def _note_item(self, item: Item) -> None:
        # Who edits the conversation puts back what was said: nothing is asked for by that.
        by_an_edit = (item.id or "").startswith(NAMED_BY_CLIENT) or item.id in self.told_again
        match item:
            case FunctionCallOutputItem(call_id=call_id) if item.id in self.told_again:
                self.outputs[call_id] += 1
            case FunctionCallOutputItem(call_id=call_id, output=output) if not by_an_edit:
                self.outputs[call_id] += 1
                # Of what did not happen nobody has to speak.
                if not output.startswith(NO_MORE_TOOLS) and "was not run" not in output:
                    self.log.append("wish")
            case MessageItem(role="user", content=(part,)) if part == HELLO and not by_an_edit:
                self.log.append("wish")

    # --- what may happen ------------------------------------------------------------------

    def happen(self, move: str, number: int) -> None:
        """Let one thing happen, if it can; the number says which."""
        moves: Mapping[str, Callable[[int], None]] = {
            "server reads": self.server_reads,
            "client reads": self.client_reads,
            "time": self.time,
            "model": self.model,
            "words": self.words,
            "task": self.task,
            "turn": self.turn,
            "microphone": self.microphone,
            "say": lambda _: self.ask(messages.SendMessage(HELLO.text)),
            "wish": self.wish,
            "beside": self.beside,
            "protected": self.protected,
            "decide": self.decide,
            "interrupt": lambda _: self.interrupt(),
            "manual": self.manual,
            "hand over": lambda number: self.ask(messages.HandOff((DESK, BILLING)[number % 2])),
            "update": self.update,
            "report": self.report,
            "dial": self.dial,
            "lose": lambda _: self.lose(),
            "renew": lambda _: self.tell(TimerFired(RENEW_TIMER)),
        }
        moves[move](number)

    def server_reads(self, number: int) -> None:
        for _ in range(min(len(self.to_server), 1 + number % 4)):
            event = self._dialect.decode_client(self.to_server.popleft())
            self.serve(event)
            if self.by_ear and isinstance(event, wire.InputAudioBufferAppend):
                self.hear(event.audio)

    def client_reads(self, number: int) -> None:
        for _ in range(1 + number % 8):
            if self.to_client:  # they may be another server's, suddenly
                self.tell(self._dialect.decode_server(self.to_client.popleft()))

    def time(self, number: int) -> None:
        self.now += (number % 50) / 20
        for key in [key for key, due in self.client_timers.items() if due <= self.now]:
            if self.client_timers.pop(key, None) is not None:
                self.tell(TimerFired(key))
        if self.server.wakes_at is not None and self.server.wakes_at <= self.now:
            self.serve(server_messages.Tick())

    def model(self, number: int) -> None:
        """The server's model goes on with one of its answers."""
        if not self.generations:
            return
        which, kind = divmod(number, 8)
        response_id = list(self.generations)[which % len(self.generations)]
        match kind:
            case 0 | 1:
                word = WORDS[which % len(WORDS)]
                self.serve(server_messages.GenerationText(response_id, word))
            case 2 | 3 | 4 if self.generations[response_id].speech is not None:
                self.serve(server_messages.GenerationAudio(response_id, SILENCE))
            case 5:
                call = server_messages.GenerationToolCall(
                    response_id=response_id,
                    index=which % 3,
                    name=CALLS[which % len(CALLS)],
                    arguments="{}" if which % 5 else "",
                )
                self.serve(call)
            case 6 if which % 4 == 0:
                del self.generations[response_id]
                failed = server_messages.GenerationFailed(response_id=response_id, message="no")
                self.serve(failed)
            case _:
                self.end_of_answer(response_id)

    def end_of_answer(self, response_id: str) -> None:
        del self.generations[response_id]
        self.serve(server_messages.GenerationEnded(response_id=response_id))

    def words(self, number: int) -> None:
        """The server's recogniser has found out what somebody said."""
        if not self.recognitions:
            return
        asked = self.recognitions.pop(number % len(self.recognitions))
        ids: dict[str, Any] = {"item_id": asked.item_id, "attempt": asked.attempt}
        if number % 7 == 6:
            self.serve(server_messages.TranscriptionFailed(message="unclear", **ids))
        else:
            self.serve(server_messages.Transcribed(text="My name is Ada.", **ids))

    def task(self, number: int) -> None:
        """The user's code comes to an end somewhere."""
        if not self.tasks:
            return
        match self.tasks.pop(number % len(self.tasks)):
            case fx.RunTool(call_id=call_id, approved=False, tool=tool) if tool.needs_approval:
                if number % 5 == 4:
                    self.tell(ToolRefused(call_id=call_id, guardrail="no_gambling"))
                else:
                    self.tell(ApprovalNeeded(call_id))
            case fx.RunTool(call_id=call_id):
                error = "Error: no" if number % 5 == 4 else None
                self.tell(ToolFinished(call_id=call_id, output=error or "fine", error=error))
            case fx.RunHandoff(call_id=call_id) if number % 7 == 6:
                why = "Error: nobody there"
                self.tell(ToolFinished(call_id=call_id, output=why, error=why))
            case fx.RunHandoff() as hand_off:
                target = hand_off.handoff.target() or DESK
                shown = hand_off.history
                self.tell(
                    HandoffResolved(
                        call_id=hand_off.call_id,
                        resolved=resolve(target),
                        history=tuple(shown[number % 3 :]) if number % 2 else None,
                    )
                )
            case fx.RunGuardrails() as judging:
                tripped = "$" in judging.text and number % 2 == 0
                self.tell(
                    GuardrailsFinished(
                        response_id=judging.response_id,
                        item_id=judging.item_id,
                        text=judging.text,
                        guardrail="no_prices" if tripped else None,
                        failure="it has raised" if number % 7 == 3 else None,
                        failed="no_prices",
                        attempt=judging.attempt,
                    )
                )
            case fx.ScreenInput(text=text) as screening:
                self.tell(
                    InputScreened(
                        item_id=screening.item_id,
                        text=text,
                        guardrail="no_names" if "Ada" in text and number % 4 else None,
                        attempt=screening.attempt,
                    )
                )

    def decide(self, number: int) -> None:
        """Somebody decides about a call that waits, that did, or that nobody knows."""
        waiting, known = sorted(self.watch.unapproved), sorted(self.required)
        which, kind = divmod(number, 6)
        if calls := (waiting, waiting, waiting, waiting, known, ["nobody's"])[kind]:
            call_id = calls[which % len(calls)]
            always = number % 11 == 5
            no = messages.Reject(call_id, reason="too much" if which % 2 else None, always=always)
            self.ask(messages.Approve(call_id, always=always) if number % 2 else no)

    def turn(self, number: int) -> None:
        """The user begins to speak, or stops."""
        if self.by_ear:
            self.user_speaks = not self.user_speaks
            self.microphone(number)
            return
        self.heard_ms += 10 * number
        if self.detecting:
            self.speaking = not self.speaking
            self.serve((SpeechStarted if self.speaking else SpeechStopped)(self.heard_ms))

    def microphone(self, number: int) -> None:
        """What is recorded now is sent, as far as it may be."""
        gate, audio = self.gate, (VOICE if self.user_speaks else SILENCE) * (number % 3 or 1)
        if self.by_ear:
            self.now += len(audio) / BYTES_PER_MS / 1000
        if gate is None or not gate.open or self.is_down:
            return
        if gate.echo is not None:
            audio = self.filter.process(audio, gate.audio_format, gate.echo, self.now)
        believed = self.by_ear and not self.client.setup.playback_reported
        if self.client.setup.config.barge_in.mode == "half_duplex" and believed:
            self._check_is_deaf(audio)
        self.to_server.append(self._dialect.encode_client(wire.InputAudioBufferAppend(audio=audio)))

    def _check_is_deaf(self, audio: bytes) -> None:
        """Nothing is heard that was recorded while the model's voice was in the room."""
        for start in range(0, len(audio), BLOCK):
            recorded = self.now - (len(audio) - start) / BYTES_PER_MS / 1000
            if self.plays_from <= recorded < self.plays_until:
                assert not any(audio[start : start + BLOCK]), f"heard at {recorded:.2f}"

    def hear(self, audio: bytes) -> None:
        """The server listens to what it was sent: whatever is no silence is speech."""
        self.heard_ms += len(audio) // BYTES_PER_MS
        if self.detecting and any(audio) != self.speaking:
            self.speaking = not self.speaking
            self.serve((SpeechStarted if self.speaking else SpeechStopped)(self.heard_ms))

    def ask(self, verb: messages.Verb) -> None:
        self.tell(Asked(verb, next(self.callers)))

    def wish(self, number: int) -> None:
        name = f"wish_{len(self.wishes)}"
        self.wishes.append(name)
        if number % 3:
            self.ask(messages.CreateResponse(metadata={"wish": name}))
        else:
            response = {"metadata": {"wish": name}}
            self.ask(messages.SendRawEvent({"type": "response.create", "response": response}))

    def beside(self, number: int) -> None:
        self.ask(messages.CreateResponse(conversation="none", metadata={"number": str(number)}))

    def protected(self, number: int) -> None:
        metadata = {"protected": str(number)}
        self.ask(messages.CreateResponse(interruptible=False, metadata=metadata))

    def interrupt(self) -> None:
        self.interrupted |= self.asked - self.begun
        under_way = b"".join((*self.to_server, *self.to_client))
        self.took_back |= self.watch.asked or b"response.create" in under_way
        self.took_back |= b"already_has_active" in under_way or self.is_down
        self.is_owed = False
        self.ask(messages.Interrupt())

    def manual(self, number: int) -> None:
        verbs = (messages.CommitAudio(), messages.ClearAudio(), messages.CreateResponse())
        self.ask(verbs[number % 3])

    def update(self, number: int) -> None:
        if number % 5 == 0:
            self.ask(messages.UpdateSession({"voice": f"voice_{number % 3}"}))
        else:
            self.ask(messages.UpdateSession({"max_output_tokens": 1000 + number % 10}))

    def report(self, number: int) -> None:
        audible = [item.id for item in self.client.history if item.id is not None]
        # Where it matters who is heard when, nobody tells tales.
        if audible and (self.client.setup.playback_reported or not self.by_ear):
            position = messages.PlaybackPosition(audible[-1], 0, float(number % 100))
            self.ask(position)

    # --- rest ---------------------------------------------------------------------------

    def settle(self) -> None:
        """Let everything that is open come to its end, without anything new beginning."""
        for _ in range(5000):
            if self.speaking:
                self.speaking = False
                self.serve(SpeechStopped(self.heard_ms))
            elif self.to_server:
                self.server_reads(0)
            elif self.to_client:
                self.client_reads(7)
            elif self.recognitions:
                self.words(0)
            elif self.tasks:
                self.task(1)
            elif self.watch.unapproved:
                self.decide(1)
            elif self.generations:
                self.end_of_answer(next(iter(self.generations)))
            elif self.dialled:
                self.dial(0)
            elif self._fire_next_timer():
                pass
            elif self.watch.hushed:
                self.ask(messages.SendMessage(HELLO.text))  # what waits for a word goes on
            else:
                return
        raise AssertionError("it never comes to rest")

    def _fire_next_timer(self) -> bool:
        """Let time pass until the client has nothing to wait for."""
        if not self.client_timers:
            return False
        key = min(self.client_timers, key=lambda key: self.client_timers[key])
        self.now = max(self.now, self.client_timers.pop(key))
        self.tell(TimerFired(key))
        return True

    def lose_connection(self) -> None:
        self.to_client.clear()
        self.tell(ConnectionLost(code=1006, reason="gone"))

    def published(self, kind: type[Any]) -> list[Any]:
        return [
            effect.event
            for effect in self.told
            if isinstance(effect, fx.Publish) and isinstance(effect.event, kind)
        ]

    # --- what must hold -------------------------------------------------------------------

    def _stopped_since(self, end: events.AgentEndEvent) -> bool:
        """Whether the user has stopped calls of a response that was over: nothing is said of them.

        Then no other end comes: it is the user's turn, and its answer will have one.
        """
        told = [effect.event for effect in self.told if isinstance(effect, fx.Publish)]
        since = told[max(place for place, event in enumerate(told) if event is end) :]
        ended = [event for event in since if isinstance(event, events.ToolEndEvent)]
        return any("was interrupted" in (event.error or "") for event in ended)

    def check_at_rest(self) -> None:
        """Check what must hold when nothing is open any more."""
        assert {error.code for error in self.refusals} <= ALLOWED_ERRORS, self.refusals
        assert [item.id for item in self.history] == self.order

        # No wish was lost, unless the server took so long that it was said to be.
        errors = [event.error.type for event in self.published(events.ErrorEvent)]
        if "response_unanswered" not in errors:
            if not self.took_back:
                assert "wish" not in self.log[_last(self.log, "response") + 1 :], self.log
            for name in self.wishes:
                least = 0 if name in self.interrupted else 1
                most = 1 + self.switched  # one that was cut is asked for once more
                assert least <= self.answered[name] <= most, self.answered
        ends = self.published(events.AgentEndEvent)
        was_over = not ends or ends[-1].final or self._stopped_since(ends[-1])
        assert was_over or (self.switched and self.took_back)  # what was cut is not retried

        # Every call that was made has its answer, and nothing else has.
        assert set(self.outputs) == self.calls
        assert all(count == 1 for count in self.outputs.values())

        # Everybody was answered; every turn has its end; both hold the same agent for current.
        assert self.watch.answered == self.watch.asking
        assert not self.watch.unapproved
        assert self.watch.finished == self.watch.begun
        assert self.watch.ended == self.watch.started
        assert self.instructions == self.client.current_agent.instructions


def _wishes(metadata: Mapping[str, Any] | None) -> set[str]:
    return {metadata["wish"]} if metadata and "wish" in metadata else set()


def _last(log: list[str], what: str) -> int:
    return len(log) - 1 - log[::-1].index(what) if what in log else -1
