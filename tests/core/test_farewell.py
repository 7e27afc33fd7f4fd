"""An end that the program asks for, and that is put off until something is over."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_actors import messages
from realtime_actors.config import BargeIn
from realtime_actors.core.effects import Answer, Effects, End, Publish, RunTool, SetTimer
from realtime_actors.core.farewell import FAREWELL_TIMER
from realtime_actors.core.limits import FINISH_WITHIN, GOODBYE_TIMER
from realtime_actors.core.machine import SessionMachine
from realtime_actors.core.messages import ConnectionLost, TimerFired
from realtime_actors.core.speech.playback import LATE
from realtime_actors.errors import ConfigError, SessionClosedError
from realtime_actors.events import AudioEvent, AudioInterruptedEvent, ConnectionEvent
from tests.core.machine import (
    Timers,
    after,
    agent_with,
    ask,
    called,
    committed,
    created,
    creates,
    done,
    finished,
    interrupt,
    live,
    new,
    only,
    play,
    refusal,
    say,
    speech,
    speech_done,
    user_speaks,
    user_stops,
)

AFTER_PLAYBACK = ask(messages.Close(after_playback=20), "who closes")
AFTER_TURN = ask(messages.Close(after_turn=20), "who closes")
BOTH = pytest.mark.parametrize("close", [AFTER_PLAYBACK, AFTER_TURN], ids=["playback", "turn"])
LOOK = TimerFired(FAREWELL_TIMER)


def ended(effects: Effects) -> bool:
    """Whether the session ended, in order: subscribers, who closed it, and then the shell."""
    if only(End, effects) == []:
        return False
    ends = [each for each in effects if isinstance(each, Publish | Answer | End)][-3:]
    assert [type(each) for each in ends] == [Publish, Answer, End]
    (closed,) = only(ConnectionEvent, effects)
    assert (closed.state, closed.reason, closed.error) == ("closed", "the session was closed", None)
    assert ends[1:] == [Answer("who closes"), End(None)]
    return True


def speaking(**options: Any) -> SessionMachine:
    """A machine whose model has said a second of what it says, at 1 s."""
    return after(live(**options), created("r1"), speech("i1", 1000), at=1.0)


@BOTH
def test_a_session_in_which_all_is_quiet_ends_at_once(close):
    assert ended(live().handle(close, 0.0))


@BOTH
def test_a_session_that_has_not_begun_ends_at_once(close):
    assert only(End, new().handle(close, 0.0)) == [End(None)]


@BOTH
def test_what_the_model_is_saying_is_made_and_heard_first(close):
    machine = speaking()
    assert not ended(machine.handle(close, 1.2))

    rest = play(machine, speech("i1", 2000), speech_done("i1"), done("r1"), at=1.5)

    assert [event.audio.data != b"" for event in only(AudioEvent, rest)] == [True]
    assert not ended(rest)  # it is heard until 4 s
    timer = GOODBYE_TIMER if close is AFTER_PLAYBACK else FAREWELL_TIMER
    assert SetTimer(timer, 2.5) in rest
    assert ended(machine.handle(TimerFired(timer), 4.0))


@BOTH
def test_a_player_that_reports_says_when_it_was_heard(close):
    machine = speaking(playback_reported=True)
    after(machine, speech_done("i1"), done("r1"), close, at=1.1)

    assert not ended(machine.handle(played(400), 1.5))
    assert ended(machine.handle(played(600), 1.9))


def played(ms: float) -> Any:
    return ask(messages.PlaybackPosition(item_id="i1", content_index=0, played_ms=ms), "player")


@BOTH
def test_a_player_that_has_died_is_not_waited_for_longer_than_it_may_take(close):
    machine, timers, now = speaking(playback_reported=True), Timers(), 1.1
    effects = timers.note(play(machine, speech_done("i1"), done("r1"), close, at=now), now)

    while not ended(effects):
        due = timers.next()
        assert due is not None
        fired, now = due
        effects = timers.note(machine.handle(fired, now), now)

    assert now == 1.0 + 1.0 + LATE  # said at 1 s, and a second long


@BOTH
def test_the_end_is_not_put_off_for_longer_than_it_was_said(close):
    machine = speaking()
    assert SetTimer(FAREWELL_TIMER, 20.0) in machine.handle(close, 1.0)

    assert not ended(machine.handle(speech("i1", 40_000), 20.9))
    assert ended(machine.handle(LOOK, 21.0))


@BOTH
def test_the_user_who_talks_over_the_model_ends_what_is_left_to_be_heard(close):
    machine = speaking()
    after(machine, close, at=1.2)

    effects = machine.handle(user_speaks(), 1.5)

    assert only(AudioInterruptedEvent, effects) != []
    if close is AFTER_PLAYBACK:
        # the server is told to stop, and says so: nothing is left
        effects += machine.handle(done("r1", "cancelled"), 1.6)
        assert only(End, effects) == [End(None)]
    else:  # the user is answered first
        effects += machine.handle(done("r1", "cancelled"), 1.6)
        assert not ended(effects)


def test_after_playback_what_the_server_says_to_the_user_is_not_heard():
    machine = speaking(barge_in=BargeIn(mode="off"))
    after(machine, AFTER_PLAYBACK, user_speaks(), user_stops(), committed(), at=1.2)

    effects = play(machine, done("r1"), created("r2"), speech("i2", 1000, response_id="r2"), at=1.3)

    assert [event.response_id for event in only(AudioEvent, effects)] == []


def test_after_the_turn_means_that_the_user_has_been_answered():
    machine = after(live(), user_speaks(), at=1.0)
    assert not ended(machine.handle(AFTER_TURN, 1.2))

    assert not ended(play(machine, user_stops(), committed(), at=2.0))
    assert not ended(play(machine, created("r1"), speech("i1", 1000), done("r1"), at=3.0))
    assert ended(machine.handle(LOOK, 4.0))


def test_a_user_whom_the_server_does_not_answer_is_not_waited_for_again():
    machine = after(live(), user_speaks(), AFTER_TURN, at=1.0)

    effects = play(machine, user_stops(), committed(), at=2.0)

    assert SetTimer(FAREWELL_TIMER, 2.0) in effects
    assert ended(machine.handle(LOOK, 4.0))


def test_after_the_turn_means_that_tools_have_run_and_were_spoken_of():
    machine = live(agent_with("weather"))
    after(machine, created("r1"), AFTER_TURN, at=1.0)

    runs = play(machine, called("c1"), done("r1"), at=1.1)
    assert [each.call_id for each in only(RunTool, runs)] == ["c1"]
    assert not ended(runs)

    asks = machine.handle(finished("c1"), 2.0)
    assert creates(asks) == 1
    assert not ended(asks)

    assert not ended(play(machine, created("r2"), speech("i2", 500, response_id="r2"), at=2.5))
    assert not ended(machine.handle(done("r2"), 2.6))
    assert ended(machine.handle(LOOK, 3.0))


def test_after_playback_a_tool_is_not_spoken_of():
    machine = live(agent_with("hang_up"))
    after(machine, created("r1"), speech("i1", 1000), called("c1", "hang_up"), done("r1"), at=1.0)

    # `hang_up` itself closes the session, and waits for that
    assert creates(machine.handle(AFTER_PLAYBACK, 1.1)) == 0

    effects = machine.handle(TimerFired(GOODBYE_TIMER), 2.0)
    assert only(End, effects) == [End(None)]


@BOTH
@pytest.mark.parametrize("wish", [say(), ask(messages.CreateResponse())])
def test_nothing_more_may_be_asked_for_meanwhile(close, wish):
    machine = after(speaking(), close, at=1.2)

    error = refusal(machine.handle(wish, 1.3))

    assert isinstance(error, SessionClosedError)
    assert str(error) == (
        "the session is ending: the session was closed: nothing is answered any more"
    )


@BOTH
@pytest.mark.parametrize(
    "what",
    [ask(messages.Close(), "another"), ConnectionLost(code=1006)],
    ids=["a second close", "a loss"],
)
def test_what_ends_it_at_once_answers_those_who_wait_for_its_end(close, what):
    machine = after(speaking(), close, at=1.2)

    effects = machine.handle(what, 1.3)

    assert only(End, effects) == [End(None)]
    assert Answer("who closes") in effects


def test_whoever_closes_again_waits_for_what_is_over_first():
    machine = speaking()
    after(machine, AFTER_TURN, ask(messages.Close(after_playback=5), "in a hurry"), at=1.0)
    after(machine, done("r1"), at=1.1)

    effects = machine.handle(TimerFired(GOODBYE_TIMER), 2.0)

    assert only(Answer, effects) == [Answer("who closes"), Answer("in a hurry")]


def test_an_interruption_by_the_program_ends_what_was_left_to_be_heard():
    machine = after(speaking(), AFTER_PLAYBACK, at=1.2)

    effects = play(machine, interrupt("the program"), done("r1", "cancelled"), at=1.3)

    assert only(End, effects) == [End(None)]


def test_a_response_that_never_comes_to_its_end_is_not_waited_for():
    machine = speaking()
    effects = machine.handle(ask(messages.Close(after_playback=60), "who closes"), 1.0)

    assert SetTimer(GOODBYE_TIMER, FINISH_WITHIN) in effects
    assert ended(machine.handle(TimerFired(GOODBYE_TIMER), 1.0 + FINISH_WITHIN))


@pytest.mark.parametrize("option", ["after_playback", "after_turn"])
@pytest.mark.parametrize("value", [-1, "soon", float("nan"), None])
def test_what_is_no_length_of_time_is_refused(option, value):
    with pytest.raises(ConfigError, match="allowed are seconds"):
        messages.Close(**{option: value})


@pytest.mark.parametrize("option", ["after_playback", "after_turn"])
def test_true_is_a_minute(option):
    assert messages.Close(**{option: True}).within == 60.0
    assert messages.Close(**{option: False}) == messages.Close()
