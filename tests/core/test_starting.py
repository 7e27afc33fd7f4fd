"""The beginning: nothing goes out before the server has taken the configuration."""

from __future__ import annotations

import itertools

import pytest

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.config import (
    SessionModelSettings,
    TurnDetectionConfig,
    default_session_settings,
    merge_settings,
)
from realtime_actors.core.contract import Phase
from realtime_actors.core.effects import (
    Answer,
    CancelTimer,
    End,
    Gate,
    Publish,
    Ready,
    Refuse,
    ResolveAgent,
    Send,
    SetGate,
)
from realtime_actors.core.machine import SessionMachine
from realtime_actors.core.messages import (
    AgentNotResolved,
    AgentResolved,
    Connected,
    ConnectFailed,
    ConnectionLost,
    Started,
)
from realtime_actors.errors import (
    ConfigError,
    NotConnectedError,
    SessionClosedError,
    SessionFailedError,
    SessionUpdateError,
    StartError,
)
from realtime_actors.events import (
    ConnectionEvent,
    ErrorEvent,
    ErrorInfo,
    SessionUpdatedEvent,
)
from tests.core.machine import (
    AGENT,
    AnyMessage,
    after,
    agent_with,
    already_active,
    answers,
    arguments_done,
    ask,
    creates,
    done,
    finished,
    live,
    new,
    only,
    play,
    published,
    refusal,
    refused,
    resolve,
    say,
    sent,
    sent_types,
    updated,
)

RESOLVED = AgentResolved(resolve(AGENT))


def test_the_agents_user_code_runs_in_a_task_and_the_microphone_is_closed() -> None:
    effects = new().handle(Started(), now=0.0)

    assert effects == [
        SetGate(Gate(False, "the session is not connected yet")),
        Publish(ConnectionEvent(state="connecting")),
        ResolveAgent(AGENT),
    ]


@pytest.mark.parametrize("order", list(itertools.permutations([Connected(), RESOLVED])))
def test_the_whole_configuration_goes_out_in_one_update(order) -> None:
    settings = SessionModelSettings(
        modalities=("audio",), voice="marin", turn_detection=TurnDetectionConfig()
    )
    machine = after(new(settings=settings), Started(), order[0])

    effects = machine.handle(order[1], now=0.0)

    assert effects == [
        Send(
            wire.SessionUpdate(
                event_id="ra_1",
                session=SessionModelSettings(
                    modalities=("audio",),
                    voice="marin",
                    turn_detection=TurnDetectionConfig(),
                    instructions="Be kind.",
                    tools=(),
                ),
            )
        )
    ]


def test_tools_and_handoffs_of_the_agent_are_offered_beside_those_of_the_settings() -> None:
    mcp = {"type": "mcp", "server_label": "docs", "server_url": "https://mcp.test"}
    agent = agent_with("weather", handoffs=[agent_with(name="Billing Desk")])
    machine = after(new(agent, settings=SessionModelSettings(tools=(mcp,))), Started(), Connected())

    (update,) = sent(machine.handle(AgentResolved(resolve(agent)), now=0.0))

    assert [tool.get("name", "docs") for tool in update.session.tools] == [
        "docs",
        "weather",
        "transfer_to_billing_desk",
    ]


def test_what_the_server_says_by_itself_does_not_configure_it_twice() -> None:
    machine = after(new(), Started(), Connected())
    greeting = wire.SessionCreated(session=wire.SessionInfo(id="s1"))

    assert machine.handle(greeting, now=0.0) == []
    assert sent_types(machine.handle(RESOLVED, now=0.0)) == ["session.update"]
    assert machine.handle(RESOLVED, now=0.0) == []


def test_the_acknowledgement_opens_the_microphone_and_lets_whoever_waits_go_on() -> None:
    machine = after(new(), Started(), Connected(), RESOLVED)
    acknowledged = updated(input_audio_format="g711_ulaw")

    effects = machine.handle(acknowledged, now=0.0)

    assert effects == [
        SetGate(Gate(True, audio_format="g711_ulaw")),
        Publish(SessionUpdatedEvent(session=acknowledged.session)),
        CancelTimer(("update", "ra_1")),
        Publish(ConnectionEvent(state="connected")),
        Ready(),
    ]
    assert machine.phase is Phase.LIVE


