"""Barge-in: stop at once, keep what was heard, and let nothing of it be heard after."""

from __future__ import annotations

import pytest

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.config import OFF, SessionModelSettings, TurnDetectionConfig
from realtime_actors.core.effects import Answer, Publish, Send
from realtime_actors.core.messages import ConnectionLost
from realtime_actors.errors import ConfigError
from realtime_actors.events import (
    AgentEndEvent,
    Audio,
    AudioEndEvent,
    AudioEvent,
    AudioInterruptedEvent,
    HistoryUpdatedEvent,
    SpeechStartedEvent,
    SpeechStoppedEvent,
    TextDeltaEvent,
    TranscriptDeltaEvent,
)
from realtime_actors.items import MessageItem, OutputAudio
from tests.core.machine import (
    added,
    after,
    answers,
    ask,
    created,
    creates,
    done,
    empty,
    interrupt,
    item_done,
    live,
    only,
    output_added,
    output_done,
    play,
    published,
    say,
    sent,
    sent_types,
    speech,
    speech_done,
    spoken,
    text,
    texts,
    transcript,
    transcript_done,
    updated,
    user_speaks,
    user_stops,
)


def speaking(ms: int = 1000, **options):
    """A live machine whose model has begun to say something, at 0.0."""
    machine = after(live(**options), say(), created("r1"), output_added(empty("i1")))
    return after(machine, speech("i1", ms))


def interruptions(effects) -> list[tuple[str | None, int]]:
    return [(each.item_id, each.heard_ms) for each in only(AudioInterruptedEvent, effects)]


def truncations(effects) -> list[tuple[str, int, int]]:
    return [
        (each.item_id, each.content_index, each.audio_end_ms)
        for each in only(wire.ConversationItemTruncate, effects)
    ]


def deletions(effects) -> list[str]:
    return [each.item_id for each in only(wire.ConversationItemDelete, effects)]


def test_audio_is_handed_on_as_it_comes() -> None:  # S10
    machine = after(live(), created("r1"))

    effects = play(machine, speech("i1", 20), speech_done("i1"))

    assert published(effects) == [
        AudioEvent(audio=Audio(data=bytes(960), response_id="r1", item_id="i1", content_index=0)),
        AudioEndEvent(response_id="r1", item_id="i1", content_index=0),
    ]


def test_barge_in_truncates_at_what_was_heard() -> None:
    machine = speaking(1000)

    effects = machine.handle(user_speaks("u1", at_ms=1200), now=0.4)

    # The server has stopped the response by itself: no cancel.
    assert effects == [
        Publish(SpeechStartedEvent(item_id="u1", audio_start_ms=1200)),
        Publish(AudioInterruptedEvent(response_id="r1", item_id="i1", heard_ms=400)),
        Send(wire.ConversationItemTruncate(item_id="i1", audio_end_ms=400)),
        Publish(HistoryUpdatedEvent(history=machine.history, item_id="i1", change="truncated")),
    ]


def test_interrupting_cancels_the_response_besides() -> None:
    machine = speaking(1000)

    effects = machine.handle(interrupt(), now=0.4)

    assert interruptions(effects) == [("i1", 400)]
    assert sent(effects) == [
        wire.ConversationItemTruncate(item_id="i1", audio_end_ms=400),
        wire.ResponseCancel(response_id="r1"),
    ]
    assert effects[-1] == Answer("caller")


def test_the_end_of_speech_is_told_and_changes_nothing() -> None:
    effects = speaking().handle(user_stops("u1", at_ms=900), now=0.9)

    assert effects == [Publish(SpeechStoppedEvent(item_id="u1", audio_end_ms=900))]


