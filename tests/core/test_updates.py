"""Changing settings: each update has one answer, and each answer belongs to one update."""

from __future__ import annotations

import pytest

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.config import OFF, SessionModelSettings, TurnDetectionConfig
from realtime_actors.core.effects import Answer, CancelTimer, Gate, Publish, Send, SetGate, SetTimer
from realtime_actors.core.messages import TimerFired
from realtime_actors.core.settings import ANSWER_WITHIN
from realtime_actors.errors import ConfigError, SessionUpdateError
from realtime_actors.events import ErrorEvent, SessionUpdatedEvent
from tests.core.machine import (
    after,
    answers,
    ask,
    created,
    live,
    only,
    play,
    refusal,
    refused,
    sent,
    speech,
    updated,
)


def change(caller: object = "caller", **settings: object):
    return ask(messages.UpdateSession(settings), caller)


@pytest.mark.parametrize("given", [{"speed": 1.2}, SessionModelSettings(speed=1.2)])
def test_only_what_changes_is_sent_and_the_caller_waits(given) -> None:  # S26
    effects = live().handle(ask(messages.UpdateSession(given)), now=0.0)

    assert effects == [
        Send(wire.SessionUpdate(session=SessionModelSettings(speed=1.2), event_id="ra_2")),
        SetTimer(("update", "ra_2"), ANSWER_WITHIN),
    ]


def test_the_acknowledgement_is_told_and_the_caller_goes_on() -> None:
    machine = after(live(), change(speed=1.2))
    acknowledged = updated(speed=1.2)

    effects = machine.handle(acknowledged, now=0.0)

    assert effects == [
        Publish(SessionUpdatedEvent(session=acknowledged.session)),
        CancelTimer(("update", "ra_2")),
        Answer("caller"),
    ]


def test_the_microphone_follows_a_change_of_its_format() -> None:
    machine = after(live(), change(input_audio_format="g711_alaw"))

    effects = machine.handle(updated(input_audio_format="g711_alaw"), now=0.0)

    assert only(SetGate, effects) == [SetGate(Gate(True, audio_format="g711_alaw"))]


def test_acknowledgements_come_in_the_order_of_the_updates() -> None:
    machine = after(live(), change("Ann", speed=1.2), change("Bob", speed=1.3))

    callers = [only(Answer, machine.handle(updated(), now=0.0))[0].caller for _ in range(2)]

    assert callers == ["Ann", "Bob"]


@pytest.mark.parametrize(("event_id", "who"), [("ra_3", "Bob"), (None, "Ann")])
def test_a_refusal_is_raised_at_the_one_whose_update_it_was(event_id, who) -> None:
    machine = after(live(), change("Ann", speed=1.2), change("Bob", voice="nobody"))

    effects = machine.handle(
        refused("invalid_value", event_id=event_id, param="session.voice", message="no such"),
        now=0.0,
    )

    error = refusal(effects)
    assert isinstance(error, SessionUpdateError)
    assert (error.code, error.param, "no such" in str(error)) == (
        "invalid_value",
        "session.voice",
        True,
    )
    assert len(only(ErrorEvent, effects)) == 1
    assert [each.caller for each in effects if hasattr(each, "caller")] == [who]
    left = {"Ann", "Bob"} - {who}
    assert {answer.caller for answer in only(Answer, machine.handle(updated(), now=0.0))} == left


