"""Which responses are out of band, whatever a server leaves out."""

from __future__ import annotations

import itertools

import pytest

from realtime_actors import messages
from realtime_actors.core.effects import CancelTimer, Effects, RunTool, SetTimer
from realtime_actors.core.machine import SessionMachine
from realtime_actors.core.messages import TimerFired
from realtime_actors.core.responses.out_of_band import out_of_band_timer
from realtime_actors.events import AgentEndEvent, AgentStartEvent, ErrorEvent
from tests.core.machine import (
    AnyMessage,
    after,
    agent_with,
    already_active,
    ask,
    called,
    committed,
    created,
    done,
    live,
    only,
    play,
    refused,
    say,
    user_speaks,
    user_stops,
)

MOOD = {"topic": "mood"}
WISH = ask(messages.CreateResponse(conversation="none"))
NAMED_WISH = ask(messages.CreateResponse(conversation="none", metadata=MOOD))
TURNS: list[list[AnyMessage]] = [
    [user_speaks("u1")],
    [user_speaks("u1"), user_stops("u1"), committed("u1")],
    [committed("u1")],
]
"""What a server may say of the user's turn before it answers it by itself."""


def machine() -> SessionMachine:
    return live(agent_with("weather"))


def unnamed(response_id: str, metadata: dict[str, str] | None = None) -> AnyMessage:
    """The beginning of a response whose conversation the server does not name."""
    return created(response_id, conversation_id=None, metadata=metadata)


def begun_in_the_conversation(effects: Effects) -> list[str | None]:
    return [start.response_id for start in only(AgentStartEvent, effects)]


class TestWhereNoConversationIsEverNamed:
    @pytest.mark.parametrize("wish", [WISH, NAMED_WISH])
    @pytest.mark.parametrize("refusal", [refused(event_id="ra_2"), already_active("ra_2")])
    def test_a_wish_that_was_refused_claims_nothing(self, wish, refusal) -> None:
        session = after(machine(), wish, refusal)

        effects = play(session, unnamed("r1"), called("c1", response_id="r1"))

        assert begun_in_the_conversation(effects) == ["r1"]
        assert [run.call_id for run in only(RunTool, effects)] == ["c1"]

    @pytest.mark.parametrize("wish", [WISH, NAMED_WISH])
    def test_a_wish_that_was_lost_does_not_claim_what_was_asked_for(self, wish) -> None:
        session = after(machine(), wish, say())

        effects = play(session, unnamed("r1"), called("c1", response_id="r1"))

        assert begun_in_the_conversation(effects) == ["r1"]
        assert [run.call_id for run in only(RunTool, effects)] == ["c1"]

    @pytest.mark.parametrize("turn", TURNS)
    @pytest.mark.parametrize("wish", [WISH, NAMED_WISH])
    def test_a_wish_that_was_lost_does_not_claim_the_answer_to_the_user(self, wish, turn) -> None:
        session = after(machine(), wish, *turn)

        effects = play(session, unnamed("r1"), called("c1", response_id="r1"))

        assert begun_in_the_conversation(effects) == ["r1"]
        assert [run.call_id for run in only(RunTool, effects)] == ["c1"]

    def test_a_turn_that_was_answered_claims_nothing_any_more(self) -> None:
        session = after(machine(), *TURNS[1], unnamed("r1"), done("r1"), WISH)

        assert begun_in_the_conversation(play(session, unnamed("side"))) == []

    def test_metadata_tell_a_response_from_those_that_may_come_as_well(self) -> None:
        session = after(machine(), NAMED_WISH, say(), user_speaks("u1"))

        effects = play(session, unnamed("side", MOOD), unnamed("r1"))

        assert begun_in_the_conversation(effects) == ["r1"]

    def test_metadata_that_two_were_given_tell_nothing(self) -> None:
        same = ask(messages.CreateResponse(metadata=MOOD))
        session = after(machine(), NAMED_WISH, same)

        assert begun_in_the_conversation(play(session, unnamed("r1", MOOD))) == ["r1"]

    def test_a_response_that_is_only_seen_ending_is_known_as_well(self) -> None:
        session = after(machine(), WISH)

        effects = play(session, done("side", conversation_id=None))

        assert only(AgentEndEvent, effects) == []
        assert CancelTimer(out_of_band_timer("ra_2")) in effects

    def test_without_an_id_a_response_is_one_of_the_conversation(self) -> None:
        effects = play(machine(), WISH, created(None, conversation_id=None))

        assert begun_in_the_conversation(effects) == [None]


class TestWhereConversationsAreNamed:
    def test_a_response_without_one_is_out_of_band_though_its_wish_was_given_up(self) -> None:
        session = after(machine(), created("r1"), done("r1"), WISH)
        after(session, TimerFired(out_of_band_timer("ra_2")), say(), user_speaks("u1"))

        assert begun_in_the_conversation(play(session, unnamed("side"))) == []

    def test_a_response_in_one_is_not_claimed(self) -> None:
        assert begun_in_the_conversation(play(machine(), WISH, created("r1"))) == ["r1"]


def test_a_wish_that_nothing_answers_is_given_up_and_said_so() -> None:
    asking = play(session := machine(), WISH)

    effects = session.handle(TimerFired(out_of_band_timer("ra_2")), now=15.0)

    assert SetTimer(out_of_band_timer("ra_2"), 15.0) in asking
    (error,) = only(ErrorEvent, effects)
    assert (error.error.type, error.recoverable) == ("response_unanswered", True)
    assert begun_in_the_conversation(play(session, unnamed("r1"))) == ["r1"]
    assert session.handle(TimerFired(out_of_band_timer("ra_2")), now=30.0) == []


@pytest.mark.parametrize(
    ("names", "echoes", "metadata", "fate", "ordinary"),
    [
        *itertools.product(
            (True, False),
            (True, False),
            (None, MOOD),
            ("answered first", "answered last", "refused", "lost"),
            ([say()], *TURNS),
        )
    ],
)
def test_a_response_of_the_conversation_is_never_taken_for_another(
    names, echoes, metadata, fate, ordinary
) -> None:
    session = after(machine(), created("r0", conversation_id="conv1" if names else None))
    after(session, done("r0"))
    wish = ask(messages.CreateResponse(conversation="none", metadata=metadata))
    ours = created("r1", conversation_id="conv1" if names else None)
    side = unnamed("side", metadata if echoes else None)
    told_apart = names or (echoes and metadata is not None)
    story = {
        "answered first": [wish, *ordinary, side, ours],
        "answered last": [wish, *ordinary, ours, side],
        "refused": [wish, refused(event_id="ra_2"), *ordinary, ours],
        "lost": [wish, *ordinary, ours],
    }[fate]

    calls = [called("c1", response_id="r1"), called("c2", response_id="side")]

    effects = play(session, *story, *calls)

    if told_apart or fate != "answered first":
        assert "r1" in begun_in_the_conversation(effects)
        assert "c1" in [run.call_id for run in only(RunTool, effects)]
    if told_apart and "answered" in fate:
        assert begun_in_the_conversation(effects) == ["r1"]
        assert [run.call_id for run in only(RunTool, effects)] == ["c1"]