class TestTheFence:
    """No audio of an interrupted response follows its AudioInterruptedEvent."""

    def test_late_audio_is_dropped(self) -> None:
        machine = speaking()
        after(machine, interrupt(), at=0.4)

        late = play(machine, speech("i1"), speech("i2"), speech_done("i1"), done("r1", "cancelled"))

        assert only((AudioEvent, AudioEndEvent), late) == []
        assert play(machine, speech("i1")) == []

    def test_audio_that_comes_after_the_end_of_its_response_is_dropped_too(self) -> None:
        machine = after(speaking(1000), done("r1"))
        after(machine, interrupt(), at=0.4)

        assert play(machine, speech("i1"), speech("i2")) == []

    @pytest.mark.parametrize("stop", [user_speaks(), interrupt()], ids=["speech", "verb"])
    @pytest.mark.parametrize(
        "words",
        [text(" more", "i2"), transcript(" more", "i1"), text("Besides", "i3")],
        ids=["text", "speech", "another text"],
    )
    def test_late_words_are_dropped_like_late_audio(self, stop, words) -> None:
        machine = after(speaking(), transcript("Once", "i1"), text("Once", "i2"))
        after(machine, stop, at=0.4)

        late = play(machine, words, done("r1", "cancelled"), words, at=0.5)

        assert only((TextDeltaEvent, TranscriptDeltaEvent), late) == []

    def test_words_that_come_after_the_end_of_their_part_are_dropped(self) -> None:
        machine = after(speaking(), transcript("Once."), transcript_done("Once."))

        late = machine.handle(transcript(" more"), now=0.1)

        assert only(TranscriptDeltaEvent, late) == []
        assert texts(machine) == [("i1", "Once.")]

    def test_words_of_the_next_response_are_told(self) -> None:
        machine = after(speaking(), interrupt(), done("r1", "cancelled"), say(), created("r2"))

        told = machine.handle(text("Yes.", "i2", response_id="r2"), now=0.5)

        assert [event.delta for event in only(TextDeltaEvent, told)] == ["Yes."]

    def test_the_next_response_plays_in_full(self) -> None:
        machine = after(speaking(), user_speaks(), done("r1", "cancelled"), at=0.4)

        effects = play(machine, created("r2"), speech("i2", response_id="r2"), at=0.5)

        assert len(only(AudioEvent, effects)) == 1
        assert interruptions(machine.handle(interrupt(), now=0.75)) == [("i2", 250)]

    def test_a_response_that_had_not_spoken_yet_is_silenced_too(self) -> None:
        machine = after(live(), say(), created("r1"))

        effects = machine.handle(interrupt(), now=0.0)

        assert only(AudioInterruptedEvent, effects) == [
            AudioInterruptedEvent(response_id="r1", item_id=None)
        ]
        assert sent_types(effects) == ["response.cancel"]
        assert machine.handle(speech("i1"), now=0.1) == []

    def test_a_response_that_waits_behind_the_one_that_is_played_is_silenced_too(self) -> None:
        machine = after(speaking(1000), speech_done(), done("r1"), created("r2"))
        after(machine, speech("i2", 500, response_id="r2"), at=0.1)

        effects = machine.handle(interrupt(), now=0.4)

        assert interruptions(effects) == [("i1", 400)]
        assert machine.handle(speech("i2", response_id="r2"), now=0.5) == []


class TestNothingToInterrupt:
    def test_when_nothing_was_ever_said(self) -> None:
        assert live().handle(interrupt(), now=0.0) == [Answer("caller")]

    def test_when_a_response_is_only_asked_for(self) -> None:
        assert after(live(), say()).handle(interrupt(), now=0.0) == [Answer("caller")]

    def test_when_all_was_heard(self) -> None:
        machine = after(speaking(1000), speech_done(), done("r1"))

        assert machine.handle(interrupt(), now=1.0) == [Answer("caller")]
        assert sent(machine.handle(user_speaks(), now=1.1)) == []

    def test_the_second_time(self) -> None:
        machine = after(speaking(), interrupt(), at=0.4)

        assert machine.handle(interrupt(), now=0.5) == [Answer("caller")]
        assert interruptions(machine.handle(user_speaks(), now=0.6)) == []

    def test_after_the_connection_was_lost(self) -> None:
        machine = after(speaking(), ConnectionLost(code=1006), at=0.4)

        effects = machine.handle(interrupt(), now=2.0)
        assert interruptions(effects) == []  # all that had come was heard
        assert sent(effects) == []