def test_nothing_is_sent_before_the_server_has_taken_the_configuration() -> None:
    machine = new()
    verbs: list[messages.Verb] = [
        messages.SendMessage("Hi"),
        messages.CreateResponse(),
        messages.CommitAudio(),
        messages.ClearAudio(),
        messages.SendRawEvent({"type": "response.create"}),
        messages.UpdateSession({"voice": "marin"}),
    ]
    for step in (Started(), Connected(), RESOLVED):
        machine.handle(step, now=0.0)

        effects = play(machine, *(ask(verb) for verb in verbs))

        assert sent(effects) == []
        assert answers(effects) == [NotConnectedError] * len(verbs)


def test_questions_and_interruptions_are_answered_before_that_too() -> None:
    machine = after(new(), Started())

    effects = play(
        machine, ask(messages.History()), ask(messages.CurrentAgent()), ask(messages.Interrupt())
    )

    assert effects == [Answer("caller", ()), Answer("caller", AGENT), Answer("caller", None)]


def test_a_call_that_was_going_on_before_is_not_answered_in_speech_before_the_start() -> None:
    # Joining a call (ModelConfig.call_id): the model may be at work when we come.
    machine = after(new(), Started(), Connected(), RESOLVED)

    effects = play(machine, arguments_done("c1", "weather"), done())
    assert creates(effects) == 0

    assert creates(machine.handle(updated(), now=0.0)) == 1


def test_a_refused_configuration_ends_the_session_with_its_reason() -> None:
    machine = after(new(), Started(), Connected(), RESOLVED)

    effects = machine.handle(
        refused("invalid_value", event_id="ra_1", param="session.voice", message="no such voice"),
        now=0.0,
    )

    (end,) = only(End, effects)
    assert isinstance(end.error, SessionUpdateError)
    assert (end.error.code, end.error.param) == ("invalid_value", "session.voice")
    assert "no such voice" in str(end.error)
    error, closed = published(effects)
    assert error == ErrorEvent(
        error=ErrorInfo(
            type="invalid_request_error",
            message="no such voice",
            code="invalid_value",
            param="session.voice",
            event_id="ra_1",
        )
    )
    assert closed == ConnectionEvent(state="closed", reason=str(end.error))
    assert machine.phase is Phase.ENDED


def test_a_refusal_that_names_no_event_is_known_by_its_member() -> None:
    machine = after(new(), Started(), Connected(), RESOLVED)

    effects = machine.handle(refused(param="session.audio.output.voice"), now=0.0)

    assert [type(end.error) for end in only(End, effects)] == [SessionUpdateError]


def test_an_error_about_something_else_does_not_stop_the_start() -> None:
    machine = after(new(), Started(), Connected(), RESOLVED, refused(param="audio"))

    assert only(Ready, machine.handle(updated(), now=0.0)) == [Ready()]


def test_a_connection_that_cannot_be_made_ends_the_session_with_the_cause() -> None:
    cause = StartError("no such host")

    effects = after(new(), Started()).handle(ConnectFailed(cause), now=0.0)

    assert effects[-1] == End(cause)
    assert sent(effects) == []


def test_instructions_that_raise_end_the_session() -> None:
    machine = after(new(), Started(), Connected())

    effects = machine.handle(AgentNotResolved(AGENT, "KeyError: 'name'"), now=0.0)

    (end,) = only(End, effects)
    assert isinstance(end.error, ConfigError)
    assert "KeyError" in str(end.error)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_connection_lost_while_starting_ends_the_session(steps) -> None:
    begun: list[AnyMessage] = [Started(), Connected(), RESOLVED]
    machine = after(new(), *begun[:steps])

    effects = machine.handle(ConnectionLost(code=1006, reason="gone"), now=0.0)

    assert [type(end.error) for end in only(End, effects)] == [NotConnectedError]
    assert machine.phase is Phase.ENDED