class TestAnUpdateThatIsNeverAnswered:
    TIMER = TimerFired(("update", "ra_2"))

    def test_is_given_up(self) -> None:
        machine = after(live(), change(speed=1.2))

        assert isinstance(refusal(machine.handle(self.TIMER, now=8.0)), SessionUpdateError)

    def test_does_not_take_the_answer_of_the_next(self) -> None:
        machine = after(live(), change("Ann", speed=1.2), self.TIMER)

        effects = play(machine, change("Bob", speed=1.3), updated())

        assert [answer.caller for answer in only(Answer, effects)] == ["Bob"]

    def test_is_forgotten_when_it_was_raw_too(self) -> None:
        raw = messages.SendRawEvent({"type": "session.update", "session": {"speed": 9}})
        machine = after(live(), ask(raw), self.TIMER)

        effects = play(machine, change("Bob", speed=1.3), updated())

        assert [answer.caller for answer in only(Answer, effects)] == ["Bob"]

    def test_may_be_answered_too_late(self) -> None:
        machine = after(live(), change(speed=1.2), self.TIMER)

        assert answers(machine.handle(updated(), now=9.0)) == []


@pytest.mark.parametrize(
    "settings", [{"sped": 1.2}, {"speed": 9}, {"model": "gpt-realtime-2"}, {"voice": 7}]
)
def test_what_cannot_be_is_refused_and_nothing_is_sent(settings) -> None:
    effects = live().handle(ask(messages.UpdateSession(settings)), now=0.0)

    assert answers(effects) == [ConfigError]
    assert sent(effects) == []


class TestTheVoice:
    def test_can_be_changed_before_the_model_has_spoken(self) -> None:
        assert len(sent(live().handle(change(voice="cedar"), now=0.0))) == 1

    def test_cannot_be_changed_afterwards(self) -> None:
        machine = after(live(), updated(voice="marin"), created("r1"), speech())

        error = refusal(machine.handle(change(voice="cedar"), now=0.0))

        assert isinstance(error, ConfigError)
        assert "'marin'" in str(error)
        assert "'cedar'" in str(error)

    def test_can_be_said_again(self) -> None:
        machine = after(live(), updated(voice="marin"), created("r1"), speech())

        assert len(sent(machine.handle(change(voice="marin"), now=0.0))) == 1


class TestRawUpdates:
    RAW = ask(messages.SendRawEvent({"type": "session.update", "session": {"speed": 1.1}}))

    def test_go_out_as_they_are_under_a_name(self) -> None:
        (update,) = sent(live().handle(self.RAW, now=0.0))

        assert update == wire.RawClientEvent(
            payload={"type": "session.update", "session": {"speed": 1.1}, "event_id": "ra_2"}
        )

    def test_keep_their_own_name(self) -> None:
        raw = {"type": "session.update", "session": {}, "event_id": "mine"}

        (update,) = sent(live().handle(ask(messages.SendRawEvent(raw)), now=0.0))

        assert update == wire.RawClientEvent(payload=raw)

    def test_have_an_answer_of_their_own(self) -> None:
        machine = after(live(), self.RAW, change("Ann", speed=1.2))

        assert answers(machine.handle(updated(), now=0.0)) == []
        assert answers(machine.handle(updated(), now=0.0)) == [None]

    def test_may_be_refused(self) -> None:
        machine = after(live(), self.RAW, change("Ann", speed=1.2))

        assert answers(machine.handle(refused(event_id="ra_2"), now=0.0)) == []
        assert answers(machine.handle(updated(), now=0.0)) == [None]


@pytest.mark.parametrize(
    "asked",
    [
        change(input_audio_format="g711_alaw"),
        TestRawUpdates.RAW,
        None,
    ],
    ids=["by a verb", "by a raw event", "by the server itself"],
)
def test_the_microphone_learns_of_a_new_format_whoever_changed_it(asked) -> None:
    machine = after(live(), *([asked] if asked else []))

    effects = machine.handle(updated(input_audio_format="g711_alaw"), now=0.0)

    assert only(SetGate, effects) == [SetGate(Gate(True, audio_format="g711_alaw"))]


def test_switching_turn_detection_off_is_a_change_like_any_other() -> None:
    machine = after(live(), change(turn_detection=OFF), updated(turn_detection=OFF))

    (update,) = sent(machine.handle(change(turn_detection=TurnDetectionConfig()), now=0.0))

    assert update.session.turn_detection == TurnDetectionConfig()
