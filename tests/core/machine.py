"""Traces for the core: a machine that is live, what a server says to it, what it answers."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, TypeVar, overload

from attrs import define, field, fields
from hypothesis import settings
from hypothesis import strategies as st

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.agent import Agent, Handoff
from realtime_actors.config import RunConfig, SessionModelSettings, default_session_settings
from realtime_actors.core.effects import (
    Answer,
    CancelTimer,
    Effect,
    Effects,
    End,
    Publish,
    Refuse,
    Send,
    SetTimer,
)
from realtime_actors.core.machine import SessionMachine
from realtime_actors.core.messages import (
    AgentResolved,
    Asked,
    Connected,
    HandoffResolved,
    Message,
    ResolvedAgent,
    Started,
    TimerFired,
    ToolFinished,
)
from realtime_actors.core.setup import Setup
from realtime_actors.errors import RealtimeError
from realtime_actors.events import Event
from realtime_actors.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudio,
    InputText,
    Item,
    MessageItem,
    OutputAudio,
)
from realtime_actors.tools import Tool

T = TypeVar("T")
AnyMessage = Message | wire.ServerEvent

AGENT = Agent(name="Receptionist", instructions="Be kind.")
BYTES_PER_MS = 48
"""Of PCM16 at 24 kHz, which is what sessions speak unless told otherwise."""


def times(factor: int) -> settings:
    """So many times the examples of the profile: what is cheap is tried more often."""
    return settings(max_examples=factor * settings().max_examples)


def long_lists(elements: st.SearchStrategy[T], most: int) -> st.SearchStrategy[list[T]]:
    """Lists of every length up to `most`: by themselves they are short, five on average."""
    return st.integers(0, most).flatmap(
        lambda length: st.lists(elements, min_size=length, max_size=length)
    )


# --- machines ------------------------------------------------------------------------------


def resolve(agent: Agent) -> ResolvedAgent:
    """What a task finds out about an agent."""
    enabled = agent.enabled_tools(None)
    return ResolvedAgent(
        agent=agent,
        instructions=agent.resolve_instructions(None),
        tools={each.name: each for each in enabled if isinstance(each, Tool)},
        handoffs={each.name: each for each in enabled if isinstance(each, Handoff)},
        definitions=tuple(each.to_wire() for each in enabled),
        has_instructions=agent.has_instructions,
        has_tools=bool(agent.get_tools()),
    )


OF_CONFIG = {each.name for each in fields(RunConfig)}
UNLIMITED = {
    "approval_timeout": None,
    "max_tool_output_chars": None,
    "max_tool_rounds_per_turn": None,
    "stall_timeout": None,
    "tool_timeout": None,
}
"""Nothing happens by itself, unless it is what a test is about."""


def new(agent: Agent = AGENT, **options: Any) -> SessionMachine:
    """A machine to which nothing has happened. `options` are its own, or of its `RunConfig`."""
    of_config = {name: each for name, each in options.items() if name in OF_CONFIG}
    own = {name: each for name, each in options.items() if name not in OF_CONFIG}
    setup = Setup(
        agent=agent,
        config=RunConfig(**{**UNLIMITED, **of_config}),
        **{"settings": default_session_settings("ga"), **own},
    )
    return SessionMachine(setup)


def live(agent: Agent = AGENT, **options: Any) -> SessionMachine:
    """A machine whose configuration the server has taken."""
    return after(
        new(agent, **options), Started(), Connected(), AgentResolved(resolve(agent)), updated()
    )


def after(machine: SessionMachine, *trace: AnyMessage, at: float = 0.0) -> SessionMachine:
    """The machine, once it has taken the messages."""
    for message in trace:
        machine.handle(message, at)
    return machine


def play(machine: SessionMachine, *trace: AnyMessage, at: float = 0.0) -> Effects:
    """All effects of the messages, in order."""
    return [effect for message in trace for effect in machine.handle(message, at)]


@define
class Timers:
    """The timers that a machine has set, which go off in their order."""

    due: dict[Hashable, float] = field(factory=dict)

    def note(self, effects: Effects, now: float) -> Effects:
        """Take up what a machine wants, at that time. Give it back, to look at."""
        for each in effects:
            match each:
                case SetTimer(key=key, delay=delay):
                    self.due[key] = now + delay
                case CancelTimer(key=key):
                    self.due.pop(key, None)
                case End():
                    self.due.clear()
        return effects

    def next(self) -> tuple[TimerFired, float] | None:
        """Take the timer that goes off next, and when it does."""
        if not self.due:
            return None
        key = min(self.due, key=lambda each: self.due[each])
        return TimerFired(key), self.due.pop(key)


# --- what comes out ------------------------------------------------------------------------


def sent(effects: Iterable[Effect]) -> list[Any]:
    """What goes to the server."""
    return [each.event for each in effects if isinstance(each, Send)]


def sent_types(effects: Iterable[Effect]) -> list[str]:
    return [
        str(event.payload["type"]) if isinstance(event, wire.RawClientEvent) else event.type
        for event in sent(effects)
    ]


def published(effects: Iterable[Effect]) -> list[Event]:
    """What goes to the subscribers."""
    return [each.event for each in effects if isinstance(each, Publish)]


@overload
def only(kind: type[T], effects: Iterable[Effect]) -> list[T]: ...


@overload
def only(kind: tuple[type[Any], ...], effects: Iterable[Effect]) -> list[Any]: ...


def only(kind: type[Any] | tuple[type[Any], ...], effects: Iterable[Effect]) -> list[Any]:
    """The events of one class, or of several, published or sent; or the effects of them."""
    found: list[Any] = []
    for each in effects:
        carried = (each, each.event) if isinstance(each, Publish | Send) else (each,)
        found += [thing for thing in carried if isinstance(thing, kind)]
    return found


def answers(effects: Iterable[Effect]) -> list[object]:
    """What callers are given: a value, or the class of the error that is raised at them."""
    return [
        each.value if isinstance(each, Answer) else type(each.error)
        for each in effects
        if isinstance(each, Answer | Refuse)
    ]


def creates(effects: Iterable[Effect]) -> int:
    """How many responses are asked for."""
    return sent_types(effects).count("response.create")


def refusal(effects: Iterable[Effect]) -> RealtimeError:
    """The error that is raised at the one caller."""
    (refused,) = only(Refuse, effects)
    return refused.error


def texts(machine: SessionMachine) -> list[tuple[str | None, str]]:
    """The conversation in short: ids and words."""
    return [(item.id, words(item)) for item in machine.history]


def words(item: Item) -> str:
    match item:
        case MessageItem(content=content):
            return " ".join(
                getattr(part, "text", None) or getattr(part, "transcript", None) or ""
                for part in content
            )
        case FunctionCallItem(name=name):
            return f"{name}()"
        case FunctionCallOutputItem(output=output):
            return f"-> {output}"
    return item.type


# --- what the program says -----------------------------------------------------------------


def ask(verb: messages.Verb, caller: object = "caller") -> Asked:
    return Asked(verb, caller)


def say(text: str = "Hello!", caller: object = "caller") -> Asked:
    return Asked(messages.SendMessage(text), caller)


def interrupt(caller: object = "caller") -> Asked:
    return Asked(messages.Interrupt(), caller)


def finished(call_id: str = "c1", output: str = "sunny", error: str | None = None) -> ToolFinished:
    return ToolFinished(call_id=call_id, output=output, error=error)


def handed_over(
    agent: Agent, call_id: str = "c1", history: tuple[Item, ...] | None = None
) -> HandoffResolved:
    return HandoffResolved(call_id=call_id, resolved=resolve(agent), history=history)


# --- what the server says ------------------------------------------------------------------


def updated(**settings: Any) -> wire.SessionUpdated:
    """An acknowledgement; `settings` are those that the server echoes."""
    return wire.SessionUpdated(
        session=wire.SessionInfo(id="s1", settings=SessionModelSettings(**settings))
    )


def refused(
    code: str | None = "invalid_value",
    *,
    event_id: str | None = None,
    param: str | None = None,
    message: str = "no",
) -> wire.ServerError:
    detail = wire.ErrorDetail(
        type="invalid_request_error", code=code, message=message, param=param, event_id=event_id
    )
    return wire.ServerError(error=detail)


def already_active(event_id: str | None = None) -> wire.ServerError:
    return refused("conversation_already_has_active_response", event_id=event_id)


def created(
    response_id: str | None = "r1",
    *,
    conversation_id: str | None = "conv1",
    metadata: Mapping[str, str] | None = None,
) -> wire.ResponseCreated:
    return wire.ResponseCreated(
        response=wire.Response(
            id=response_id,
            status="in_progress",
            conversation_id=conversation_id,
            metadata=metadata,
        )
    )


def done(
    response_id: str | None = "r1",
    status: str = "completed",
    *output: Item,
    reason: str | None = None,
    error: wire.ErrorDetail | None = None,
    usage: wire.Usage | None = None,
    conversation_id: str | None = "conv1",
) -> wire.ResponseDone:
    details = None
    if reason is not None or error is not None:
        details = wire.StatusDetails(type=status, reason=reason, error=error)
    return wire.ResponseDone(
        response=wire.Response(
            id=response_id,
            status=status,
            status_details=details,
            output=output,
            conversation_id=conversation_id,
            usage=usage,
        )
    )


def speech(
    item_id: str = "i1", ms: int = 1000, *, response_id: str = "r1", content_index: int = 0
) -> wire.ResponseOutputAudioDelta:
    return wire.ResponseOutputAudioDelta(
        response_id=response_id,
        item_id=item_id,
        content_index=content_index,
        delta=bytes(ms * BYTES_PER_MS),
    )


def speech_done(
    item_id: str = "i1", *, response_id: str = "r1", content_index: int = 0
) -> wire.ResponseOutputAudioDone:
    return wire.ResponseOutputAudioDone(
        response_id=response_id, item_id=item_id, content_index=content_index
    )


def transcript(
    delta: str, item_id: str = "i1", *, response_id: str = "r1", content_index: int = 0
) -> wire.ResponseOutputAudioTranscriptDelta:
    return wire.ResponseOutputAudioTranscriptDelta(
        response_id=response_id, item_id=item_id, content_index=content_index, delta=delta
    )


def transcript_done(
    text: str, item_id: str = "i1", *, response_id: str = "r1"
) -> wire.ResponseOutputAudioTranscriptDone:
    return wire.ResponseOutputAudioTranscriptDone(
        response_id=response_id, item_id=item_id, transcript=text
    )


def text(
    delta: str, item_id: str = "i1", *, response_id: str = "r1"
) -> wire.ResponseOutputTextDelta:
    return wire.ResponseOutputTextDelta(response_id=response_id, item_id=item_id, delta=delta)


def spoken(item_id: str = "i1", words: str | None = None, status: str | None = None) -> MessageItem:
    """What the model says, as an item."""
    return MessageItem(
        id=item_id, role="assistant", status=status, content=(OutputAudio(transcript=words),)
    )


def heard(item_id: str = "u1", words: str | None = None) -> MessageItem:
    """What the user says, as an item."""
    return MessageItem(id=item_id, role="user", content=(InputAudio(transcript=words),))


def written(item_id: str | None = "u1", words: str = "Hello!", role: str = "user") -> MessageItem:
    return MessageItem(id=item_id, role=role, content=(InputText(words),))


def empty(item_id: str = "i1") -> MessageItem:
    """The beginning of what the model says: there is nothing in it yet."""
    return MessageItem(id=item_id, role="assistant", status="in_progress")


def call_item(
    call_id: str | None = "c1",
    name: str = "weather",
    arguments: str = "{}",
    status: str | None = "completed",
    item_id: str | None = None,
) -> FunctionCallItem:
    return FunctionCallItem(
        id=item_id or f"item_{call_id}",
        call_id=call_id,
        name=name,
        arguments=arguments,
        status=status,
    )


def output_item(item_id: str, call_id: str, output: str) -> FunctionCallOutputItem:
    return FunctionCallOutputItem(id=item_id, call_id=call_id, output=output)


def added(item: Item, after: str | None = None) -> wire.ConversationItemAdded:
    return wire.ConversationItemAdded(item=item, previous_item_id=after)


def item_done(item: Item, after: str | None = None) -> wire.ConversationItemDone:
    return wire.ConversationItemDone(item=item, previous_item_id=after)


def output_added(item: Item, response_id: str = "r1") -> wire.ResponseOutputItemAdded:
    return wire.ResponseOutputItemAdded(response_id=response_id, item=item)


def output_done(item: Item, response_id: str = "r1") -> wire.ResponseOutputItemDone:
    return wire.ResponseOutputItemDone(response_id=response_id, item=item)


def arguments_done(
    call_id: str | None = "c1",
    name: str | None = "weather",
    arguments: str = "{}",
    response_id: str | None = "r1",
    item_id: str | None = None,
) -> wire.ResponseFunctionCallArgumentsDone:
    return wire.ResponseFunctionCallArgumentsDone(
        response_id=response_id,
        item_id=item_id or f"item_{call_id}",
        call_id=call_id,
        name=name,
        arguments=arguments,
    )


def called(
    call_id: str = "c1", name: str = "weather", arguments: str = "{}", response_id: str = "r1"
) -> wire.ResponseOutputItemDone:
    """A call by the model, whole."""
    return output_done(call_item(call_id, name, arguments), response_id)


def user_speaks(item_id: str = "u1", at_ms: int = 0) -> wire.InputAudioBufferSpeechStarted:
    return wire.InputAudioBufferSpeechStarted(item_id=item_id, audio_start_ms=at_ms)


def user_stops(item_id: str = "u1", at_ms: int = 0) -> wire.InputAudioBufferSpeechStopped:
    return wire.InputAudioBufferSpeechStopped(item_id=item_id, audio_end_ms=at_ms)


def user_timed_out(item_id: str = "u1") -> wire.InputAudioBufferTimeoutTriggered:
    return wire.InputAudioBufferTimeoutTriggered(item_id=item_id, audio_start_ms=0, audio_end_ms=0)


def committed(item_id: str = "u1", after: str | None = None) -> wire.InputAudioBufferCommitted:
    return wire.InputAudioBufferCommitted(item_id=item_id, previous_item_id=after)


def user_words(
    text: str, item_id: str = "u1"
) -> wire.ConversationItemInputAudioTranscriptionCompleted:
    return wire.ConversationItemInputAudioTranscriptionCompleted(item_id=item_id, transcript=text)


# --- agents --------------------------------------------------------------------------------


def tool_named(name: str = "weather", timeout: float | None = None) -> Tool:
    """A tool that nobody runs: in here there are only wishes to run one."""
    return Tool(name=name, invoke=_never_called, timeout=timeout)


def _never_called(arguments: object) -> str:
    raise AssertionError("the core runs no user code")


def agent_with(*tools: str, name: str = "Receptionist", **options: Any) -> Agent:
    return Agent(
        name=name,
        instructions=f"You are {name}.",
        tools=[tool_named(each) for each in tools],
        **options,
    )
