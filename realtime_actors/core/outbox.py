"""The outbox: where every part puts what it wants done, in the order in which it is to be done.

    part --publish, send, set_timer, ...--> outbox --drain--> what `SessionMachine.handle` returns

One outbox belongs to one machine. It gives each event the session's `info`, and it makes the ids
of what is sent. What looks at the effects of a message afterwards (which events went to the server,
which hooks they call) asks the outbox, so that no part has to hand its effects on.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import ParamSpec, TypeAlias

from attrs import define, field

from realtime_actors import events
from realtime_actors.agent import Agent
from realtime_actors.core.effects import (
    Answer,
    CallHook,
    CancelTimer,
    Effect,
    Effects,
    Publish,
    Refuse,
    Send,
    SetTimer,
    SwitchConnection,
)
from realtime_actors.errors import RealtimeError
from realtime_actors.events import Audio, AudioEvent
from realtime_actors.protocol import ClientEvent, ResponseOutputAudioDelta, ServerEvent

__all__ = ["Mark", "Outbox", "ToServer"]

P = ParamSpec("P")

ToServer: TypeAlias = Send | SwitchConnection
"""What reaches the server, or another server than before."""

Mark: TypeAlias = int
"""A place in the outbox, made by `mark`."""


@define
class Outbox:
    """Collects the effects of one message."""

    info: events.EventInfo = events.NO_INFO
    """What is the same for every event."""
    keeps_back: bool = field(default=False, init=False)
    """There is no connection: what is sent goes nowhere, and is only kept to be looked at."""
    _kept_back: list[ClientEvent] = field(factory=list, init=False)
    _effects: Effects = field(factory=list, init=False)
    _ids: int = field(default=0, init=False)

    # -- ids -----------------------------------------------------------------------------

    def new_id(self) -> str:
        """Return an id that was never used before."""
        self._ids += 1
        return f"ra_{self._ids}"

    def new_item_id(self) -> str:
        """Return an id for an item, one that was never used before."""
        return f"item_{self.new_id()}"

    # -- to the subscribers --------------------------------------------------------------

    def publish(
        self, kind: Callable[P, events.Event], /, *args: P.args, **members: P.kwargs
    ) -> None:
        """Make an event of this class and these members, and hand it to the subscribers."""
        make: Callable[..., events.Event] = kind
        self._effects.append(Publish(make(*args, **members, info=self.info)))

    def publish_speech(self, delta: ResponseOutputAudioDelta) -> None:
        """Hand a piece of speech to the subscribers."""
        audio = Audio(
            data=delta.delta,
            response_id=delta.response_id,
            item_id=delta.item_id,
            content_index=delta.content_index,
        )
        self._effects.append(Publish(AudioEvent(audio=audio, info=self.info)))

    def publish_raw(self, event: ServerEvent) -> None:
        """Hand an event of the server's to the subscribers as it came."""
        self.publish(events.RawModelEvent, event=event)

    def publish_error(
        self,
        kind: str,
        message: str,
        *,
        code: str | None = None,
        response_id: str | None = None,
        source: str = "session",
    ) -> None:
        """Tell the subscribers of an error that the session survives."""
        self.publish(
            events.ErrorEvent,
            error=events.ErrorInfo(type=kind, message=message, code=code),
            response_id=response_id,
            source=source,
        )

    # -- to the server -------------------------------------------------------------------

    def send(self, event: ClientEvent) -> None:
        """Write an event to the server, if there is one."""
        if self.keeps_back:
            self._kept_back.append(event)
        else:
            self._effects.append(Send(event))

    def take_kept_back(self) -> Sequence[ClientEvent]:
        """Return what would have been sent, had there been a connection."""
        kept_back, self._kept_back = self._kept_back, []
        return kept_back

    # -- to callers, timers, hooks -------------------------------------------------------

    def answer(self, caller: object, value: object = None) -> None:
        """Give `caller` what it asked for."""
        self._effects.append(Answer(caller, value))

    def refuse(self, caller: object, error: RealtimeError) -> None:
        """Raise an error at `caller`."""
        self._effects.append(Refuse(caller, error))

    def set_timer(self, key: Hashable, delay: float) -> None:
        """Set a timer, in place of one of the same key."""
        self._effects.append(SetTimer(key, delay))

    def cancel_timer(self, key: Hashable) -> None:
        """Forget a timer."""
        self._effects.append(CancelTimer(key))

    def call_hook(self, agent: Agent, method: str, *arguments: object) -> None:
        """Call a method of the agent's hooks, if it has any."""
        if agent.hooks is not None:
            self._effects.append(CallHook(agent, method, arguments))

    def do(self, effect: Effect) -> None:
        """Have something else done."""
        self._effects.append(effect)

    def do_first(self, effect: Effect) -> None:
        """Have something done before everything that was collected."""
        self._effects.insert(0, effect)

    # -- what was collected --------------------------------------------------------------

    @property
    def published(self) -> Sequence[events.Event]:
        """The events for the subscribers, in order."""
        return [each.event for each in self._effects if isinstance(each, Publish)]

    @property
    def to_server(self) -> Sequence[ToServer]:
        """What reaches a server, in order."""
        return [each for each in self._effects if isinstance(each, ToServer)]

    def mark(self) -> Mark:
        """Return the place behind all that was collected so far."""
        return len(self._effects)

    def sent_since(self, mark: Mark) -> list[ClientEvent]:
        """Return the events that go to the server, of what was collected behind a mark."""
        return [each.event for each in self._effects[mark:] if isinstance(each, Send)]

    def take_back(self, mark: Mark) -> None:
        """Drop what was collected behind a mark."""
        del self._effects[mark:]

    def drain(self) -> Effects:
        """Return what was collected, and begin anew."""
        effects, self._effects = self._effects, []
        return effects