@pytest.mark.parametrize(
    "detection", [TurnDetectionConfig(interrupt_response=False), OFF], ids=["told not to", "off"]
)
def test_speech_interrupts_nothing_when_the_server_is_told_not_to(detection) -> None:
    machine = after(
        speaking(),
        ask(messages.UpdateSession({"turn_detection": detection})),
        updated(turn_detection=detection),
    )

    assert interruptions(machine.handle(user_speaks(), now=0.4)) == []
    assert interruptions(machine.handle(interrupt(), now=0.4)) == [("i1", 400)]


def test_speech_interrupts_a_text_too() -> None:
    machine = after(live(), created("r1"), text("Once upon a time"))

    effects = machine.handle(user_speaks(), now=0.4)

    assert interruptions(effects) == [(None, 0)]
    assert sent(effects) == []


def test_what_was_all_heard_is_kept_while_the_response_goes_on_silently() -> None:
    # It has spoken, and is writing a tool call now.
    machine = after(speaking(300), speech_done("i1"))

    effects = machine.handle(interrupt(), now=0.4)

    assert interruptions(effects) == [(None, 0)]
    assert sent_types(effects) == ["response.cancel"]


class TestWhatStays:
    """Truncation is the smaller of heard and received."""

    def test_never_more_than_was_received(self) -> None:
        effects = speaking(300).handle(interrupt(), now=5.0)

        assert truncations(effects) == [("i1", 0, 300)]

    def test_an_item_of_which_nothing_was_heard_is_deleted(self) -> None:
        machine = speaking(1000)

        effects = machine.handle(interrupt(), now=0.0)

        assert truncations(effects) == []
        assert sent_types(effects) == ["response.cancel", "conversation.item.delete"]
        assert deletions(effects) == ["i1"]
        assert machine.history == ()

    def test_items_that_wait_behind_it_are_deleted(self) -> None:
        machine = after(speaking(1000), speech_done("i1"), output_added(empty("i2")))
        after(machine, speech("i2", 500), at=0.1)

        effects = machine.handle(interrupt(), now=0.4)

        assert truncations(effects) == [("i1", 0, 400)]
        assert deletions(effects) == ["i2"]
        assert [item.id for item in machine.history] == ["i1"]

    def test_an_item_before_it_that_was_all_heard_stays_whole(self) -> None:
        machine = after(speaking(300), speech_done("i1"), speech("i2", 1000))

        effects = machine.handle(interrupt(), now=0.5)

        assert truncations(effects) == [("i2", 0, 200)]
        assert deletions(effects) == []

    def test_parts_of_an_item_are_cut_each_for_itself(self) -> None:
        machine = after(speaking(1000), speech_done("i1"), speech("i1", 500, content_index=1))

        effects = machine.handle(interrupt(), now=0.4)

        assert truncations(effects) == [("i1", 0, 400), ("i1", 1, 0)]
        assert deletions(effects) == []

    def test_an_item_whose_first_part_was_heard_is_not_deleted_for_its_second(self) -> None:
        machine = after(speaking(1000), speech_done("i1"))
        after(machine, speech("i1", 500, content_index=1), at=1.0)

        effects = machine.handle(interrupt(), now=1.0)

        assert truncations(effects) == [("i1", 1, 0)]
        assert deletions(effects) == []

    def test_a_deleted_item_does_not_come_back(self) -> None:
        machine = after(speaking(1000), interrupt())
        whole = spoken("i1", "Hello, world", status="incomplete")

        effects = play(
            machine,
            transcript("world"),
            transcript_done("Hello, world"),
            output_done(whole),
            added(whole),
            item_done(whole),
            done("r1", "cancelled", whole),
            wire.ConversationItemDeleted(item_id="i1"),
        )

        assert only(HistoryUpdatedEvent, effects) == []
        assert machine.history == ()

    def test_local_history_holds_what_was_heard(self) -> None:
        machine = after(speaking(1000), transcript("Good morning, how are you today?"))

        after(machine, interrupt(), at=0.5)

        assert machine.history == (
            MessageItem(
                id="i1",
                role="assistant",
                status="in_progress",
                content=(OutputAudio(transcript="Good morning,", truncated_at_ms=500),),
            ),
        )

    def test_what_was_truncated_stays_truncated_whatever_comes_late(self) -> None:
        words = "Good morning, how are you today?"
        machine = after(speaking(1000), transcript(words), interrupt(), at=0.0)
        assert machine.history == ()

        machine = after(speaking(1000), transcript(words))
        after(machine, interrupt(), at=0.5)
        whole = spoken("i1", words + " I am fine.", status="incomplete")
        after(
            machine,
            transcript(" I am fine."),
            transcript_done(words + " I am fine."),
            output_done(whole),
            item_done(whole),
            done("r1", "cancelled", whole),
            wire.ConversationItemTruncated(item_id="i1", audio_end_ms=500),
        )

        assert texts(machine) == [("i1", "Good morning,")]

    def test_a_transcript_that_comes_after_the_cut_is_cut_in_proportion(self) -> None:
        machine = speaking(1000)
        after(machine, interrupt(), at=0.5)

        after(machine, transcript_done("Good morning, how are you today?"))

        assert texts(machine) == [("i1", "Good morning,")]


