"""Changing the conversation by hand: what is sent for it, and what the history makes of it."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.core.session import SessionMachine
from realtime_actors.errors import ConfigError
from realtime_actors.events import HistoryAddedEvent, HistoryUpdatedEvent
from realtime_actors.items import (
    FunctionCallItem,
    InputAudio,
    InputText,
    MessageItem,
    OutputAudio,
    OutputText,
    user_message,
)
from tests.core.machine import (
    added,
    after,
    agent_with,
    answers,
    ask,
    call_item,
    called,
    created,
    item_done,
    live,
    only,
    play,
    published,
    sent,
    texts,
    words,
    written,
)


def talk(*item_ids: str, **options: Any) -> SessionMachine:
    """A conversation of these items."""
    return after(live(**options), *[added(written(each, each)) for each in item_ids])


def edited(machine: SessionMachine, verb: messages.Verb) -> list[tuple[str, str | None]]:
    """What is sent for an edit: what is deleted, and what is put behind what."""
    told: list[tuple[str, str | None]] = []
    for event in sent(machine.handle(ask(verb), now=0.0)):
        match event:
            case wire.ConversationItemDelete(item_id=item_id):
                told.append((f"-{item_id}", None))
            case wire.ConversationItemCreate(item=item, previous_item_id=previous_id):
                told.append((f"+{words(item)}", previous_id))
    return told


@pytest.mark.parametrize("after_id", [None, "root", "u1"])
def test_an_item_is_added_where_it_was_wanted(after_id) -> None:
    machine = talk("u1", "u2")

    effects = machine.handle(ask(messages.AddItem(user_message("Psst."), after=after_id)), now=0.0)

    (create,) = only(wire.ConversationItemCreate, effects)
    assert create.previous_item_id == after_id
    assert answers(effects) == [create.item.id]


def test_an_item_put_before_all_others_comes_first_when_the_server_has_it() -> None:
    machine = talk("u1", "u2")
    (name,) = answers(
        machine.handle(ask(messages.AddItem(user_message("Psst."), after="root")), now=0.0)
    )

    after(machine, added(written(str(name), "Psst.")))  # the server names no predecessor

    assert [each for _, each in texts(machine)] == ["Psst.", "u1", "u2"]


def test_items_are_deleted_and_read_again() -> None:
    machine = talk("u1", "u2")

    effects = play(machine, ask(messages.DeleteItem("u1")), ask(messages.RetrieveItem("u2")))

    assert sent(effects) == [
        wire.ConversationItemDelete(item_id="u1"),
        wire.ConversationItemRetrieve(item_id="u2"),
    ]


@pytest.mark.parametrize(
    "verb",
    [
        messages.DeleteItem("nobody"),
        messages.TruncateItem("nobody", audio_end_ms=10),
        messages.AddItem(user_message("Hi"), after="nobody"),
        messages.AddItem(written("u1")),
        messages.UpdateHistory((written("u2", "u2"), written("u1", "u1"))),
    ],
    ids=lambda verb: type(verb).__name__,
)
def test_what_cannot_be_is_refused_and_nothing_is_sent(verb) -> None:
    effects = talk("u1", "u2").handle(ask(verb), now=0.0)

    assert answers(effects) == [ConfigError]
    assert sent(effects) == []


def test_a_new_history_is_sent_as_the_difference() -> None:
    machine = talk("u1", "u2", "u3")
    keep = machine.history[1]
    first, second, third = (user_message(text) for text in ("One", "Two", "Three"))

    told = edited(machine, messages.UpdateHistory((first, second, keep, third)))

    assert [what for what, _ in told] == ["-u1", "-u3", "+One", "+Two", "+Three"]
    places = [previous_id for what, previous_id in told if what.startswith("+")]
    assert (places[0], places[2]) == ("root", "u2")
    assert places[1] not in (None, "root", "u2")  # behind "One", by the id that we gave it
    assert [item_id for item_id, _ in texts(machine)] == ["u2"]


def test_what_is_put_before_all_others_by_a_new_history_comes_first() -> None:
    machine = talk("u1")
    wanted = messages.UpdateHistory((user_message("One"), *machine.history))
    (create,) = only(wire.ConversationItemCreate, machine.handle(ask(wanted), now=0.0))

    after(machine, added(written(str(create.item.id), "One")))

    assert [each for _, each in texts(machine)] == ["One", "u1"]


def test_a_call_that_is_not_answered_stays_whatever_the_new_history_is() -> None:
    machine = talk("u1", agent=agent_with("weather"))
    after(machine, created("r1"), added(call_item("c1"), "u1"), called("c1"))
    assert any(isinstance(item, FunctionCallItem) for item in machine.history)

    told = edited(machine, messages.UpdateHistory(()))

    assert told == [("-u1", None)]


def test_an_item_that_was_deleted_does_not_come_back() -> None:
    machine = talk("u1", "u2")
    gone = machine.handle(wire.ConversationItemDeleted(item_id="u1"), now=0.0)

    late = machine.handle(item_done(written("u1", "u1")), now=0.0)

    (told,) = only(HistoryUpdatedEvent, gone)
    assert (told.item_id, told.change) == ("u1", "deleted")
    assert [item.id for item in told.history] == ["u2"]
    assert published(late) == []
    assert texts(machine) == [("u2", "u2")]


def test_every_change_says_what_it_was() -> None:
    machine = live()

    effects = play(machine, added(written("u1", "Hi")), item_done(written("u1", "Hi!")))

    assert [type(event) for event in published(effects)] == [
        HistoryAddedEvent,
        HistoryUpdatedEvent,
    ]
    (change,) = only(HistoryUpdatedEvent, effects)
    assert (change.item_id, change.change) == ("u1", "updated")


@pytest.mark.parametrize("given", [{}, {"id": "mine"}])
def test_a_raw_item_that_goes_before_all_others_is_before_all_others(given) -> None:
    machine = talk("u1")
    item = {"type": "message", "role": "system", "content": [], **given}
    raw = {"type": "conversation.item.create", "previous_item_id": "root", "item": item}

    (create,) = only(wire.RawClientEvent, machine.handle(ask(messages.SendRawEvent(raw)), now=0.0))
    item_id = create.payload["item"]["id"]
    after(machine, added(written(item_id, "Psst.")))

    assert create.payload == {**raw, "item": {**item, "id": item_id}}
    assert [each.id for each in machine.history] == [item_id, "u1"]


class TestSpeechOfWhichNobodyHasTheSound:
    SPOKEN = MessageItem(id="a0", role="assistant", content=(OutputAudio(transcript="Hello!"),))
    SILENT = MessageItem(id="a1", role="assistant", content=(OutputAudio(),))

    def test_is_added_in_its_words(self) -> None:
        """As in `fresh.update_history(old.history())`."""
        verb = messages.UpdateHistory((self.SPOKEN, self.SILENT, user_message("Bye.")))

        creates = only(wire.ConversationItemCreate, live().handle(ask(verb), now=0.0))

        assert [create.item.content for create in creates] == [
            (OutputText("Hello!"),),
            (InputText("Bye."),),
        ]

    def test_cannot_be_added_without_words(self) -> None:
        effects = live().handle(ask(messages.AddItem(self.SILENT)), now=0.0)

        assert answers(effects) == [ConfigError]
        assert sent(effects) == []

    def test_is_sent_as_it_is_with_the_sound(self) -> None:
        heard = MessageItem(role="user", content=(InputAudio(audio=b"\0\0", transcript="Hm."),))

        effects = live().handle(ask(messages.AddItem(heard)), now=0.0)

        assert only(wire.ConversationItemCreate, effects)[0].item.content == heard.content
