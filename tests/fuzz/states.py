"""States that a conversation can be in: what the soak's stories have brought a core to.

A story is told once. What the core was told in it, played to a new core, brings that to the
same state in a few milliseconds.
"""

from __future__ import annotations

import random
from collections.abc import Hashable
from functools import cache
from typing import Self

from attrs import define, field, frozen

from realtime_actors import messages
from realtime_actors.core import effects as fx
from realtime_actors.core.contract import Phase
from realtime_actors.core.machine import SessionMachine
from realtime_actors.core.messages import (
    ApprovalNeeded,
    GuardrailsFinished,
    HandoffResolved,
    InputScreened,
    TimerFired,
    ToolFinished,
)
from realtime_actors.core.trace import TracedMachine
from realtime_actors.items import user_message
from tests.core.invariants import Watch
from tests.core.joined import DESK, World
from tests.core.machine import AnyMessage, resolve
from tests.soak.driver import MOVES, a_world

__all__ = ["STATES", "Conversation", "State", "outcome", "state", "verb"]

STATES = 64
"""How many there are to choose from."""

Task = fx.RunTool | fx.RunHandoff | fx.RunGuardrails | fx.ScreenInput


@frozen
class State:
    """How a conversation came to be as it is."""

    world: World
    """Of the story: it knows how the core was made."""

    def conversation(self) -> Conversation:
        """Make a core that is in this state, and what it waits for."""
        conversation = Conversation.begin(self.world.new_client())
        for now, message in self.world.trace:
            conversation.now = now
            conversation.tell(message)
        return conversation


@cache
def state(number: int) -> State:
    """Tell a story: the same one for the same number."""
    chance = random.Random(f"state {number}")
    world: World = a_world(chance)
    for _ in range(chance.choice((0, 5, 20, 60))):
        if world.client.phase is Phase.ENDED:
            break
        world.happen(chance.choice(MOVES), chance.randrange(256))
    return State(world)


@define
class Conversation:
    """A core, what a shell would have to do for it, and who sees to the rules."""

    machine: SessionMachine | TracedMachine
    watch: Watch
    now: float = 0.0
    timers: dict[Hashable, float] = field(factory=dict)
    tasks: list[Task] = field(factory=list)

    @classmethod
    def begin(cls, machine: SessionMachine) -> Self:
        """Begin with a core to which nothing has happened."""
        watch = Watch(
            holds=machine.setup.config.guardrails_settings.mode == "hold",
            reported=machine.setup.playback_reported,
            idle_timeout=machine.setup.config.idle_timeout,
        )
        return cls(machine, watch)

    def tell(self, message: AnyMessage) -> fx.Effects:
        """Hand a message to the core; note what it wants done, and return it.

        Raises `AssertionError` when that breaks a rule which holds whatever a server says.
        """
        effects = self.machine.handle(message, self.now)
        self.watch.step(message, effects, self.now)
        for effect in effects:
            match effect:
                case fx.SetTimer(key=key, delay=delay):
                    self.timers[key] = self.now + delay
                case fx.CancelTimer(key=key):
                    self.timers.pop(key, None)
                case fx.RunTool() | fx.RunHandoff() | fx.RunGuardrails() | fx.ScreenInput():
                    self.tasks.append(effect)
                case fx.End():
                    self.timers.clear()
                    self.tasks.clear()
        return effects

    def fire(self) -> fx.Effects:
        """Let time pass until the next timer goes off. Does nothing when there is none."""
        if not self.timers:
            return []
        key = min(self.timers, key=lambda each: self.timers[each])
        self.now = max(self.now, self.timers.pop(key))
        return self.tell(TimerFired(key))


def verb(machine: SessionMachine | TracedMachine, number: int) -> messages.Verb:
    """Choose what a program asks for: anything, about anything that there is."""
    ids = [item.id or "nowhere" for item in machine.history] or ["nowhere"]
    which, kind = divmod(number, 14)
    item_id = ids[which % len(ids)]
    verbs: tuple[messages.Verb, ...] = (
        messages.SendMessage("Hello!"),
        messages.CreateResponse(),
        messages.CreateResponse(conversation="none"),
        messages.Interrupt(),
        messages.CommitAudio(),
        messages.History(),
        messages.Usage(),
        messages.UpdateHistory(()),
        messages.AddItem(user_message("As I said."), after=item_id),
        messages.DeleteItem(item_id),
        messages.TruncateItem(item_id, audio_end_ms=0),
        messages.RetrieveItem(item_id),
        messages.PlaybackPosition(item_id, 0, float(which)),
        messages.Approve(f"call_{which}", always=bool(which % 2)),
    )
    return verbs[kind]


def outcome(task: Task, number: int) -> AnyMessage:
    """Choose how what a task does ends."""
    fails = number % 3 == 2
    match task:
        case fx.RunTool(call_id=call_id, approved=False, tool=tool) if tool.needs_approval:
            return ApprovalNeeded(call_id)
        case fx.RunTool(call_id=call_id):
            error = "Error: no" if fails else None
            return ToolFinished(call_id=call_id, output=error or "fine", error=error)
        case fx.RunHandoff(call_id=call_id):
            return HandoffResolved(
                call_id=call_id,
                resolved=resolve(task.handoff.target() or DESK),
                history=tuple(task.history)[number % 5 :] if fails else None,
            )
        case fx.RunGuardrails():
            return GuardrailsFinished(
                response_id=task.response_id,
                item_id=task.item_id,
                text=task.text,
                guardrail="no_prices" if fails else None,
                attempt=task.attempt,
            )
        case fx.ScreenInput():
            return InputScreened(
                item_id=task.item_id,
                text=task.text,
                guardrail="no_names" if fails else None,
                attempt=task.attempt,
            )