def test_an_interruption_asks_for_no_response() -> None:
    machine = speaking()

    effects = play(machine, interrupt(), done("r1", "cancelled"), at=0.4)

    assert creates(effects) == 0


def test_a_telephones_milliseconds_are_counted_in_its_own_bytes() -> None:
    machine = after(live(), updated(output_audio_format="g711_ulaw"), created("r1"))
    audio = wire.ResponseOutputAudioDelta(response_id="r1", item_id="i1", delta=bytes(8 * 300))
    after(machine, audio)

    assert truncations(machine.handle(interrupt(), now=0.2)) == [("i1", 0, 200)]


class TestAPlayerThatReports:
    """`PlaybackTracker` says what was heard: nothing is assumed."""

    @staticmethod
    def report(ms: float, item_id: str = "i1", *, absolute: bool = False):
        return ask(messages.PlaybackPosition(item_id, 0, ms, absolute=absolute))

    def test_it_is_believed(self) -> None:
        machine = after(speaking(1000, playback_reported=True), self.report(120), self.report(30))

        assert truncations(machine.handle(interrupt(), now=0.9)) == [("i1", 0, 150)]

    def test_it_may_say_where_it_is(self) -> None:
        machine = speaking(1000, playback_reported=True)
        after(machine, self.report(700, absolute=True), self.report(250, absolute=True))

        assert truncations(machine.handle(interrupt(), now=0.9)) == [("i1", 0, 250)]

    def test_without_a_report_nothing_was_heard(self) -> None:
        effects = speaking(1000, playback_reported=True).handle(interrupt(), now=0.9)

        assert deletions(effects) == ["i1"]

    def test_it_is_believed_from_its_first_report_on(self) -> None:
        machine = after(speaking(1000), self.report(120))

        assert truncations(machine.handle(interrupt(), now=0.9)) == [("i1", 0, 120)]

    def test_it_cannot_have_played_more_than_there_is(self) -> None:
        machine = after(speaking(1000, playback_reported=True), self.report(5000))

        assert truncations(machine.handle(interrupt(), now=0.9)) == [("i1", 0, 1000)]

    @pytest.mark.parametrize("ms", [5000, float("inf"), 10**300])
    def test_what_it_cannot_have_played_is_no_credit_for_what_comes(self, ms) -> None:
        machine = after(speaking(1000, playback_reported=True), self.report(ms), speech("i1", 500))

        assert truncations(machine.handle(interrupt(), now=0.9)) == [("i1", 0, 1000)]

    @pytest.mark.parametrize("ms", ["100", None, 10**400])
    def test_what_is_no_number_is_refused(self, ms) -> None:
        machine = speaking(1000)

        assert answers(machine.handle(self.report(ms), now=0.1)) == [ConfigError]
        assert truncations(machine.handle(interrupt(), now=0.5)) == [("i1", 0, 500)]

    def test_it_cannot_have_played_less_than_nothing(self) -> None:
        machine = after(speaking(1000, playback_reported=True), self.report(-50), self.report(20))

        assert truncations(machine.handle(interrupt(), now=0.9)) == [("i1", 0, 20)]

    def test_many_small_reports_add_up(self) -> None:
        machine = after(
            speaking(1000, playback_reported=True),
            speech_done("i1"),
            done("r1"),
            *[self.report(1000 / 24) for _ in range(24)],
        )

        assert machine.handle(interrupt(), now=0.9) == [Answer("caller")]

    def test_what_it_plays_now_tells_that_it_has_played_what_came_before(self) -> None:
        machine = after(speaking(1000, playback_reported=True), speech_done("i1"), done("r1"))
        after(machine, created("r2"), speech("i2", 500, response_id="r2"))

        effects = play(machine, self.report(980), self.report(100, "i2"), interrupt())

        assert truncations(effects) == [("i2", 0, 100)]

    def test_reports_of_what_nobody_knows_do_nothing(self) -> None:
        machine = after(speaking(1000, playback_reported=True), self.report(100, "i9"))

        assert deletions(machine.handle(interrupt(), now=0.9)) == ["i1"]


