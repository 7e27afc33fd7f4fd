"""A conversation as long as it likes: what a change costs, and what is told of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.core.history.conversation import Conversation
from realtime_actors.core.machine import SessionMachine
from realtime_actors.core.recent import LATELY
from realtime_actors.events import HistoryAddedEvent, HistoryUpdatedEvent
from realtime_actors.items import Item
from realtime_actors.snapshot import Snapshot
from tests.core.machine import (
    added,
    after,
    answers,
    ask,
    committed,
    created,
    done,
    empty,
    live,
    only,
    play,
    spoken,
    times,
    transcript,
    transcript_done,
    written,
)
from tests.core.mirror import Mirror
from tests.core.sizes import sizes


def long_talk(length: int = 1_000) -> SessionMachine:
    """A conversation of so many items: `i0`, `i1`, ..."""
    return after(live(), *[added(written(f"i{number}")) for number in range(length)])


def read(machine: SessionMachine) -> Snapshot[Item]:
    """The history, as the program reads it."""
    (items,) = answers(machine.handle(ask(messages.History()), now=0.0))
    assert isinstance(items, Snapshot)
    return items


class TestWhatAChangeCosts:
    def test_items_that_have_not_changed_are_the_same_objects_in_every_history(self) -> None:
        machine = long_talk()
        after(machine, added(empty("a1")), transcript("Hel", "a1"))
        before = read(machine)

        (update,) = only(HistoryUpdatedEvent, play(machine, transcript_done("Hello!", "a1")))

        others = [one is other for one, other in zip(before, update.history, strict=True)]
        assert others == [True] * 1_000 + [False]

    def test_reading_the_history_twice_gives_the_same_object(self) -> None:
        machine = long_talk()

        assert read(machine) is read(machine) is machine.history

    def test_a_deletion_leaves_all_other_items_as_they_are(self) -> None:
        machine = long_talk()
        before = read(machine)

        (update,) = only(
            HistoryUpdatedEvent, play(machine, wire.ConversationItemDeleted(item_id="i500"))
        )

        left = [item for item in before if item.id != "i500"]
        assert all(one is other for one, other in zip(left, update.history, strict=True))

    def test_what_a_subscriber_keeps_stays_as_it_was(self) -> None:
        machine = after(live(), added(empty("a1")), transcript("Good ", "a1"))
        kept = read(machine)
        words = tuple(kept)

        after(machine, transcript_done("Good morning!", "a1"), added(written("u1")))
        after(machine, wire.ConversationItemDeleted(item_id="a1"))

        assert tuple(kept) == words
        assert machine.history == (written("u1"),)


class TestWhatIsToldOfAChange:
    def test_a_new_item_is_told_with_the_one_that_it_stands_behind(self) -> None:
        machine = after(live(), added(written("a")), added(written("c")))

        told = only(HistoryAddedEvent, play(machine, added(written("b"), "a")))

        assert told == [HistoryAddedEvent(item=written("b"), previous_item_id="a")]

    def test_a_place_where_nothing_is_to_be_seen_is_not_what_it_stands_behind(self) -> None:
        machine = after(live(), added(written("a")), added(written("b"), "a"))
        after(machine, wire.ConversationItemDeleted(item_id="b"))

        (told,) = only(HistoryAddedEvent, play(machine, added(written("c"), "b")))

        assert told.previous_item_id == "a"

    def test_an_update_has_the_item_as_it_is_now_and_where_it_stands(self) -> None:
        machine = after(live(), added(written("u1")), added(empty("a1"), "u1"))
        after(machine, transcript("Hel", "a1"))

        (told,) = only(HistoryUpdatedEvent, play(machine, transcript_done("Hello!", "a1")))

        assert (told.change, told.item_id, told.previous_item_id) == ("updated", "a1", "u1")
        assert told.item is told.history[1] is machine.history[1]

    def test_what_is_deleted_is_nowhere(self) -> None:
        machine = after(live(), added(written("a")), added(written("b")))

        (told,) = only(
            HistoryUpdatedEvent, play(machine, wire.ConversationItemDeleted(item_id="b"))
        )

        assert (told.item, told.previous_item_id, told.history) == (None, None, (written("a"),))

    def test_items_that_move_because_another_one_has_come_are_told(self) -> None:
        machine = after(live(), added(written("c"), "b"), added(written("d"), "c"))
        after(machine, added(written("a")))

        new, *moved = [
            (type(each), each.item.id, each.previous_item_id)
            for each in only(
                (HistoryAddedEvent, HistoryUpdatedEvent),
                play(machine, added(written("b"), "a")),
            )
            if each.item is not None
        ]

        assert new == (HistoryAddedEvent, "b", "a")
        assert moved == [(HistoryUpdatedEvent, "c", "b"), (HistoryUpdatedEvent, "d", "c")]


class TestWhoFollowsTheEvents:
    def test_sees_items_that_move_together_in_their_order(self) -> None:
        early = added(written("c"), "a"), added(written("b"), "a"), added(written("first"))

        mirror = mirrored(*early, added(written("a")))

        assert mirror.ids == ["first", "a", "b", "c"]

    def test_sees_an_item_behind_one_that_has_moved_meanwhile(self) -> None:
        ended = done("r1", "completed", spoken("b", "One."), spoken("d", "Two."))

        mirror = mirrored(created("r1"), added(written("c"), "b"), added(written("z")), ended)

        assert mirror.ids == ["z", "b", "c", "d"]


def mirrored(*trace: wire.ServerEvent) -> Mirror:
    """What one sees who follows the events of a conversation; it is compared with that."""
    machine, mirror = live(), Mirror()
    for message in trace:
        mirror.step(machine.handle(message, now=0.0))
    assert mirror.ids == [item.id for item in machine.history]
    return mirror


NAMED = st.sampled_from("abcdefgh")


@times(5)
@given(
    st.lists(
        st.builds(added, st.builds(written, NAMED), st.none() | NAMED)
        | st.builds(committed, NAMED, NAMED)
        | st.builds(transcript, st.just("word "), NAMED)
        | st.builds(transcript_done, st.just("word "), NAMED)
        | st.builds(lambda name: wire.ConversationItemDeleted(item_id=name), NAMED),
        max_size=40,
    )
)
def test_who_follows_the_events_shows_the_conversation(trace: list[wire.ServerEvent]) -> None:
    mirrored(created("r1"), *trace)


class PlainList:
    """The order of a conversation, as one would write it down: every change looks at all of it."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.previous: dict[str, str | None] = {}
        self.shown: set[str] = set()

    def place(self, item_id: str, previous: str | None, *, first: bool = False) -> None:
        if item_id not in self.previous:
            followers = [each for each, before in self.previous.items() if before == item_id]
            self.previous[item_id] = previous
            self.order.insert(0 if first else len(self.order), item_id)
            for each in (item_id, *followers):
                self.follow(each)
        elif previous is not None and self.previous[item_id] is None:
            # Of two that follow the same one, the one that said so last comes first.
            del self.previous[item_id]
            self.previous[item_id] = previous
            self.follow(item_id)

    def follow(self, item_id: str) -> None:
        start = self.order.index(item_id)
        end = start + 1
        while end < len(self.order) and self.previous[self.order[end]] == self.order[end - 1]:
            end += 1
        chain = self.order[start:end]
        before = self.previous[item_id]
        if before not in self.previous or before in chain:
            return
        del self.order[start:end]
        at = self.order.index(before) + 1
        self.order[at:at] = chain


