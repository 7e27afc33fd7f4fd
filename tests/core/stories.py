"""Stories that are told to servers which leave things out (see `sparse`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from realtime_actors import messages
from tests.core.sparse_world import SparseWorld

__all__ = ["STORIES", "Story", "nothing_to_commit"]

FAST: Final = {"type": "realtime", "audio": {"output": {"speed": 99}}}
"""Faster than any server speaks."""

Story: TypeAlias = Callable[[SparseWorld], None]


def answered(world: SparseWorld) -> None:
    world.say()
    world.speaks("Good ", "morning. ")
    world.ends()


def answered_twice(world: SparseWorld) -> None:
    answered(world)
    answered(world)


def asked_meanwhile(world: SparseWorld) -> None:
    world.say()
    world.speaks("Good ")
    world.say()
    world.ends()
    world.speaks("As I said: ", "good morning. ")
    world.ends()


def a_tool(world: SparseWorld) -> None:
    world.say()
    world.calls_tools("weather")
    world.ends()
    world.tools_finish()
    world.speaks("It is sunny. ")
    world.ends()


def tools_beside_words(world: SparseWorld) -> None:
    world.say()
    world.speaks("Let me see. ")
    world.calls_tools("weather", "time", "dance")
    world.ends()
    world.tools_finish()
    world.speaks("It is sunny. ")
    world.ends()


def an_approval(world: SparseWorld) -> None:
    world.say()
    world.calls_tools("pay")
    world.ends()
    world.tools_finish()
    world.decide(1)
    world.tools_finish()
    world.ends()


def a_handoff(world: SparseWorld) -> None:
    world.say()
    world.calls_tools("transfer_to_billing")
    world.ends()
    world.tools_finish()
    world.speaks("Billing here. ")
    world.ends()


def a_turn(world: SparseWorld) -> None:
    world.user_talks()
    world.user_talks()
    world.user_is_understood()
    world.speaks("Good ", "morning. ")
    world.ends()


def barge_in(world: SparseWorld) -> None:
    world.say()
    world.speaks("Good ", "morning. ", "How are you? ")
    world.now += 0.2
    world.user_talks()
    world.user_talks()
    world.user_is_understood()
    world.speaks("Sorry? ")
    world.ends()


def stopped_by_the_program(world: SparseWorld) -> None:
    world.say()
    world.speaks("Good ", "morning. ", "How are you? ")
    world.now += 0.2
    world.ask(messages.Interrupt())
    world.flow()
    world.say()
    world.speaks("Yes? ")
    world.ends()


def stopped_too_late(world: SparseWorld) -> None:
    world.say()
    world.speaks("Good ")
    for response_id in tuple(world.generations):
        world.end_of_answer(response_id)
    world.ask(messages.SendRawEvent({"type": "response.cancel"}))
    world.flow()
    world.say()
    world.ends()


def a_stop_while_it_calls(world: SparseWorld) -> None:
    world.say()
    world.calls_tools("weather")
    world.ask(messages.Interrupt())
    world.flow()
    world.tools_finish()
    world.say()
    world.ends()


def out_of_band(world: SparseWorld) -> None:
    world.say()
    world.beside(1)
    world.flow()
    world.calls_tools("weather")
    world.ends()
    world.speaks("Good morning. ")
    world.ends()


def wishes_with_names(world: SparseWorld) -> None:
    for number in (1, 3, 4):
        world.wish(number)
    world.flow()
    for _ in range(3):
        world.speaks("Yes. ")
        world.ends()


def two_at_once(world: SparseWorld) -> None:
    """The program asks while the server begins to answer the user by itself."""
    world.user_talks()
    world.turn(20)
    world.ask(messages.SendMessage("Hello!"))
    world.wish(1)
    world.flow()
    world.ends()
    world.ends()
    world.ends()


def a_failure(world: SparseWorld) -> None:
    world.say()
    world.fails()
    world.say()
    world.ends()


def updates(world: SparseWorld) -> None:
    world.update(1)
    world.flow()
    answered(world)
    too_fast = {"speed": 99} if world.beta else FAST
    world.ask(messages.SendRawEvent({"type": "session.update", "session": too_fast}))
    world.update(2)
    world.flow()


def edits(world: SparseWorld) -> None:
    answered(world)
    world.ask(messages.AddItem("By the way."))
    world.flow()
    history = world.client.history
    for item in history[:1]:
        world.ask(messages.DeleteItem(str(item.id)))
    for item in history[1:2]:
        world.ask(messages.TruncateItem(str(item.id), audio_end_ms=0))
        world.ask(messages.RetrieveItem(str(item.id)))
    world.flow()
    world.ask(messages.UpdateHistory(world.client.history[1:]))
    world.flow()


def nothing_to_commit(world: SparseWorld) -> None:
    world.ask(messages.CommitAudio())
    world.flow()
    world.ask(messages.ClearAudio())
    world.flow()
    world.microphone(1)
    world.ask(messages.CommitAudio())
    world.flow()
    world.user_is_understood()
    world.ask(messages.CreateResponse())
    world.flow()
    world.ends()


def a_long_answer(world: SparseWorld) -> None:
    """Longer than anything is waited for, and something else is wanted meanwhile."""
    world.say()
    for _ in range(5):
        world.speaks("Good ", "morning. ")
        world.passes(9.0)
    world.say()
    world.ends()
    world.speaks("As I said. ")
    world.ends()


def stopped_in_the_middle_of_a_pause(world: SparseWorld) -> None:
    world.say()
    world.passes(3.0)
    world.ask(messages.Interrupt())
    world.flow()
    world.say()
    world.ends()


def out_of_band_alone(world: SparseWorld) -> None:
    answered(world)
    world.beside(1)
    world.flow()
    world.calls_tools("weather")
    world.ends()
    answered(world)


STORIES: Final[tuple[Story, ...]] = (
    answered,
    answered_twice,
    asked_meanwhile,
    a_tool,
    tools_beside_words,
    an_approval,
    a_handoff,
    a_turn,
    barge_in,
    stopped_by_the_program,
    stopped_too_late,
    a_stop_while_it_calls,
    out_of_band,
    wishes_with_names,
    two_at_once,
    a_failure,
    updates,
    edits,
    nothing_to_commit,
    a_long_answer,
    stopped_in_the_middle_of_a_pause,
    out_of_band_alone,
)
