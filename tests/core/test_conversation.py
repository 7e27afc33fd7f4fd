"""The conversation is in its order, and holds its words as they come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors import protocol as wire
from realtime_actors.core.effects import Publish
from realtime_actors.core.history.conversation import Conversation
from realtime_actors.events import (
    ErrorInfo,
    HistoryAddedEvent,
    HistoryUpdatedEvent,
    InputTranscriptEvent,
    TextDeltaEvent,
    TranscriptDeltaEvent,
)
from realtime_actors.items import InputAudio, InputText, MessageItem, OutputAudio, OutputText
from tests.core.machine import (
    added,
    after,
    call_item,
    committed,
    created,
    done,
    empty,
    heard,
    item_done,
    live,
    only,
    output_added,
    output_done,
    play,
    published,
    speech,
    spoken,
    text,
    texts,
    transcript,
    transcript_done,
    user_words,
    written,
)


def order(machine) -> list[str | None]:
    return [item.id for item in machine.history]


class TestOrder:
    def test_a_new_session_has_no_history(self) -> None:  # S38
        assert live().history == ()

    def test_a_new_item_is_told_and_kept(self) -> None:  # S39
        machine = live()

        effects = machine.handle(added(written("u1")), now=0.0)

        assert effects == [Publish(HistoryAddedEvent(item=written("u1")))]
        assert machine.history == (written("u1"),)

    def test_items_follow_the_one_they_name(self) -> None:
        machine = after(live(), added(written("a")), added(written("b"), "a"))

        after(machine, added(written("between"), "a"))

        assert order(machine) == ["a", "between", "b"]

    def test_an_item_that_comes_before_the_one_it_names_moves_when_that_comes(self) -> None:
        machine = after(live(), added(written("c"), "b"), added(written("a")))
        assert order(machine) == ["c", "a"]

        after(machine, added(written("b"), "a"))

        assert order(machine) == ["a", "b", "c"]

    def test_items_that_follow_it_move_with_it(self) -> None:
        machine = after(live(), added(written("c"), "b"), added(written("d"), "c"))

        after(machine, added(written("a")), added(written("b"), "a"))

        assert order(machine) == ["a", "b", "c", "d"]

    def test_an_item_whose_place_is_told_later_moves_there(self) -> None:
        # The model's items are announced without a place first.
        machine = after(live(), added(written("u1")), output_added(empty("i1")))
        after(machine, added(written("u2"), "i1"), output_added(call_item("c1")))

        after(machine, added(call_item("c1"), "i1"))

        assert order(machine) == ["u1", "i1", "item_c1", "u2"]

    def test_speech_keeps_the_place_at_which_it_was_committed(self) -> None:
        machine = after(live(), committed("u1"), committed("u2", "u1"))
        after(machine, output_added(empty("i1")), added(empty("i1"), "u2"))
        assert order(machine) == ["i1"]

        after(machine, added(heard("u2"), "u1"), added(heard("u1")))

        assert order(machine) == ["u1", "u2", "i1"]

    def test_an_item_without_a_place_goes_to_the_end(self) -> None:
        machine = after(live(), added(written("a")), added(written("b")))

        assert order(machine) == ["a", "b"]

    def test_items_without_an_id_are_kept(self) -> None:
        machine = after(live(), added(written(None, "one")), added(written(None, "two")))

        assert texts(machine) == [(None, "one"), (None, "two")]

    def test_what_follows_a_deleted_item_stays_where_it_is(self) -> None:
        machine = after(live(), added(written("a")), added(written("b"), "a"))
        after(machine, added(written("c"), "b"), wire.ConversationItemDeleted(item_id="b"))

        assert order(machine) == ["a", "c"]

    @pytest.mark.parametrize("loop", [[("a", "a")], [("a", "b"), ("b", "a")]])
    def test_a_server_that_goes_round_in_circles_loses_nothing(self, loop) -> None:
        machine = after(live(), *[added(written(name), behind) for name, behind in loop])

        assert sorted(map(str, order(machine))) == sorted(name for name, _ in loop)

    @given(arrivals=st.permutations("abcdefgh"), reserved=st.sets(st.sampled_from("abcdefgh")))
    def test_the_chain_decides_and_not_the_arrival(self, arrivals, reserved) -> None:
        chain = dict(zip("bcdefgh", "abcdefg", strict=True))
        machine = after(live(), *[committed(name, chain.get(name)) for name in arrivals])
        for name in arrivals:
            place = None if name in reserved else chain.get(name)
            after(machine, added(written(name), place))

        assert order(machine) == list("abcdefgh")

    @given(arrivals=st.permutations("abcdefgh"), late=st.sets(st.sampled_from("abcdefgh")))
    def test_places_may_be_told_later_than_items(self, arrivals, late) -> None:
        chain = dict(zip("bcdefgh", "abcdefg", strict=True))
        machine = live()
        for name in arrivals:
            after(machine, added(written(name), None if name in late else chain.get(name)))
        after(machine, *[item_done(written(name), chain.get(name)) for name in arrivals])

        assert order(machine) == list("abcdefgh")

    @given(data=st.data())
    def test_it_is_the_servers_order_whatever_is_inserted_and_deleted(self, data) -> None:
        server: list[str] = []
        machine = live()
        for number in range(data.draw(st.integers(0, 20))):
            if server and data.draw(st.integers(0, 4)) == 0:
                gone = server.pop(data.draw(st.integers(0, len(server) - 1)))
                after(machine, wire.ConversationItemDeleted(item_id=gone))
                continue
            name = f"i{number}"
            place = data.draw(st.integers(0, len(server))) if server else 0
            place = max(place, 1) if server else 0  # only we put something first: see handoffs
            server.insert(place, name)
            after(machine, added(written(name), server[place - 1] if place else None))

        assert order(machine) == server


class TestWords:
    def test_the_models_words_grow_as_they_come(self) -> None:
        machine = after(live(), created("r1"), output_added(empty("i1")))

        effects = play(machine, transcript("Good "), transcript("morning"))

        assert published(effects) == [
            TranscriptDeltaEvent(response_id="r1", item_id="i1", content_index=0, delta="Good "),
            TranscriptDeltaEvent(response_id="r1", item_id="i1", content_index=0, delta="morning"),
        ]
        assert machine.history == (
            MessageItem(
                id="i1",
                role="assistant",
                status="in_progress",
                content=(OutputAudio(transcript="Good morning"),),
            ),
        )

    def test_its_text_too(self) -> None:
        machine = after(live(), created("r1"), output_added(empty("i1")))

        effects = play(machine, text("Good "), text("morning"))

        assert published(effects)[0] == TextDeltaEvent(
            response_id="r1", item_id="i1", content_index=0, delta="Good "
        )
        (item,) = machine.history
        assert item.content == (OutputText("Good morning"),)

    def test_the_final_words_win(self) -> None:
        machine = after(live(), created("r1"), output_added(empty("i1")), transcript("Good mor"))

        effects = machine.handle(transcript_done("Good morning!"), now=0.0)

        assert effects == [Publish(HistoryUpdatedEvent(history=machine.history, item_id="i1"))]
        assert texts(machine) == [("i1", "Good morning!")]

    def test_the_final_text_wins(self) -> None:
        machine = after(live(), created("r1"), output_added(empty("i1")), text("Good mor"))
        whole = wire.ResponseOutputTextDone(response_id="r1", item_id="i1", text="Good morning!")

        after(machine, whole)

        assert texts(machine) == [("i1", "Good morning!")]

    def test_the_finished_item_wins_but_not_with_less_than_is_known(self) -> None:
        machine = after(live(), created("r1"), output_added(empty("i1")), transcript("Good mor"))

        after(machine, output_done(spoken("i1", "Good morning!", "completed")))
        assert texts(machine) == [("i1", "Good morning!")]

        after(machine, item_done(spoken("i1", None, "completed")))
        assert texts(machine) == [("i1", "Good morning!")]

    def test_an_item_that_is_only_repeated_is_no_news(self) -> None:
        machine = after(live(), added(written("u1")))

        assert play(machine, item_done(written("u1")), added(written("u1"))) == []

    def test_a_change_of_an_item_is_told(self) -> None:
        machine = after(live(), output_added(empty("i1")))

        (update,) = play(machine, item_done(spoken("i1", "Hello", "completed")))

        assert update == Publish(HistoryUpdatedEvent(history=machine.history, item_id="i1"))

    def test_the_users_words_come_in_pieces_and_then_whole(self) -> None:
        machine = after(live(), committed("u1"), added(heard("u1")))
        piece = wire.ConversationItemInputAudioTranscriptionDelta

        effects = play(
            machine,
            piece(item_id="u1", delta="My na"),
            piece(item_id="u1", delta="me is"),
            piece(item_id="u1"),
            user_words("My name is Ada."),
        )

        assert only(InputTranscriptEvent, effects) == [
            InputTranscriptEvent(item_id="u1", status="partial", text="My na", delta="My na"),
            InputTranscriptEvent(item_id="u1", status="partial", text="My name is", delta="me is"),
            InputTranscriptEvent(item_id="u1", status="partial", text="My name is", delta=""),
            InputTranscriptEvent(item_id="u1", status="completed", text="My name is Ada."),
        ]
        assert effects[-1] == Publish(
            HistoryUpdatedEvent(history=machine.history, item_id="u1"),
        )
        assert machine.history == (heard("u1", "My name is Ada."),)

    def test_words_that_come_before_their_item_make_it(self) -> None:
        machine = after(live(), committed("u1"))

        effects = machine.handle(user_words("My name is Ada."), now=0.0)

        (item,) = machine.history
        assert (item.id, item.role, item.content) == (
            "u1",
            "user",
            (InputAudio(transcript="My name is Ada."),),
        )
        assert only(HistoryAddedEvent, effects) == [HistoryAddedEvent(item=item)]
        assert machine.handle(added(heard("u1")), now=0.0) == []

    def test_words_that_never_come_are_told(self) -> None:
        machine = after(live(), committed("u1"), added(heard("u1")))
        error = wire.ErrorDetail(type="", message="too noisy", code="audio_unintelligible")
        failed = wire.ConversationItemInputAudioTranscriptionFailed(item_id="u1", error=error)

        effects = machine.handle(failed, now=0.0)

        assert published(effects) == [
            InputTranscriptEvent(
                item_id="u1",
                status="failed",
                error=ErrorInfo(
                    type="transcription_error", message="too noisy", code="audio_unintelligible"
                ),
            )
        ]

    def test_words_of_items_that_are_never_told_are_kept_all_the_same(self) -> None:
        machine = live()

        effects = play(machine, transcript("Hello", "i9"), user_words("Hi", "u9"))

        assert [type(event) for event in published(effects)] == [
            HistoryAddedEvent,
            TranscriptDeltaEvent,
            InputTranscriptEvent,
            HistoryAddedEvent,
        ]
        assert texts(machine) == [("i9", "Hello"), ("u9", "Hi")]

    def test_an_hours_audio_is_not_kept(self) -> None:
        item = MessageItem(
            id="u1", role="user", content=(InputAudio(audio=bytes(48_000)), InputText("Hi"))
        )
        machine = after(live(), added(item))

        after(machine, wire.ConversationItemRetrieved(item=item))

        assert machine.history == (
            MessageItem(id="u1", role="user", content=(InputAudio(), InputText("Hi"))),
        )

    def test_what_is_retrieved_fills_in_what_was_missing(self) -> None:
        machine = after(live(), committed("u1"), added(heard("u1")))

        after(machine, wire.ConversationItemRetrieved(item=heard("u1", "My name is Ada.")))

        assert texts(machine) == [("u1", "My name is Ada.")]

    def test_returned_values_do_not_change_any_more(self) -> None:
        machine = after(live(), output_added(empty("i1")), transcript("Hel"))
        before = machine.history

        after(machine, transcript("lo"), added(written("u2")))

        assert [item.content for item in before] == [(OutputAudio(transcript="Hel"),)]


class TestDeletion:
    def test_a_deleted_item_is_gone_and_told(self) -> None:  # S41
        machine = after(live(), added(written("u1")), added(written("u2"), "u1"))

        effects = machine.handle(wire.ConversationItemDeleted(item_id="u1"), now=0.0)

        assert effects == [
            Publish(HistoryUpdatedEvent(history=(written("u2"),), item_id="u1", change="deleted"))
        ]

    def test_it_does_not_come_back(self) -> None:
        machine = after(live(), added(heard("u1")), wire.ConversationItemDeleted(item_id="u1"))

        effects = play(
            machine, committed("u1"), item_done(heard("u1", "Hi")), output_done(heard("u1"))
        )

        assert effects == []
        assert machine.history == ()

    def test_deleting_what_nobody_knows_is_no_news(self) -> None:
        assert live().handle(wire.ConversationItemDeleted(item_id="u9"), now=0.0) == []


class TestTruncationByTheServer:
    def test_is_noted(self) -> None:
        machine = after(live(), created("r1"), added(spoken("i1", "Good morning")), done("r1"))
        cut = wire.ConversationItemTruncated(item_id="i1", content_index=0, audio_end_ms=300)

        effects = machine.handle(cut, now=0.0)

        assert [event.change for event in only(HistoryUpdatedEvent, effects)] == ["truncated"]
        (item,) = machine.history
        assert item.content == (OutputAudio(transcript="Good morning", truncated_at_ms=300),)

    def test_cuts_the_words_as_far_as_the_sound_is_known(self) -> None:
        machine = after(live(), created("r1"), added(spoken("i1", "Good morning")))
        after(machine, speech("i1", 1000), done("r1"))

        after(machine, wire.ConversationItemTruncated(item_id="i1", audio_end_ms=500))

        assert texts(machine) == [("i1", "Good")]

    def test_at_its_beginning_leaves_nothing(self) -> None:
        machine = after(live(), added(spoken("i1", "Good morning")))

        after(machine, wire.ConversationItemTruncated(item_id="i1", audio_end_ms=0))

        assert texts(machine) == [("i1", "")]

    def test_of_what_nobody_knows_is_no_news(self) -> None:
        cut = wire.ConversationItemTruncated(item_id="i9", audio_end_ms=300)

        assert live().handle(cut, now=0.0) == []


class TestCutting:
    """The transcript is cut in proportion: see `test_heard_words`."""

    @pytest.mark.parametrize(
        ("heard_ms", "kept"),
        [(0, ""), (200, ""), (400, "Good"), (500, "Good"), (980, "Good"), (1000, "Good morning")],
    )
    def test_between_words(self, heard_ms, kept) -> None:
        conversation = Conversation()
        conversation.put(spoken("i1", "Good morning"))
        conversation.truncate("i1", 0, heard_ms=heard_ms, received_ms=1000)

        (item,) = conversation.items()

        assert item.content == (OutputAudio(transcript=kept, truncated_at_ms=heard_ms),)