NAMES = st.sampled_from([f"i{number}" for number in range(12)])


@times(5)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(("reserve", "put", "put first", "delete", "grow")),
            NAMES,
            st.none() | NAMES,
        ),
        max_size=60,
    )
)
def test_the_order_is_that_of_a_plain_list(steps: list[tuple[str, str, str | None]]) -> None:
    conversation, plain = Conversation(), PlainList()
    for what, name, previous in steps:
        match what:
            case "reserve":
                conversation.reserve(name, previous)
                plain.place(name, previous)
            case "put" | "put first":
                conversation.put(written(name), previous, first=what == "put first")
                plain.place(name, previous, first=what == "put first")
                plain.shown.add(name)
            case "delete":
                conversation.delete(name)
                plain.shown.discard(name)
            case "grow":
                conversation.grow(name, 0, "text", "word")
                plain.place(name, None)
        assert [item.id for item in conversation.items()] == [
            each for each in plain.order if each in plain.shown
        ]


def test_places_of_items_that_are_not_there_are_forgotten_in_the_end() -> None:
    conversation = Conversation()
    conversation.put(written("kept"))
    for number in range(10_000):
        conversation.put(written(f"i{number}"), "kept")
        conversation.delete(f"i{number}")
        conversation.reserve(f"never {number}", f"unheard of {number}")

    conversation.put(written("last"), "i9999")

    assert [item.id for item in conversation.items()] == ["kept", "last"]
    assert max(sizes(conversation).values()) < 2 * LATELY