def test_a_server_that_hangs_up_while_starting_is_believed_its_last_error() -> None:
    machine = after(new(), Started(), Connected(), RESOLVED, refused("model_not_found"))

    effects = machine.handle(ConnectionLost(code=1000), now=0.0)

    (end,) = only(End, effects)
    assert isinstance(end.error, SessionFailedError)
    assert end.error.code == "model_not_found"


def test_a_key_that_is_refused_ends_the_session_at_once() -> None:
    machine = after(new(), Started(), Connected(), RESOLVED)

    effects = machine.handle(refused("invalid_api_key"), now=0.0)

    assert [error.recoverable for error in only(ErrorEvent, effects)] == [False]
    assert [type(end.error) for end in only(End, effects)] == [SessionFailedError]


def test_closing_while_starting_leaves_nothing_open() -> None:
    machine = after(new(), Started(), Connected())

    effects = machine.handle(ask(messages.Close()), now=0.0)

    assert effects[-3:] == [
        Publish(ConnectionEvent(state="closed", reason="the session was closed")),
        End(None),
        Answer("caller"),
    ]
    assert only(SetGate, effects) == [SetGate(Gate(False, "the session was closed"))]


def test_after_the_end_verbs_are_refused_and_everything_else_is_dropped() -> None:
    machine = after(live(), ask(messages.Close()))

    assert isinstance(refusal(machine.handle(say(), now=0.0)), SessionClosedError)
    assert isinstance(refusal(machine.handle(ask(messages.Close()), now=0.0)), SessionClosedError)
    late: list[AnyMessage] = [
        updated(),
        already_active(),
        done(),
        finished(),
        ConnectionLost(code=1000),
    ]
    assert play(machine, *late) == []


def test_no_audio_is_published_after_the_end() -> None:
    machine = after(live(), ask(messages.Close()))
    audio = wire.ResponseOutputAudioDelta(response_id="r1", item_id="i1", delta=bytes(48))

    assert machine.handle(audio, now=0.0) == []


def test_refusals_are_raised_only_at_the_one_who_asked() -> None:
    machine = new()

    effects = play(machine, say(caller="Ann"), say(caller="Bob"))

    assert [refuse.caller for refuse in only(Refuse, effects)] == ["Ann", "Bob"]


class TestADefaultThatTheServerRefuses:
    """It may have no model of transcription of that name."""

    REFUSAL = refused(param="session.audio.input.transcription.model")

    def configuring(self, settings: SessionModelSettings) -> SessionMachine:
        machine = new(settings=settings)
        return after(machine, Started(), Connected(), AgentResolved(resolve(AGENT)))

    def test_is_left_out_and_the_session_starts(self) -> None:
        machine = self.configuring(default_session_settings())

        effects = machine.handle(self.REFUSAL, now=0.0)

        (update,) = only(wire.SessionUpdate, effects)
        assert update.session.input_audio_transcription is None
        assert update.session.instructions == AGENT.instructions
        assert len(only(ErrorEvent, effects)) == 1
        assert only(End, effects) == []
        assert len(only(Ready, machine.handle(updated(), now=0.1))) == 1

    def test_is_no_default_if_somebody_wrote_another(self) -> None:
        written = SessionModelSettings(input_audio_transcription={"model": "my-deployment"})
        machine = self.configuring(merge_settings(default_session_settings(), written))

        assert len(only(End, machine.handle(self.REFUSAL, now=0.0))) == 1

    def test_is_not_blamed_for_anything_else(self) -> None:
        machine = self.configuring(default_session_settings())

        assert len(only(End, machine.handle(refused(param="session.voice"), now=0.0))) == 1

    def test_is_left_out_once(self) -> None:
        machine = after(self.configuring(default_session_settings()), self.REFUSAL)

        assert len(only(End, machine.handle(self.REFUSAL, now=0.0))) == 1
