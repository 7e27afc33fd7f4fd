"""Changing the conversation by hand: what is sent for it, and what the history makes of it."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.core.machine import SessionMachine
from realtime_actors.errors import ConfigError
from realtime_actors.events import HistoryAddedEvent, HistoryUpdatedEvent
from realtime_actors.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudio,
    InputText,
    Item,
    McpApprovalRequestItem,
    MessageItem,
    OutputAudio,
    OutputText,
    item_to_wire,
    user_message,
)
from realtime_actors.snapshot import Snapshot
from tests.core.machine import (
    AnyMessage,
    added,
    after,
    agent_with,
    answers,
    arguments_done,
    ask,
    call_item,
    called,
    created,
    done,
    empty,
    finished,
    heard,
    interrupt,
    item_done,
    live,
    only,
    output_added,
    output_done,
    output_item,
    play,
    published,
    refusal,
    refused,
    sent,
    speech,
    spoken,
    texts,
    transcript,
    user_words,
    words,
    written,
)


def talk(*item_ids: str, **options: Any) -> SessionMachine:
    """A conversation of these items."""
    return after(live(**options), *[added(written(each, each)) for each in item_ids])


def read(machine: SessionMachine) -> tuple[Item, ...]:
    """The history, as the program reads it."""
    (items,) = answers(machine.handle(ask(messages.History()), now=0.0))
    assert isinstance(items, Snapshot)
    return tuple(items)


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


def test_what_the_server_puts_behind_a_deleted_item_that_it_tells_late_stands_there() -> None:
    machine = talk("u1", "u2")
    # The program has added "x", and deleted it, before the server tells of either.
    machine.handle(wire.ConversationItemDeleted(item_id="x"), now=0.0)

    late = play(machine, added(written("x", "x"), "u1"), added(written("y", "y"), "x"))

    assert [item.id for item in machine.history] == ["u1", "y", "u2"]
    assert [event.item.id for event in only(HistoryAddedEvent, late)] == ["y"]


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


class TestAnItemThatTheServerHasNotToldYet:
    """Its id is known at once, and order is kept on the wire."""

    def added(self) -> tuple[SessionMachine, str]:
        machine = talk("u1")
        effects = machine.handle(ask(messages.AddItem(user_message("New."))), now=0.0)
        return machine, str(answers(effects)[0])

    def test_can_be_followed_deleted_cut_and_read_again(self) -> None:
        machine, name = self.added()
        verbs: list[messages.Verb] = [
            messages.AddItem(user_message("Next."), after=name),
            messages.TruncateItem(name, audio_end_ms=0),
            messages.RetrieveItem(name),
            messages.DeleteItem(name),
        ]

        create, *others = sent(play(machine, *map(ask, verbs)))

        assert isinstance(create, wire.ConversationItemCreate)
        assert create.previous_item_id == name
        assert others == [
            wire.ConversationItemTruncate(item_id=name, audio_end_ms=0),
            wire.ConversationItemRetrieve(item_id=name),
            wire.ConversationItemDelete(item_id=name),
        ]

    def test_is_there_once_the_server_has_told_it(self) -> None:
        machine, name = self.added()
        after(machine, added(written(name, "New."), "u1"))

        again = machine.handle(ask(messages.AddItem(written(name))), now=0.0)

        assert answers(again) == [ConfigError]
        assert texts(machine) == [("u1", "u1"), (name, "New.")]

    def test_cannot_be_added_twice(self) -> None:
        machine, name = self.added()

        assert answers(machine.handle(ask(messages.AddItem(written(name))), now=0.0)) == [
            ConfigError
        ]

    def test_is_none_once_the_server_has_refused_it(self) -> None:
        machine = talk("u1")
        effects = machine.handle(ask(messages.AddItem(user_message("New."))), now=0.0)
        (create,) = only(wire.ConversationItemCreate, effects)
        after(machine, refused("invalid_value", event_id=create.event_id))

        assert answers(play(machine, ask(messages.DeleteItem(str(create.item.id))))) == [
            ConfigError
        ]

    def test_may_be_one_that_was_sent_as_it_is(self) -> None:
        machine = talk("u1")
        item = {"id": "mine", "type": "message", "role": "user", "content": []}
        raw = {"type": "conversation.item.create", "item": item}

        effects = play(
            machine, ask(messages.SendRawEvent(raw)), ask(messages.AddItem("Hm.", after="mine"))
        )

        assert sent(effects)[0] == wire.RawClientEvent(payload=raw)
        assert only(wire.ConversationItemCreate, effects)[0].previous_item_id == "mine"


class TestACallThatIsNotAnswered:
    def machine(self, item: Item | None = None) -> SessionMachine:
        machine = talk("u1", agent=agent_with("weather"))
        after(machine, created("r1"), output_added(item or call_item("c1", status="in_progress")))
        return machine

    def test_keeps_its_item(self) -> None:
        machine = after(self.machine(), called("c1"))

        effects = machine.handle(ask(messages.DeleteItem("item_c1")), now=0.0)

        assert "a call that is not answered yet" in str(refusal(effects))
        assert sent(effects) == []

    def test_keeps_it_while_it_is_being_made(self) -> None:
        machine = self.machine()

        assert answers(play(machine, ask(messages.DeleteItem("item_c1")))) == [ConfigError]
        assert edited(machine, messages.UpdateHistory(())) == [("-u1", None)]

    def test_keeps_it_while_it_has_not_begun(self) -> None:
        machine = after(self.machine(), item_done(call_item("c1")))  # before its arguments

        assert answers(play(machine, ask(messages.DeleteItem("item_c1")))) == [ConfigError]
        assert edited(machine, messages.UpdateHistory(())) == [("-u1", None)]

    def test_that_will_not_begin_any_more_may_go(self) -> None:
        machine = after(self.machine(), item_done(call_item("c1")), done("r1", "cancelled"))

        assert edited(machine, messages.UpdateHistory(())) == [("-u1", None), ("-item_c1", None)]

    def test_can_be_deleted_with_its_answer(self) -> None:
        machine = after(self.machine(), called("c1"), finished("c1"))

        effects = machine.handle(ask(messages.DeleteItem("item_c1")), now=0.0)

        assert sent(effects) == [wire.ConversationItemDelete(item_id="item_c1")]

    def test_cannot_be_rewritten(self) -> None:
        machine = after(self.machine(), called("c1"))
        other = call_item("c1", arguments='{"city": "Rome"}')

        effects = machine.handle(ask(messages.UpdateHistory((other,))), now=0.0)

        assert "cannot be changed" in str(refusal(effects))

    def test_of_a_hosted_tool_keeps_the_request_for_approval(self) -> None:
        request = McpApprovalRequestItem(id="m1", server_label="bank", name="pay", arguments="{}")
        machine = after(talk("u1"), created("r1"), output_done(request))

        assert answers(play(machine, ask(messages.DeleteItem("m1")))) == [ConfigError]
        assert edited(machine, messages.UpdateHistory(())) == [("-u1", None)]


OUTPUT = output_item("o9", "c1", "sunny")
CALLED = created("r1"), called("c1"), done("r1"), finished("c1")
ANSWERED = *CALLED, added(output_item("o1", "c1", "sunny"), "item_c1")


def with_tool(*trace: AnyMessage) -> SessionMachine:
    """A conversation with an agent whose model may call a tool."""
    return after(live(agent_with("weather")), *trace)


class TestTheOutputOfACallThatIsNotThere:
    @pytest.mark.parametrize(
        "verb",
        [
            messages.AddItem(OUTPUT),
            messages.SendMessage(OUTPUT),
            messages.UpdateHistory((OUTPUT,)),
            messages.UpdateHistory((OUTPUT, call_item("c1"))),
        ],
        ids=["added", "sent", "in a history", "before its call"],
    )
    def test_is_refused_and_nothing_is_sent(self, verb) -> None:
        effects = with_tool().handle(ask(verb), now=0.0)

        assert "the call 'c1' can't be added" in str(refusal(effects))
        assert sent(effects) == []

    @pytest.mark.parametrize("is_told", [True, False])
    def test_is_refused_when_the_call_was_deleted(self, is_told) -> None:
        machine = with_tool(*ANSWERED, ask(messages.DeleteItem("item_c1")))
        after(machine, *[wire.ConversationItemDeleted(item_id="item_c1")] * is_told)

        assert answers(play(machine, ask(messages.AddItem(OUTPUT)))) == [ConfigError]

    def test_is_refused_when_the_same_edit_takes_the_call_away(self) -> None:
        machine = with_tool(*ANSWERED)
        _, output = read(machine)
        assert isinstance(output, FunctionCallOutputItem)

        effects = machine.handle(
            ask(messages.UpdateHistory((evolve(output, output="rain"),))), now=0.0
        )

        assert "or no more" in str(refusal(effects))
        assert sent(effects) == []
        assert [item.id for item in machine.history] == ["item_c1", "o1"]

    def test_may_stay_when_its_call_goes(self) -> None:
        machine = with_tool(*ANSWERED)
        _, output = read(machine)

        assert edited(machine, messages.UpdateHistory((output,))) == [("-item_c1", None)]


class TestTheOutputOfACallThatIsThere:
    def test_can_be_replaced(self) -> None:
        machine = with_tool(*ANSWERED)
        call, output = read(machine)
        assert isinstance(output, FunctionCallOutputItem)

        shorter = messages.UpdateHistory((call, evolve(output, output="rain")))

        assert edited(machine, shorter) == [("-o1", None), ("+-> rain", "item_c1")]

    def test_may_follow_a_call_that_was_just_added(self) -> None:
        machine = with_tool(ask(messages.AddItem(call_item("c1"))))

        assert edited(machine, messages.AddItem(OUTPUT)) == [("+-> sunny", None)]

    def test_may_come_with_its_call_from_another_conversation(self) -> None:
        history = read(with_tool(*ANSWERED))

        assert [what for what, _ in edited(live(), messages.UpdateHistory(history))] == [
            "+weather()",
            "+-> sunny",
        ]

    def test_may_be_of_a_call_of_which_the_server_makes_no_item(self) -> None:
        by_arguments = arguments_done("c1", name="weather")
        machine = with_tool(created("r1"), by_arguments, done("r1"), finished("c1"))

        assert edited(machine, messages.AddItem(OUTPUT)) == [("+-> sunny", None)]
        after(machine, wire.ConversationItemDeleted(item_id=str(by_arguments.item_id)))
        assert answers(play(machine, ask(messages.AddItem(OUTPUT)))) == [ConfigError]


class TestWhatTheProgramEditsIsWhatItSaw:
    """Between reading the history and handing it in again the conversation goes on."""

    def reading(self, *item_ids: str) -> tuple[SessionMachine, tuple[Item, ...]]:
        machine = after(talk(*item_ids), created("r1"), output_added(empty("a")))
        after(machine, transcript("Hello ", "a"))
        return machine, read(machine)

    def test_what_is_being_spoken_stays_and_gets_its_words(self) -> None:
        machine, items = self.reading("u1", "u2")
        after(machine, transcript("there", "a"))

        assert edited(machine, messages.UpdateHistory(items[1:])) == [("-u1", None)]
        after(machine, transcript("!", "a"))
        assert texts(machine) == [("u2", "u2"), ("a", "Hello there!")]

    def test_words_that_came_meanwhile_are_not_lost(self) -> None:
        machine = talk("u1", "u2")
        after(machine, added(heard("u3"), "u2"))
        items = read(machine)
        after(machine, user_words("my words", "u3"))

        assert edited(machine, messages.UpdateHistory(items[1:])) == [("-u1", None)]
        assert texts(machine)[-1] == ("u3", "my words")

    def test_more_of_an_item_is_no_change(self) -> None:
        machine = talk("u1", "u2")
        items = read(machine)
        more = evolve(written("u2", "u2"), status="completed", phase="final", extra={"x": 1})
        after(machine, item_done(more, "u1"))

        assert edited(machine, messages.UpdateHistory(items[1:])) == [("-u1", None)]

    def test_what_came_meanwhile_stays(self) -> None:
        machine = talk("u1", "u2")
        items = read(machine)
        after(machine, added(written("u3", "u3"), "u2"))

        summary = user_message("In short.")
        assert edited(machine, messages.UpdateHistory((summary, *items[1:]))) == [
            ("-u1", None),
            ("+In short.", "root"),
        ]
        # Even if nothing is left of what was read.
        machine = talk("u1", "u2")
        read(machine)
        after(machine, added(written("u3", "u3"), "u2"))
        assert edited(machine, messages.UpdateHistory((summary,))) == [
            ("-u1", None),
            ("-u2", None),
            ("+In short.", "root"),
        ]

    def test_what_has_moved_meanwhile_is_no_change(self) -> None:
        machine = after(live(), added(written("u3", "u3"), "u2"), added(written("u1", "u1")))
        items = read(machine)
        after(machine, added(written("u2", "u2"), "u1"))  # and u3 follows it

        summary = user_message("In short.")
        wanted = (items[0], summary, items[1])
        assert edited(machine, messages.UpdateHistory(wanted)) == [("+In short.", "u3")]
        assert edited(machine, messages.UpdateHistory(wanted)) == []
        assert [item.id for item in machine.history] == ["u1", "u2", "u3"]

    def test_somebody_else_who_reads_meanwhile_changes_nothing(self) -> None:
        machine, items = self.reading("u1", "u2")
        after(machine, transcript("there", "a"), added(written("u3", "u3"), "a"))
        read(machine)

        # "Hello" was read before "Hello there": u3 was not seen then.
        assert edited(machine, messages.UpdateHistory(items[1:])) == [("-u1", None)]

    def test_a_history_that_came_in_an_event_is_one_that_was_seen(self) -> None:
        machine = talk("u1", "u2")
        (update,) = only(HistoryUpdatedEvent, play(machine, item_done(written("u2", "two"), "u1")))
        after(machine, item_done(written("u2", "too"), "u1"), added(written("u3", "u3"), "u2"))

        assert edited(machine, messages.UpdateHistory(update.history[1:])) == [("-u1", None)]

    def test_what_was_never_said_does_not_come_back(self) -> None:
        machine = after(talk("u1"), created("r1"), output_added(spoken("a", "Hello")), speech("a"))
        items = read(machine)
        after(machine, interrupt())  # nothing of it was heard, so it is deleted

        assert edited(machine, messages.UpdateHistory(items)) == []
        assert [item.id for item in machine.history] == ["u1"]

    def test_what_the_program_has_deleted_may_come_back(self) -> None:
        machine = talk("u1", "u2")
        items = read(machine)
        after(machine, ask(messages.UpdateHistory(items[1:])))

        assert edited(machine, messages.UpdateHistory(items)) == [("+u1", "root")]

    def test_the_items_may_be_handed_in_as_the_wire_has_them(self) -> None:
        machine, items = self.reading("u1", "u2")
        wanted = [item_to_wire(item) for item in items[1:]]
        after(machine, transcript("there", "a"))

        assert edited(machine, messages.UpdateHistory(wanted)) == [("-u1", None)]

    def test_what_was_edited_is_replaced_though_it_has_grown(self) -> None:
        machine, items = self.reading("u1")
        after(machine, transcript("there", "a"))
        assert isinstance(items[1], MessageItem)
        other = evolve(items[1], content=(OutputText("Bye"),))

        assert edited(machine, messages.UpdateHistory((items[0], other))) == [
            ("-a", None),
            ("+Bye", "u1"),
        ]

    @pytest.mark.parametrize("answered", [False, True])
    def test_the_same_list_twice_adds_nothing_twice(self, answered) -> None:
        machine = talk("u1", "u2")
        u1, u2 = read(machine)
        wanted = (user_message("a"), u1, user_message("b"), user_message("b"), u2)
        creates = only(
            wire.ConversationItemCreate, play(machine, ask(messages.UpdateHistory(wanted)))
        )
        if answered:
            for create in creates:
                before = create.previous_item_id
                after(machine, added(create.item, None if before == "root" else before))
            assert [words for _, words in texts(machine)] == ["a", "u1", "b", "b", "u2"]

        assert [create.previous_item_id for create in creates] == ["root", "u1", creates[1].item.id]
        assert edited(machine, messages.UpdateHistory(wanted)) == []

    @pytest.mark.parametrize("answered", [False, True])
    def test_another_list_replaces_what_the_one_before_has_added(self, answered) -> None:
        machine = talk("u1")
        (u1,) = read(machine)
        first = messages.UpdateHistory((u1, user_message("draft")))
        (create,) = only(wire.ConversationItemCreate, play(machine, ask(first)))
        if answered:
            after(machine, added(create.item, "u1"))

        second = messages.UpdateHistory((u1, user_message("final")))
        assert edited(machine, second) == [(f"-{create.item.id}", None), ("+final", "u1")]

    def test_what_was_added_by_itself_stays(self) -> None:
        machine = talk("u1")
        items = read(machine)
        after(machine, ask(messages.AddItem("New.")))

        assert edited(machine, messages.UpdateHistory(items)) == []

    @pytest.mark.parametrize(
        "lone",
        ["hello", b"hello", user_message("hello"), {"role": "user", "content": "x"}, 5, None],
    )
    def test_a_lone_item_is_no_conversation(self, lone) -> None:
        effects = talk("u1").handle(ask(messages.UpdateHistory(lone)), now=0.0)

        assert "a conversation is a list of items" in str(refusal(effects))
        assert sent(effects) == []

    def test_an_item_is_in_it_once(self) -> None:
        machine = talk("u1")

        effects = machine.handle(ask(messages.UpdateHistory(2 * read(machine))), now=0.0)

        assert "is in the list twice" in str(refusal(effects))


THINGS = [
    added(written("u1", "u1")),
    added(written("u2", "u2"), "u1"),
    added(heard("u3"), "u2"),
    user_words("Hello?", "u3"),
    output_added(empty("a1")),
    output_added(empty("a2")),
    *[transcript(each, item_id) for each in ("Good ", "day") for item_id in ("a1", "a2")],
    item_done(spoken("a1", "Good day!")),
    wire.ConversationItemDeleted(item_id="u2"),
    wire.ConversationItemTruncated(item_id="a2", audio_end_ms=5),
]
"""What may happen to a conversation."""


@given(
    before=st.lists(st.sampled_from(THINGS), max_size=8),
    after_it=st.lists(st.sampled_from(THINGS), max_size=8),
    left_out=st.sets(st.sampled_from(["u1", "u2", "u3", "a1", "a2"])),
    new=st.lists(st.integers(0, 5), max_size=3),
)
def test_what_is_sent_is_what_was_edited_whatever_happens_meanwhile(
    before, after_it, left_out, new
) -> None:
    machine = after(live(), created("r1"), *before)
    items = read(machine)
    after(machine, *after_it)
    there = [item.id for item in machine.history]
    wanted: list[Item] = [item for item in items if item.id not in left_out]
    for number, place in enumerate(new):
        wanted.insert(place, user_message(f"new {number}"))

    told = edited(machine, messages.UpdateHistory(wanted))

    deleted = [what for what, _ in told if what.startswith("-")]
    was_left_out = [item.id for item in items if item.id in left_out]
    assert deleted == [f"-{item_id}" for item_id in there if item_id in was_left_out]
    assert len(told) - len(deleted) == len(new)
    assert [item.id for item in machine.history] == [
        item_id for item_id in there if item_id not in was_left_out
    ]
    assert edited(machine, messages.UpdateHistory(wanted)) == []


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
