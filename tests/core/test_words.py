"""Every word is kept and judged, whatever event has brought it, and whoever said it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import pytest
from attrs import define, evolve, field
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.agent import Agent
from realtime_actors.config import BargeIn, GuardrailsSettings
from realtime_actors.core.effects import RunGuardrails, ScreenInput, Send
from realtime_actors.core.history.heard_words import heard_words
from realtime_actors.core.machine import SessionMachine
from realtime_actors.core.messages import GuardrailsFinished
from realtime_actors.events import (
    AudioEvent,
    AudioInterruptedEvent,
    GuardrailTrippedEvent,
    HistoryAddedEvent,
    TranscriptDeltaEvent,
)
from realtime_actors.guardrails import InputGuardrail, OutputGuardrail
from realtime_actors.items import InputAudio, MessageItem, OutputAudio, OutputText
from tests.core.machine import (
    AnyMessage,
    added,
    after,
    ask,
    committed,
    created,
    done,
    empty,
    heard,
    interrupt,
    item_done,
    live,
    only,
    output_added,
    output_done,
    play,
    sent,
    sent_types,
    speech,
    speech_done,
    spoken,
    text,
    texts,
    times,
    transcript,
    transcript_done,
    user_speaks,
)

NO_PRICES = OutputGuardrail(name="no_prices", check=lambda text: "dollars" in text)
NO_NAMES = InputGuardrail(name="no_names", check=lambda text: "Ada" in text)
AGENT = Agent(name="Guarded", output_guardrails=[NO_PRICES], input_guardrails=[NO_NAMES])
PRICE = "It costs five dollars, and no more than that."

BESIDE = ask(messages.CreateResponse(conversation="none", metadata={"topic": "greeting"}))
BESIDE_BEGAN = created("r1", conversation_id=None, metadata={"topic": "greeting"})


def part_of(
    kind: type[wire.ResponseContentPartAdded] | type[wire.ResponseContentPartDone], words: str
) -> wire.ResponseContentPartAdded | wire.ResponseContentPartDone:
    return kind(response_id="r1", item_id="i1", part=OutputAudio(transcript=words))


def ways(words: str) -> Mapping[str, list[AnyMessage]]:
    """Every way in which a server may tell what the model says, in the usual order."""
    whole, partly = spoken("i1", words, "completed"), spoken("i1", words, "in_progress")
    return {
        "output_item.added": [output_added(partly)],
        "item.added": [added(whole)],
        "item.created": [wire.ConversationItemCreated(item=whole)],
        "content_part.added": [part_of(wire.ResponseContentPartAdded, words)],
        "deltas": [transcript(words[:10]), transcript(words[10:25]), transcript(words[25:])],
        "transcript.done": [transcript_done(words)],
        "content_part.done": [part_of(wire.ResponseContentPartDone, words)],
        "output_item.done": [output_done(whole)],
        "item.done": [item_done(whole)],
        "retrieved": [wire.ConversationItemRetrieved(item=whole)],
        "response.done": [done("r1", "completed", whole)],
    }


def text_ways(words: str) -> Mapping[str, list[AnyMessage]]:
    """The same for what it writes."""
    whole = MessageItem(id="i1", role="assistant", status="completed", content=(OutputText(words),))
    ids: Any = {"response_id": "r1", "item_id": "i1"}
    return {
        "output_item.added": [output_added(evolve(whole, status="in_progress"))],
        "item.added": [added(whole)],
        "deltas": [text(words[:10]), text(words[10:])],
        "text.done": [wire.ResponseOutputTextDone(**ids, text=words)],
        "content_part.done": [wire.ResponseContentPartDone(**ids, part=OutputText(words))],
        "output_item.done": [output_done(whole)],
        "item.done": [item_done(whole)],
        "response.done": [done("r1", "completed", whole)],
    }


ALL_WAYS = tuple(ways(""))
"""Their names."""
some_ways = st.lists(st.sampled_from(ALL_WAYS), min_size=1, unique=True)


@define
class Told:
    """A server that tells a story, guardrails that judge it, and what came of it."""

    machine: SessionMachine
    judged: list[str] = field(factory=list)
    heard: list[AudioEvent] = field(factory=list)
    tripped: list[GuardrailTrippedEvent] = field(factory=list)
    pending: list[RunGuardrails] = field(factory=list)
    sent: list[str] = field(factory=list)

    def tell(self, *trace: AnyMessage, judge: bool = True, at: float = 0.0) -> None:
        for message in trace:
            self._note(self.machine.handle(message, at))
            if judge:
                self.give_verdicts(at)

    def give_verdicts(self, at: float = 0.0) -> None:
        while self.pending:
            run = self.pending.pop(0)
            guardrail = "no_prices" if "dollars" in run.text else None
            verdict = GuardrailsFinished(
                response_id=run.response_id,
                item_id=run.item_id,
                text=run.text,
                guardrail=guardrail,
                attempt=run.attempt,
            )
            self._note(self.machine.handle(verdict, at))

    def _note(self, effects) -> None:
        self.pending += only(RunGuardrails, effects)
        self.judged += [run.text for run in only(RunGuardrails, effects)]
        self.heard += only(AudioEvent, effects)
        self.tripped += only(GuardrailTrippedEvent, effects)
        self.sent += sent_types(effects)


def guarded(mode: Literal["stream", "hold"] = "stream", agent: Agent = AGENT) -> SessionMachine:
    # A piece of speech goes with the words around it: here these are all of them.
    settings = GuardrailsSettings(debounce_text_length=8 if mode == "stream" else 40, mode=mode)
    return live(agent, guardrails_settings=settings)


# --- the model's --------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["stream", "hold"])
@pytest.mark.parametrize("way", ALL_WAYS)
def test_forbidden_speech_is_stopped_however_its_words_become_known(way, mode) -> None:
    story = Told(after(guarded(mode), created("r1")))

    story.tell(speech(ms=1000), *ways(PRICE)[way], speech(ms=500), speech_done())
    story.tell(done("r1"))

    assert [event.response_id for event in story.tripped] == ["r1"]
    assert mode == "stream" or story.heard == []


@pytest.mark.parametrize("mode", ["stream", "hold"])
@pytest.mark.parametrize("way", list(text_ways("")))
def test_so_is_forbidden_text(way, mode) -> None:
    story = Told(after(guarded(mode), created("r1")))

    story.tell(*text_ways(PRICE)[way], done("r1"))

    assert len(story.tripped) == 1


@pytest.mark.parametrize("mode", ["stream", "hold"])
@pytest.mark.parametrize("way", [each for each in ALL_WAYS if "item." not in each])
def test_so_is_forbidden_speech_out_of_band(way, mode) -> None:
    story = Told(after(guarded(mode), BESIDE, BESIDE_BEGAN))
    whole = spoken("i1", PRICE, "completed")
    ends = done("r1", "completed", *([whole] if way == "response.done" else []))

    told = [] if way in ("response.done", "retrieved") else ways(PRICE)[way]
    story.tell(speech(ms=1000), *told)
    story.tell(evolve(ends, response=evolve(ends.response, conversation_id=None)))

    if way != "retrieved":  # nothing of it is in the conversation
        assert [event.response_id for event in story.tripped] == ["r1"]
        assert mode == "stream" or story.heard == []
    assert story.machine.history == ()
    # Whoever asked for it knows what to do: the conversation is not told.
    assert "conversation.item.create" not in story.sent


def test_it_is_cancelled_by_its_id_and_nothing_of_it_is_heard_any_more() -> None:
    machine = after(guarded(), BESIDE, BESIDE_BEGAN, speech(ms=100), transcript(PRICE))
    verdict = GuardrailsFinished(response_id="r1", item_id="i1", text=PRICE, guardrail="no_prices")

    effects = machine.handle(verdict, now=0.1)

    assert sent(effects) == [wire.ResponseCancel(response_id="r1")]
    assert [event.response_id for event in only(AudioInterruptedEvent, effects)] == ["r1"]
    assert only(AudioEvent, play(machine, speech(ms=100))) == []


def test_what_is_written_out_of_band_is_the_programs_own() -> None:
    story = Told(after(guarded(), BESIDE, BESIDE_BEGAN))

    story.tell(*text_ways(PRICE)["deltas"], *text_ways(PRICE)["output_item.done"])

    assert story.judged == []


@times(3)
@given(
    told=some_ways,
    order=st.booleans(),
    mode=st.sampled_from(["stream", "hold"]),
    prompt=st.booleans(),
    repeated=st.sets(st.sampled_from(ALL_WAYS)),
)
def test_words_are_kept_once_and_judged_once_in_whichever_ways_they_come(
    told, order, mode, prompt, repeated
) -> None:
    words = "Good morning, how can I help you on this fine day?"
    names = sorted(told, key=ALL_WAYS.index) if order else told
    story = Told(after(guarded(mode), created("r1")))

    story.tell(speech(ms=300), judge=prompt)
    for name in names:
        for _ in range(2 if name in repeated and name != "deltas" else 1):
            story.tell(*ways(words)[name], judge=prompt)
    story.tell(speech(ms=200), speech_done(), done("r1"), judge=prompt)
    story.give_verdicts()

    assert texts(story.machine) == [("i1", words)]
    assert story.judged[-1] == words
    assert all(words.startswith(each) for each in story.judged)
    assert len(story.judged) == len(set(story.judged))
    assert story.tripped == []


@given(told=some_ways, prompt=st.booleans(), mode=st.sampled_from(["stream", "hold"]))
def test_nothing_forbidden_is_heard_in_any_of_them(told, prompt, mode) -> None:
    story = Told(after(guarded("hold"), created("r1")))

    story.tell(speech(ms=300), judge=prompt)
    for name in sorted(told, key=ALL_WAYS.index):
        story.tell(*ways(PRICE)[name], judge=prompt)
    story.tell(speech(ms=200), speech_done(), done("r1"), judge=prompt)
    story.give_verdicts()

    assert len(story.tripped) == 1
    assert story.heard == []


def test_words_that_come_after_the_end_are_judged_when_they_are_new() -> None:
    story = Told(after(guarded(), created("r1"), output_added(empty("i1")), speech(ms=5000)))
    story.tell(speech_done(), done("r1"))

    story.tell(item_done(spoken("i1", PRICE, "completed")), at=1.0)
    story.tell(item_done(spoken("i1", PRICE, "completed")), at=1.5)

    assert story.judged == [PRICE]
    assert len(story.tripped) == 1
    # It is still being heard.
    assert story.sent[:1] == ["conversation.item.truncate"]


def test_what_the_program_puts_into_the_models_mouth_is_not_judged() -> None:
    machine = after(guarded(), created("r1"))
    add = ask(messages.AddItem(MessageItem(role="assistant", content=(OutputText(PRICE),))))
    (create,) = only(wire.ConversationItemCreate, machine.handle(add, now=0.0))

    effects = play(machine, added(create.item), item_done(create.item))

    assert only(RunGuardrails, effects) == []
    assert texts(machine) == [(create.item.id, PRICE)]


# --- items that are told late, or never ---------------------------------------------------------


def test_an_item_is_made_of_its_deltas_and_ends_with_its_response() -> None:
    machine = after(live(), created("r1"))

    effects = play(machine, transcript("Good "), transcript("morning."))

    assert [event.item for event in only(HistoryAddedEvent, effects)] == [
        MessageItem(
            id="i1",
            role="assistant",
            status="in_progress",
            content=(OutputAudio(transcript="Good "),),
        )
    ]
    assert len(only(TranscriptDeltaEvent, effects)) == 2
    after(machine, done("r1"))
    assert machine.history == (spoken("i1", "Good morning.", "completed"),)


def test_an_item_that_was_made_so_takes_the_place_that_the_server_names() -> None:
    machine = after(live(), committed("u1"), added(heard("u1")), created("r1"), transcript("Hi"))
    after(machine, committed("u2", "i1"), added(heard("u2"), "i1"))

    assert play(machine, added(empty("i1"), "u1")) == []
    assert [item.id for item in machine.history] == ["u1", "i1", "u2"]
    assert texts(machine)[1] == ("i1", "Hi")


def test_what_is_finished_stays_finished() -> None:
    machine = after(
        live(), created("r1"), transcript("Good morning."), transcript_done("Good day.")
    )
    whole = output_done(spoken("i1", "Good day.", "completed"))

    effects = play(machine, whole, transcript("And"), added(empty("i1")), transcript(" more"))

    assert only(TranscriptDeltaEvent, effects) == []
    assert machine.history == (spoken("i1", "Good day.", "completed"),)


def test_a_later_version_of_an_item_takes_no_words_away() -> None:
    machine = after(live(), created("r1"), output_done(spoken("i1", "Good day.", "completed")))

    after(machine, item_done(spoken("i1", None, "completed")), done("r1"))

    assert texts(machine) == [("i1", "Good day.")]


# --- what was cut -------------------------------------------------------------------------------


LONG = "One two three four five six seven eight nine ten eleven twelve."


@pytest.mark.parametrize("way", ALL_WAYS)
def test_a_cut_waits_for_its_item_and_its_words(way) -> None:
    machine = after(live(), created("r1"), speech(ms=1000))

    after(machine, user_speaks(), at=0.5)
    after(machine, *ways(LONG)[way], done("r1", "cancelled"), at=0.6)

    assert texts(machine) == [("i1", heard_words(LONG, 500, 1000))]
    (item,) = machine.history
    assert item.content[0].truncated_at_ms == 500


@given(before=some_ways, later=st.lists(st.sampled_from(ALL_WAYS)), heard_ms=st.integers(1, 900))
def test_words_that_were_not_heard_never_come_back(before, later, heard_ms) -> None:
    machine = after(live(), created("r1"), speech(ms=1000))
    before = [name for name in before if name not in ("response.done", "retrieved")]
    for name in before:
        after(machine, *ways(LONG)[name])

    after(machine, interrupt(), at=heard_ms / 1000)
    for name in later:
        after(machine, *ways(LONG)[name], at=1.0)

    kept = heard_words(LONG, heard_ms, 1000)
    for _, words in texts(machine):
        assert LONG.startswith(words)
        assert len(words) <= len(kept)
        assert words == kept or not before


@pytest.mark.parametrize("way", [each for each in ALL_WAYS if each != "deltas"])
def test_what_was_left_by_a_cut_stays_though_more_words_become_known(way) -> None:
    machine = after(live(), created("r1"), speech(ms=1000), transcript("One two three four "))

    after(machine, interrupt(), at=0.5)
    after(machine, *ways(LONG)[way], at=0.6)

    assert texts(machine) == [("i1", "One two")]


@pytest.mark.parametrize("mode", ["full", "gated"])
def test_what_comes_of_the_sound_later_makes_the_heard_share_of_unknown_words_smaller(mode) -> None:
    machine = after(live(barge_in=BargeIn(mode=mode)), created("r1"), speech(ms=1000))
    after(machine, interrupt(), at=0.5)

    after(machine, speech(ms=1000), transcript_done(LONG))

    assert texts(machine) == [("i1", heard_words(LONG, 500, 2000))]


@pytest.mark.parametrize("way", ALL_WAYS)
def test_speech_that_is_told_only_after_the_stop_was_never_said(way) -> None:
    machine = after(live(), created("r1"), user_speaks())

    effects = play(machine, speech(), *ways(LONG)[way], done("r1", "cancelled"))

    assert [words for _, words in texts(machine)] in ([], [""])
    assert only(AudioEvent, effects) == []


def test_once_the_server_tells_it_it_is_deleted_there() -> None:
    machine = after(live(), created("r1"), interrupt())

    effects = play(machine, transcript(LONG), output_done(spoken("i1", LONG, "incomplete")))

    assert effects == [Send(wire.ConversationItemDelete(item_id="i1"))]


def test_what_was_heard_before_the_stop_is_judged_when_it_becomes_known() -> None:
    words = "Five dollars, please. And now for something else, and then for something else."
    story = Told(after(guarded(), created("r1"), speech(ms=1000)))

    story.tell(interrupt(), at=0.5)
    story.tell(done("r1", "cancelled", spoken("i1", words, "incomplete")), at=0.6)

    assert story.judged == [heard_words(words, 500, 1000)]


# --- the user's ---------------------------------------------------------------------------------


def user_ways(words: str) -> Mapping[str, list[AnyMessage]]:
    whole = MessageItem(
        id="u1", role="user", status="completed", content=(InputAudio(transcript=words),)
    )
    transcription = wire.ConversationItemInputAudioTranscriptionCompleted
    return {
        "item.added": [added(whole)],
        "item.created": [wire.ConversationItemCreated(item=whole)],
        "item.done": [item_done(whole)],
        "completed": [transcription(item_id="u1", transcript=words)],
        "retrieved": [wire.ConversationItemRetrieved(item=whole)],
    }


@pytest.mark.parametrize("way", list(user_ways("")))
@pytest.mark.parametrize("commits", [True, False])
def test_what_the_user_said_is_kept_and_judged_however_it_becomes_known(way, commits) -> None:
    machine = after(guarded(), *([committed("u1")] if commits else []))

    effects = play(machine, *user_ways("I am Ada.")[way], *user_ways("I am Ada.")["item.done"])

    assert [(run.item_id, run.text) for run in only(ScreenInput, effects)] == [("u1", "I am Ada.")]
    assert texts(machine) == [("u1", "I am Ada.")]


def test_what_the_program_sends_in_the_users_place_is_not_judged_as_speech() -> None:
    machine = guarded()
    said = MessageItem(role="user", content=(InputAudio(audio=b"\0\0", transcript="I am Ada."),))
    effects = machine.handle(ask(messages.SendMessage(said)), now=0.0)
    (create,) = only(wire.ConversationItemCreate, effects)

    assert only(ScreenInput, play(machine, added(create.item), item_done(create.item))) == []
