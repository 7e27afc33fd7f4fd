"""A call of a thousand turns holds no more than one of two hundred, whatever happens in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from realtime_actors import messages
from realtime_actors.config import SessionModelSettings
from realtime_actors.server import server_messages
from tests.core.joined import CALLS, NO_NAMES, SILENCE, World
from tests.core.sizes import sizes

SOME, MANY = 200, 1_000

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def turns_of(world: World) -> Iterator[None]:
    """One turn after the other: speech, tools, a barge-in, words beside, edits by the program."""
    while True:
        user_speaks(world)
        answer = model_speaks(world)
        world.serve(
            server_messages.GenerationToolCall(
                response_id=answer, index=0, name=CALLS[0], arguments="{}"
            )
        )
        world.serve(
            server_messages.GenerationToolCall(
                response_id=answer, index=1, name="pay", arguments="{}"
            )
        )
        world.end_of_answer(answer)
        world.beside(1)
        everything_is_read(world)
        while world.tasks:
            world.task(0)
        while world.watch.unapproved:
            world.decide(1)
        while world.tasks:
            world.task(0)
        everything_is_read(world)
        for response_id in tuple(world.generations):
            world.serve(server_messages.GenerationText(response_id, "Good "))
            world.serve(server_messages.GenerationAudio(response_id, SILENCE))
        everything_is_read(world)
        user_speaks(world)  # over what is being said
        world.interrupt()
        world.settle()
        items = [item for item in world.client.history if item.id is not None]
        for _ in range(5):
            world.ask(messages.AddItem("Noted."))
            world.ask(messages.History())
        everything_is_read(world)
        for item in items[:2]:
            world.ask(messages.DeleteItem(str(item.id)))
        world.ask(messages.SendMessage("Go on."))
        world.settle()
        world.ask(messages.UpdateHistory(world.client.history[-4:]))
        world.settle()
        yield


def user_speaks(world: World) -> None:
    world.turn(1)
    world.turn(1)
    everything_is_read(world)
    while world.recognitions:
        world.words(0)
    everything_is_read(world)


def model_speaks(world: World) -> str:
    response_id = next(iter(world.generations))
    for _ in range(3):
        world.serve(server_messages.GenerationText(response_id, "Good "))
        world.serve(server_messages.GenerationAudio(response_id, SILENCE))
    everything_is_read(world)
    return response_id


def everything_is_read(world: World) -> None:
    while world.to_server or world.to_client:
        world.server_reads(3)
        world.client_reads(7)
        for answer in list(world.generations)[:-1]:
            world.end_of_answer(answer)


def test_all_that_it_holds_is_the_same_after_two_hundred_turns_and_after_a_thousand() -> None:
    world = World(
        settings=SessionModelSettings(input_audio_transcription={"model": "gpt-transcribe"}),
        options={"input_guardrails": (NO_NAMES,)},
    )
    turns = turns_of(world)
    for _ in range(SOME):
        next(turns)
    after_some = sizes(world.client)
    for _ in range(MANY - SOME):
        next(turns)

    assert sizes(world.client) - after_some == {}