class TestWhatTheServerDoesCountsMoreThanWhatItSays:
    """HuggingFace's server echoes null for its turn detection, or leaves it out."""

    @pytest.mark.parametrize("echo", [updated(turn_detection=OFF), updated()])
    @pytest.mark.parametrize("asked", [None, TurnDetectionConfig()])
    def test_speech_during_speech_interrupts(self, echo, asked) -> None:
        machine = speaking(settings=SessionModelSettings(turn_detection=asked))

        effects = play(machine, echo, user_speaks())

        assert interruptions(effects) == [("i1", 0)]

    @pytest.mark.parametrize(
        "told_not_to", [OFF, TurnDetectionConfig(interrupt_response=False)], ids=["off", "not to"]
    )
    def test_so_does_a_response_that_it_has_stopped(self, told_not_to) -> None:
        machine = speaking(settings=SessionModelSettings(turn_detection=told_not_to))
        after(machine, transcript("Good morning."), user_speaks(), at=0.4)
        said = spoken("i1", "Good morning.", "incomplete")

        effects = machine.handle(done("r1", "cancelled", said, reason="turn_detected"), now=0.5)

        assert interruptions(effects) == [("i1", 500)]
        assert truncations(effects) == [("i1", 0, 500)]
        assert deletions(effects) == []
        assert "response.cancel" not in sent_types(effects)
        assert texts(machine) == [("i1", "Good")]
        assert len(only(AgentEndEvent, effects)) == 1
        # It has shown that it stops for the user: from now on that is known at once.
        after(machine, created("r2"), speech("i2", 1000, response_id="r2"), at=1.0)
        assert interruptions(machine.handle(user_speaks("u2"), now=1.3)) == [("i2", 300)]

    def test_until_it_is_told_again_not_to(self) -> None:
        told_not_to = TurnDetectionConfig(interrupt_response=False)
        machine = speaking(settings=SessionModelSettings(turn_detection=told_not_to))
        after(machine, done("r1", "cancelled", reason="turn_detected"), at=0.5)
        after(machine, ask(messages.UpdateSession({"turn_detection": told_not_to})), updated())

        after(machine, created("r2"), speech("i2", 1000, response_id="r2"), at=1.0)

        assert interruptions(machine.handle(user_speaks("u2"), now=1.3)) == []

    def test_a_response_that_was_interrupted_already_is_not_interrupted_again(self) -> None:
        machine = after(speaking(), user_speaks(), at=0.4)

        effects = machine.handle(done("r1", "cancelled", reason="turn_detected"), now=0.5)

        assert interruptions(effects) == []
        assert truncations(effects) == []

    def test_one_that_was_heard_to_its_end_is_left_alone(self) -> None:
        machine = after(speaking(), speech_done("i1"))

        effects = machine.handle(done("r1", "cancelled", reason="turn_detected"), now=5.0)

        assert interruptions(effects) == []
        assert sent(effects) == []

    def test_what_is_off_stays_off_where_the_program_has_switched_it_off(self) -> None:
        machine = speaking(settings=SessionModelSettings(turn_detection=OFF))

        assert interruptions(play(machine, updated(turn_detection=OFF), user_speaks())) == []
