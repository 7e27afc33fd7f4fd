"""Who may speak: the model waits while the user speaks, and can be stopped before it begins."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.config import OFF, BargeIn, TurnDetectionConfig
from realtime_actors.core.effects import Answer, Effects, RunTool, SetTimer
from realtime_actors.core.machine import SessionMachine
from realtime_actors.core.messages import ApprovalNeeded, ConnectionLost, TimerFired
from realtime_actors.core.responses.turn_taking import ANSWERED_WITHIN, SPEAKS_AT_MOST, TURN_TIMER
from realtime_actors.events import AgentEndEvent, AudioEvent, AudioInterruptedEvent, ToolEndEvent
from tests.core.machine import (
    AnyMessage,
    added,
    after,
    agent_with,
    already_active,
    ask,
    call_item,
    called,
    committed,
    created,
    creates,
    done,
    finished,
    interrupt,
    live,
    only,
    output_item,
    play,
    refused,
    say,
    sent_types,
    speech,
    updated,
    user_speaks,
    user_stops,
    user_timed_out,
)

AGENT = agent_with("weather", "time")
BY_HAND = TurnDetectionConfig(create_response=False)
STORY = ask(messages.CreateResponse(instructions="Tell a story.", metadata={"wish": "story"}))
NOT_RUN = "Error: weather was not run: the response that called it was interrupted"


def interruptions(effects: Effects) -> list[str | None]:
    return [event.response_id for event in only(AudioInterruptedEvent, effects)]


def cancels(effects: Effects) -> list[str | None]:
    return [event.response_id for event in only(wire.ResponseCancel, effects)]


def outcomes(effects: Effects) -> list[tuple[str, str]]:
    return [(event.call_id, event.output) for event in only(ToolEndEvent, effects)]


def heard(effects: Effects) -> list[str]:
    return [event.response_id for event in only(AudioEvent, effects)]


class TestWhileTheUserSpeaks:
    """No response is asked for."""

    @pytest.mark.parametrize(
        "wish",
        [
            say(),
            ask(messages.CreateResponse()),
            STORY,
            ask(messages.CreateResponse(interruptible=False)),
            ask(messages.SendRawEvent({"type": "response.create"})),
        ],
        ids=["a message", "a verb", "a special one", "one to its end", "a raw event"],
    )
    @pytest.mark.parametrize("mode", ["full", "gated", "half_duplex", "off"])
    def test_wishes_wait_in_every_mode(self, wish, mode) -> None:
        machine = after(live(barge_in=BargeIn(mode=mode)), user_speaks())

        assert creates(machine.handle(wish, now=1.0)) == 0
        assert creates(machine.handle(user_stops(), now=2.0)) == 1

    @pytest.mark.parametrize(
        "end",
        [
            [user_stops()],
            [committed()],
            [user_timed_out()],
            [wire.InputAudioBufferCleared()],
            [ask(messages.UpdateSession({"turn_detection": "off"})), updated(turn_detection=OFF)],
        ],
        ids=["stopped", "committed", "timed out", "cleared", "detection is off"],
    )
    def test_they_wait_until_the_turn_is_over(self, end) -> None:
        machine = after(live(), user_speaks(), say())

        assert creates(play(machine, *end, at=2.0)) == 1

    def test_what_was_wanted_before_waits_too(self) -> None:
        machine = after(live(), say(), created("r1"), say(), user_speaks())

        assert creates(machine.handle(done("r1", "cancelled"), now=1.0)) == 0
        assert creates(machine.handle(user_stops(), now=2.0)) == 1

    def test_a_server_that_never_says_when_they_stop_is_not_waited_for_for_ever(self) -> None:
        machine = after(live(), user_speaks(), at=1.0)

        waiting = machine.handle(say(), now=5.0)

        assert only(SetTimer, waiting) == [SetTimer(TURN_TIMER, 1.0 + SPEAKS_AT_MOST - 5.0)]
        assert only(SetTimer, machine.handle(say(), now=6.0)) == []
        assert creates(machine.handle(TimerFired(TURN_TIMER), now=1.0 + SPEAKS_AT_MOST)) == 1

    def test_the_limit_of_a_turn_before_means_nothing_in_the_next(self) -> None:
        machine = after(live(), user_speaks(), say(), user_stops(), created(), done())
        after(machine, user_speaks("u2"), at=20.0)

        assert creates(play(machine, TimerFired(TURN_TIMER), say(), at=30.0)) == 0

    def test_nothing_is_limited_while_nothing_waits(self) -> None:
        assert only(SetTimer, play(live(), user_speaks(), user_stops(), at=1.0)) == []


class TestAResponseThatIsOnlyAskedFor:
    """It can be stopped: when it begins."""

    STOPS = pytest.mark.parametrize("stop", [user_speaks(), interrupt()], ids=["speech", "verb"])

    @STOPS
    def test_it_is_cancelled_when_it_begins_and_never_heard(self, stop) -> None:
        machine = after(live(), STORY, stop)

        begun = machine.handle(created("r1", metadata={"wish": "story"}), now=0.5)
        late = play(machine, speech("i1"), speech("i2"), done("r1", "cancelled"), at=0.6)

        assert interruptions(begun) == ["r1"]
        assert cancels(begun) == ["r1"]
        assert heard([*begun, *late]) == []

    @STOPS
    def test_its_calls_are_not_run(self, stop) -> None:
        machine = after(live(AGENT), say(), stop, created("r1"))

        effects = play(machine, called("c1"), done("r1", "cancelled", call_item("c1")))

        assert only(RunTool, effects) == []
        assert outcomes(effects) == [("c1", NOT_RUN)]
        assert sent_types(effects) == ["conversation.item.create"]

    def test_what_the_program_says_after_its_interruption_is_answered(self) -> None:
        machine = after(live(), say("Tell me a long story."), interrupt(), say("No, stop."))

        effects = play(machine, created("r1"), speech("i1"), done("r1", "cancelled"))
        answer = play(machine, created("r2"), speech("i2", response_id="r2"))

        assert creates(effects) == 1
        assert heard([*effects, *answer]) == ["r2"]

    def test_the_servers_answer_to_the_user_is_not_taken_for_it(self) -> None:
        machine = after(live(), say(), user_speaks(), user_stops(), committed())

        effects = play(machine, created("vad"), speech("i1", response_id="vad"))

        assert cancels(effects) == []
        assert heard(effects) == ["vad"]

    def test_it_is_known_by_its_metadata_even_then(self) -> None:
        machine = after(live(), STORY, user_speaks(), user_stops(), committed())

        assert cancels(machine.handle(created("r1", metadata={"wish": "story"}), now=1.0)) == ["r1"]

    def test_where_the_server_answers_no_turns_nothing_else_can_have_begun(self) -> None:
        machine = after(live(), updated(turn_detection=BY_HAND), say())
        after(machine, user_speaks(), user_stops(), committed())

        assert cancels(machine.handle(created("r1"), now=1.0)) == ["r1"]

    def test_speech_that_interrupts_nothing_stops_nothing(self) -> None:
        machine = after(live(barge_in=BargeIn(mode="off")), say(), user_speaks())

        assert cancels(machine.handle(created("r1"), now=1.0)) == []

    def test_speech_does_not_stop_what_is_to_be_said_to_its_end(self) -> None:
        machine = after(live(), ask(messages.CreateResponse(interruptible=False)), user_speaks())

        assert cancels(machine.handle(created("r1"), now=1.0)) == []

    def test_the_program_may_stop_that_too(self) -> None:
        machine = after(live(), ask(messages.CreateResponse(interruptible=False)), interrupt())

        effects = play(machine, created("r1"), done("r1", "cancelled", reason="client_cancelled"))

        assert (cancels(effects), creates(effects)) == (["r1"], 0)

    def test_if_it_is_refused_the_program_has_stopped_it_for_good(self) -> None:
        machine = after(live(), STORY, interrupt(), already_active("ra_2"), say())

        effects = play(machine, created("vad"), done("vad"))

        assert [create.response for create in only(wire.ResponseCreate, effects)] == [None]

    def test_if_it_is_refused_after_speech_it_is_asked_for_after_the_users_turn(self) -> None:
        machine = after(live(), STORY, user_speaks(), already_active("ra_2"))
        after(machine, created("vad"), user_stops())

        assert creates(play(machine, done("vad"))) == 1


class TestAfterTheProgramsInterruption:
    """Nothing is asked for until the user or the program speaks."""

    @staticmethod
    def interrupted() -> SessionMachine:
        """A machine whose tool has ended, once the program had interrupted the response."""
        machine = after(live(AGENT), say(), created("r1"), called("c1"), interrupt())
        effects = play(machine, done("r1", "cancelled"), finished("c1"))
        assert (outcomes(effects), creates(effects)) == ([("c1", "sunny")], 0)
        return machine

    @pytest.mark.parametrize(
        "words",
        [
            [say()],
            [ask(messages.CreateResponse())],
            [ask(messages.SendRawEvent({"type": "response.create"}))],
            [committed()],
        ],
        ids=["a message", "a verb", "a raw event", "a turn by hand"],
    )
    def test_then_what_was_owed_is_asked_for_with_it(self, words) -> None:
        assert creates(play(self.interrupted(), *words)) == 1

    @pytest.mark.parametrize(
        "verb",
        [
            messages.History(),
            messages.AddItem("By the way."),
            messages.UpdateSession({"voice": "a"}),
            messages.Interrupt(),
        ],
    )
    def test_other_verbs_say_nothing(self, verb) -> None:
        assert creates(self.interrupted().handle(ask(verb), now=1.0)) == 0

    def test_what_the_server_begins_by_itself_is_stopped(self) -> None:
        machine = after(live(), user_speaks(), user_stops(), committed(), interrupt())

        effects = play(machine, created("vad"), speech("i1", response_id="vad"))

        assert (interruptions(effects), heard(effects)) == (["vad"], [])

    def test_what_was_heard_and_stopped_before_it_began_is_no_word_of_the_servers(self) -> None:
        machine = after(live(AGENT), say(), created("r1"), called("c1"))
        after(machine, speech("i1", response_id="vad"), interrupt(), created("vad"))

        ends = (done("vad", "cancelled"), done("r1", "cancelled"), finished("c1"))
        assert creates(play(machine, *ends)) == 0
        assert creates(machine.handle(say(), now=1.0)) == 1

    def test_until_the_user_has_spoken_again(self) -> None:
        machine = after(live(), interrupt(), user_speaks(), user_stops(), committed())

        assert heard(play(machine, created("r1"), speech("i1"))) == ["r1"]

    def test_until_the_user_has_begun_whether_or_not_the_end_of_it_is_told(self) -> None:
        machine = after(self.interrupted(), user_speaks(), at=1.0)

        over = machine.handle(TimerFired(TURN_TIMER), now=1.0 + SPEAKS_AT_MOST)

        assert creates(over) == 1

    def test_a_new_connection_begins_anew(self) -> None:
        machine = after(live(), interrupt(), ConnectionLost(code=1006))

        assert machine.handle(interrupt(), now=1.0) == [Answer("caller")]


class TestCallsOfAResponseThatWasStopped:
    """Those that have not begun are answered, and not run."""

    STOPS = pytest.mark.parametrize(
        "stop",
        [user_speaks(), interrupt(), done("r1", "cancelled", reason="client_cancelled")],
        ids=["speech", "verb", "cancelled"],
    )

    @STOPS
    def test_one_that_waits_for_another(self, stop) -> None:
        machine = after(live(AGENT, async_tool_calls=False), say(), created("r1"))
        after(machine, called("c1", "time"), called("c2"))

        stopped = machine.handle(stop, now=1.0)

        assert outcomes(stopped) == [("c2", NOT_RUN)]
        assert outcomes(machine.handle(finished("c1"), now=2.0)) == [("c1", "sunny")]

    @STOPS
    def test_one_that_waits_for_approval(self, stop) -> None:
        machine = after(live(AGENT), say(), created("r1"), called("c1"), ApprovalNeeded("c1"))

        assert outcomes(machine.handle(stop, now=1.0)) == [("c1", NOT_RUN)]

    @STOPS
    def test_one_that_comes_late(self, stop) -> None:
        machine = after(live(AGENT), say(), created("r1"), speech("i1"), stop)

        effects = machine.handle(called("c1"), now=1.0)

        assert outcomes(effects) == [("c1", NOT_RUN)]
        assert only(RunTool, effects) == []

    @STOPS
    def test_one_that_runs_goes_on(self, stop) -> None:
        machine = after(live(AGENT), say(), created("r1"), called("c1"), stop)

        assert outcomes(machine.handle(finished("c1"), now=1.0)) == [("c1", "sunny")]

    def test_if_none_of_them_ran_there_is_nothing_to_speak_of(self) -> None:
        machine = after(live(AGENT), say(), created("r1"), called("c1"), ApprovalNeeded("c1"))

        effects = machine.handle(done("r1", "cancelled", reason="client_cancelled"), now=1.0)

        assert (outcomes(effects), creates(effects)) == ([("c1", NOT_RUN)], 0)

    def test_those_of_another_response_run(self) -> None:
        machine = after(live(AGENT), say(), created("r1"), interrupt(), done("r1", "cancelled"))
        after(machine, say(), created("r2"))

        effects = machine.handle(called("c2", response_id="r2"), now=1.0)

        assert [run.call_id for run in only(RunTool, effects)] == ["c2"]

    def test_those_of_a_response_that_was_heard_to_its_end_run(self) -> None:
        machine = after(live(AGENT, async_tool_calls=False), say(), created("r1"))
        after(machine, called("c1", "time"), called("c2"), done("r1"))
        after(machine, user_speaks(), at=1.0)

        effects = machine.handle(finished("c1"), now=2.0)

        assert [run.call_id for run in only(RunTool, effects)] == ["c2"]


class TestWhatCallsAreOwed:
    """A response in which the model speaks of their outputs: any that begins after them."""

    ANSWER = (user_stops(), committed(), created("vad"))
    OUTPUT = output_item("o1", "c1", "sunny")

    @staticmethod
    def during_speech(*between: AnyMessage, **options: Any) -> SessionMachine:
        """A machine whose tool has ended while the user speaks."""
        machine = after(live(AGENT, **options), say(), created("r1"), called("c1"), done("r1"))
        after(machine, *between, user_speaks("u1"))
        assert sent_types(machine.handle(finished("c1"), now=1.0)) == ["conversation.item.create"]
        return machine

    def test_the_servers_answer_to_the_user_is_such_a_response(self) -> None:
        machine = self.during_speech()

        assert creates(play(machine, *self.ANSWER, done("vad"), at=2.0)) == 0
        assert creates(machine.handle(TimerFired(TURN_TIMER), now=8.0)) == 0

    def test_if_the_server_does_not_answer_it_is_asked_for(self) -> None:
        machine = self.during_speech()

        over = play(machine, user_stops(), at=2.0)

        assert only(SetTimer, over) == [SetTimer(TURN_TIMER, ANSWERED_WITHIN)]
        assert creates(machine.handle(TimerFired(TURN_TIMER), now=2.0 + ANSWERED_WITHIN)) == 1

    @pytest.mark.parametrize(
        "options", [{}, {"barge_in": BargeIn(mode="off")}], ids=["by hand", "patient"]
    )
    def test_where_the_server_answers_no_turns_it_is_asked_for_at_once(self, options) -> None:
        between = () if options else (updated(turn_detection=BY_HAND),)
        machine = self.during_speech(*between, **options)

        assert creates(play(machine, user_stops(), committed(), at=2.0)) == 1

    def test_outputs_that_come_during_a_response_are_spoken_of_after_it(self) -> None:
        machine = after(live(AGENT), say(), created("r1"), called("c1"), done("r1"), user_speaks())
        after(machine, *self.ANSWER, finished("c1"), at=1.0)

        assert creates(machine.handle(done("vad"), now=2.0)) == 1

    def test_outputs_that_the_server_had_only_after_it_began_are_spoken_of_after_it(self) -> None:
        machine = after(self.during_speech(), *self.ANSWER, added(self.OUTPUT), at=2.0)

        assert creates(machine.handle(done("vad"), now=3.0)) == 1

    def test_outputs_that_the_server_had_before_it_began_are_not(self) -> None:
        machine = after(self.during_speech(), added(self.OUTPUT), *self.ANSWER, at=2.0)

        assert creates(machine.handle(done("vad"), now=3.0)) == 0

    def test_whatever_else_is_asked_for_is_such_a_response(self) -> None:
        machine = after(self.during_speech(), STORY)

        effects = play(machine, user_stops(), created("r2"), done("r2"), at=2.0)

        assert creates(effects) == 1

    def test_what_was_asked_for_before_they_came_is_not(self) -> None:
        machine = after(live(AGENT), say(), created("r1"), called("c1"), done("r1"))
        after(machine, STORY, finished("c1"), created("r2", metadata={"wish": "story"}))

        assert creates(machine.handle(done("r2"), now=1.0)) == 1

    def test_one_that_is_refused_for_another_after_the_outputs_is_not_asked_for_again(self) -> None:
        machine = after(live(AGENT), say(), created("r1"), called("c1"), done("r1"))
        after(machine, finished("c1"), added(self.OUTPUT), created("vad"), already_active())

        assert creates(machine.handle(done("vad"), now=1.0)) == 0

    def test_one_that_is_refused_for_another_before_them_is(self) -> None:
        machine = after(live(AGENT), say(), created("r1"), called("c1"), done("r1"))
        after(machine, finished("c1"), created("vad"), already_active(), added(self.OUTPUT))

        assert creates(machine.handle(done("vad"), now=1.0)) == 1

    def test_one_that_is_stopped_before_it_begins_is_asked_for_after_the_users_turn(self) -> None:
        machine = after(live(AGENT), updated(turn_detection=BY_HAND), say(), created("r1"))
        after(machine, called("c1"), done("r1"), finished("c1"), user_speaks())

        stopped = play(machine, created("r2"), done("r2", "cancelled"), at=1.0)

        assert (cancels(stopped), creates(stopped)) == (["r2"], 0)
        assert creates(machine.handle(user_stops(), now=2.0)) == 1

    def test_calls_that_were_not_run_are_owed_nothing(self) -> None:
        machine = after(live(AGENT), say(), created("r1"), user_speaks(), called("c1"))
        after(machine, done("r1", "cancelled", call_item("c1")))

        effects = play(machine, user_stops(), committed(), TimerFired(TURN_TIMER), at=9.0)

        assert creates(effects) == 0

    def test_they_are_owed_until_somebody_speaks_of_them(self) -> None:
        machine = self.during_speech()

        (ended,) = only(AgentEndEvent, play(machine, *self.ANSWER, done("vad"), at=2.0))

        assert ended.final


def test_a_refusal_while_the_user_speaks_is_no_reason_to_ask_again_at_once() -> None:
    machine = after(live(), say(), user_speaks(), refused(event_id="ra_2"), say())

    assert creates(machine.handle(user_stops(), now=2.0)) == 1
