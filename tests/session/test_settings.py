"""Which of the places wins where a setting may be written, and what is sent of it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import attrs
import pytest

import realtime_actors as ra
from realtime_actors.agent import DEFAULT_INSTRUCTIONS
from realtime_actors.config import SessionModelSettings
from realtime_actors.events import HandoffEvent
from realtime_actors.testing import Probe, ScriptedTransport
from tests.session.wire import call_done, call_item, response_created, response_done

HERE: dict[str, Any] = {"url": "ws://127.0.0.1:1/v1/realtime"}
TWO_VALUES: dict[str, tuple[Any, Any]] = {
    "instructions": ("Be kind.", "Be brief."),
    "modalities": (["text"], ["audio"]),
    "voice": ("marin", "cedar"),
    "speed": (0.5, 1.5),
    "input_audio_format": ("g711_ulaw", "g711_alaw"),
    "output_audio_format": ("g711_ulaw", "g711_alaw"),
    "input_audio_transcription": ({"model": "ears"}, "off"),
    "input_audio_noise_reduction": ({"type": "near_field"}, "off"),
    "turn_detection": ({"type": "semantic_vad"}, "off"),
    "tool_choice": ("none", "auto"),
    "parallel_tool_calls": (True, False),
    "max_output_tokens": (10, "inf"),
    "reasoning": ({"effort": "low"}, {"effort": "high"}),
    "truncation": ("auto", "disabled"),
    "tracing": ("auto", "off"),
    "include": ([], ["item.input_audio_transcription.logprobs"]),
    "extra": ({"a": 1}, {"a": 2}),
}
"""Of each setting. Those of the model, of tools and of stored prompts have rules of their own."""
APART = {"model", "tools", "prompt", "temperature"}


def function(name: str) -> dict[str, object]:
    return {"type": "function", "name": name, "parameters": {"type": "object"}}


def settings_of(update: Any) -> SessionModelSettings:
    """What was sent, in our words."""
    ga = ra.protocol.dialect("ga")
    event = ga.decode_client(ga.encode_client(ra.protocol.RawClientEvent(payload=update)))
    assert isinstance(event, ra.protocol.SessionUpdate)
    return event.session


def first_update(
    agent: ra.Agent | None = None,
    *,
    run: dict[str, Any] | None = None,
    initial: dict[str, Any] | None = None,
    **where: Any,
) -> Mapping[str, Any]:
    script = ScriptedTransport(strict=False)
    where = {**HERE, "initial_model_settings": initial or {}, **where}
    config = {"model_settings": run or {}}
    with ra.run(agent or ra.agent(), config=config, model_config=where, transport=script):
        return script.sent[0]


def test_the_table_has_every_setting() -> None:
    assert set(TWO_VALUES) | APART == set(attrs.fields_dict(SessionModelSettings))


@pytest.mark.parametrize("name", TWO_VALUES)
def test_what_the_run_sets_wins_over_what_the_connection_sets(name) -> None:
    one, other = TWO_VALUES[name]
    alone = first_update(run={name: one})

    assert first_update(initial={name: one}) == alone
    assert first_update(initial={name: other}, run={name: one}) == alone
    assert first_update(initial={name: one}, run={name: other}) != alone


@pytest.mark.parametrize("name", ["instructions", "voice"])
@pytest.mark.parametrize("place", ["initial", "run"])
def test_what_the_settings_say_wins_over_what_the_agent_has(name, place) -> None:
    one, other = TWO_VALUES[name]

    written = first_update(ra.agent(**{name: one}), **{place: {name: other}})

    assert getattr(settings_of(written), name) == other
    assert getattr(settings_of(first_update(ra.agent(**{name: one}))), name) == one


@pytest.mark.parametrize("place", ["initial", "run"])
@pytest.mark.parametrize("name", [name for name in TWO_VALUES if name != "extra"])
def test_no_default_wins_over_what_somebody_wrote(name, place) -> None:
    for value in TWO_VALUES[name]:
        wanted = SessionModelSettings.from_dict({name: value})
        sent = settings_of(first_update(**dict[str, Any]({place: {name: value}})))
        assert getattr(sent, name) == getattr(wanted, name)


def test_tools_of_the_settings_are_offered_beside_those_of_the_agent_and_win_by_name() -> None:
    @ra.tool
    def weather(city: str) -> str:
        """The weather."""
        return city

    @ra.tool
    def time() -> str:
        """The time."""
        return "noon"

    agent = ra.agent(tools=[weather, time])
    update = first_update(
        agent, initial={"tools": [function("lost")]}, run={"tools": [function("weather")]}
    )

    assert [tool["name"] for tool in update["session"]["tools"]] == ["weather", "time"]
    assert "description" not in update["session"]["tools"][0]


def test_settings_without_tools_take_all_of_them_away() -> None:
    agent = ra.agent(handoffs=[ra.agent(name="Billing")])

    assert first_update(agent, run={"tools": []})["session"]["tools"] == []


# --- after a handoff -----------------------------------------------------------------------


def handed_over(first: ra.Agent, second: ra.Agent, **config: Any) -> dict[str, Any]:
    """The update that makes the second agent the current one."""
    script = ScriptedTransport(strict=False)
    with ra.run(
        first.clone(handoffs=[second]), config=config, model_config=HERE, transport=script
    ) as session:
        probe = Probe(session)
        call = call_item("transfer_to_second")
        script.emit(
            response_created(),
            call_done("transfer_to_second"),
            response_done("r1", "completed", call),
        )
        probe.wait_for(HandoffEvent)
        updates = [event for event in script.sent if event["type"] == "session.update"]
        assert len(updates) == 2
        session_of: dict[str, Any] = updates[1]["session"]
        return session_of


@ra.tool
def refund() -> str:
    """Give the money back."""
    return "done"


RUN = {"instructions": "Be brief.", "voice": "marin", "tools": [function("notes")]}


def test_after_a_handoff_the_new_agents_own_settings_count() -> None:
    second = ra.agent(name="Second", instructions="Bill.", tools=[refund], voice="cedar")

    update = handed_over(ra.agent(instructions="Front."), second, model_settings=RUN)

    assert update["instructions"] == "Bill."
    assert update["audio"]["output"]["voice"] == "cedar"
    assert [tool["name"] for tool in update["tools"]] == ["notes", "refund"]


def test_after_a_handoff_what_the_new_agent_has_not_is_the_runs() -> None:
    front = ra.agent(instructions="Front.", voice="ash", tools=[refund])

    update = handed_over(front, ra.agent(name="Second"), model_settings=RUN)

    # The instructions and the voice of the run are in force already.
    assert "instructions" not in update
    assert "audio" not in update
    assert [tool["name"] for tool in update["tools"]] == ["notes"]


def test_after_a_handoff_nobody_speaks_with_the_words_of_the_agent_before() -> None:
    update = handed_over(ra.agent(instructions="Front."), ra.agent(name="Second"))

    assert (update["instructions"], update["tools"]) == (DEFAULT_INSTRUCTIONS, [])


# --- one model -----------------------------------------------------------------------------

PLACES: dict[str, tuple[str, Any]] = {
    "agent": ("the model of agent 'Agent'", lambda model: {"agent": ra.agent(model=model)}),
    "connection": ("ModelConfig.model", lambda model: {"model": model}),
    "address": (
        "ModelConfig.url",
        lambda model: {"url": f"wss://127.0.0.1:1/v1/realtime?model={model}"},
    ),
    "initial": (
        "ModelConfig.initial_model_settings.model",
        lambda model: {"initial": {"model": model}},
    ),
    "run": ("RunConfig.model_settings.model", lambda model: {"run": {"model": model}}),
}
PAIRS = [(one, other) for one in PLACES for other in PLACES if one != other]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_two_different_models_are_refused_by_the_names_of_both_places(one, other) -> None:
    first, second = PLACES[one], PLACES[other]

    first_update(**{**first[1]("mine"), **second[1]("mine")})
    with pytest.raises(ra.ConfigError) as refused:
        first_update(**{**first[1]("mine"), **second[1]("yours")})

    said = str(refused.value)
    assert f"{first[0]} is 'mine'" in said
    assert f"{second[0]} is 'yours'" in said


@pytest.mark.parametrize("place", PLACES)
def test_a_model_that_is_named_anywhere_is_connected_to(place) -> None:
    addresses = []

    def transport(options: Any, dialect: Any) -> Any:
        addresses.append(options.url)
        return ScriptedTransport(strict=False)(options, dialect)

    named = PLACES[place][1]("mine")
    where = {**HERE, "initial_model_settings": named.pop("initial", {})}
    agent, run = named.pop("agent", ra.agent()), named.pop("run", {})
    config = {"model_settings": run}
    ra.run(agent, config=config, model_config={**where, **named}, transport=transport).close()

    assert [address.partition("?")[2] for address in addresses] == ["model=mine"]


# --- what nobody asked for -----------------------------------------------------------------

CALL: dict[str, Any] = {"call_id": "rtc_1"}
CALL_BY_URL = {"url": "ws://127.0.0.1:1/v1/realtime?call_id=rtc_1"}
PROMPT: dict[str, Any] = {"initial": {"prompt": {"id": "pmpt_1"}}}


@pytest.mark.parametrize("where", [CALL, CALL_BY_URL])
def test_a_call_keeps_every_setting_that_nobody_wrote(where) -> None:
    assert first_update(**where)["session"] == {"type": "realtime"}
    assert first_update(ra.agent(instructions=None), **where)["session"] == {"type": "realtime"}


@pytest.mark.filterwarnings("ignore:prompt")
def test_a_stored_prompt_keeps_its_instructions_and_tools() -> None:
    assert first_update(**PROMPT)["session"] == {"type": "realtime", "prompt": {"id": "pmpt_1"}}


@pytest.mark.parametrize("name", [name for name in TWO_VALUES if name != "extra"])
def test_what_somebody_wrote_is_sent_to_a_call_and_nothing_else(name) -> None:
    for value in TWO_VALUES[name]:
        update = first_update(run={name: value}, **CALL)
        assert settings_of(update) == SessionModelSettings.from_dict({name: value})


def test_an_agents_own_are_sent_to_a_call() -> None:
    agent = ra.agent(instructions="Be kind.", voice="marin", tools=[refund])

    assert settings_of(first_update(agent, **CALL)) == SessionModelSettings(
        instructions="Be kind.", voice="marin", tools=(refund.to_wire(),)
    )


def handed_over_in_a_call(first: ra.Agent, second: ra.Agent) -> dict[str, Any]:
    script = ScriptedTransport(strict=False)
    agent = first.clone(handoffs=[second])
    with ra.run(agent, model_config={**HERE, **CALL}, transport=script) as session:
        probe = Probe(session)
        call = call_item("transfer_to_second")
        script.emit(
            response_created(),
            call_done("transfer_to_second"),
            response_done("r1", "completed", call),
        )
        probe.wait_for(HandoffEvent)
        session_of: dict[str, Any] = script.sent[1]["session"]
        return session_of


def test_a_handoff_in_a_call_sends_what_the_agents_have_and_nothing_else() -> None:
    second = ra.agent(name="Second", instructions="Bill.")
    plain = ra.agent(name="Second")

    assert handed_over_in_a_call(ra.agent(), second) == {
        "type": "realtime",
        "instructions": "Bill.",
        "tools": [],
    }
    # The first one's instructions were never sent, so the call's own are in force.
    assert handed_over_in_a_call(ra.agent(), plain) == {"type": "realtime", "tools": []}
    assert handed_over_in_a_call(ra.agent(instructions="Front."), plain) == {
        "type": "realtime",
        "instructions": DEFAULT_INSTRUCTIONS,
        "tools": [],
    }


# --- what is about to end ------------------------------------------------------------------

ENDING = {
    "gpt-realtime": ("2027-01-20", "gpt-realtime-2.1"),
    "gpt-realtime-2025-08-28": ("2027-01-20", "gpt-realtime-2.1"),
    "gpt-realtime-mini": ("2027-01-20", "gpt-realtime-2.1-mini"),
    "gpt-realtime-mini-2025-10-06": ("2027-01-20", "gpt-realtime-2.1-mini"),
    "gpt-realtime-mini-2025-12-15": ("2027-01-20", "gpt-realtime-2.1-mini"),
}
ENDING_EARS = [
    "whisper-1",
    "gpt-4o-transcribe",
    "gpt-4o-mini-transcribe",
    "gpt-4o-mini-transcribe-2025-12-15",
    "gpt-4o-transcribe-diarize",
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("model", ENDING)
def test_a_model_that_is_about_to_end_is_a_warning_at_the_line_that_names_it(place, model) -> None:
    on, instead = ENDING[model]
    named = PLACES[place][1](model)
    agent = named.pop("agent", ra.agent())
    config = {"model_settings": named.pop("run", {})}
    where = {**HERE, "initial_model_settings": named.pop("initial", {}), **named}
    script = ScriptedTransport(strict=False)

    with pytest.warns(DeprecationWarning, match=on) as told:
        ra.run(agent, config=config, model_config=where, transport=script).close()

    assert [str(each.message) for each in told] == [
        f"model: OpenAI ends {model!r} on {on}. Use {instead}"
    ]
    assert told[0].filename == __file__


@pytest.mark.parametrize("model", ENDING_EARS)
def test_a_model_of_transcription_that_is_about_to_end_is_a_warning(model) -> None:
    ears = {"input_audio_transcription": {"model": model}}
    ends = f"OpenAI ends {model!r} on 2027-02-26. Use gpt-transcribe or gpt-live-transcribe"

    with pytest.warns(DeprecationWarning, match=ends):
        first_update(run=ears)
    with pytest.warns(DeprecationWarning, match=ends):
        ra.transcribe(
            model=model, model_config=HERE, transport=ScriptedTransport(strict=False)
        ).close()


def test_a_setting_that_is_about_to_end_is_a_warning_when_it_is_changed_too() -> None:
    script = ScriptedTransport(strict=False)
    with ra.run(ra.agent(), model_config=HERE, transport=script) as session:
        with pytest.warns(DeprecationWarning, match="whisper-1") as told:
            ra.update_session(session, {"input_audio_transcription": {"model": "whisper-1"}})
        with pytest.warns(DeprecationWarning, match="2026-11-30"):
            session.update_session({"prompt": {"id": "pmpt_1"}})
        with pytest.raises(ra.ConfigError, match="speed"):
            session.update_session({"speed": 9})

    assert told[0].filename == __file__


def test_a_stored_prompt_is_a_warning() -> None:
    with pytest.warns(DeprecationWarning, match="stored prompts on 2026-11-30"):
        first_update(**PROMPT)


@pytest.mark.parametrize(
    ("model", "takes"),
    [
        ("gpt-realtime-2.1", True),
        ("gpt-realtime-2-2026-09-01", True),
        ("gpt-realtime-2-2026-09-02", False),
        ("gpt-realtime-3", False),
        ("their-model", True),
    ],
)
def test_a_connector_is_a_warning_for_models_that_came_after_them(model, takes) -> None:
    docs = ra.HostedMcpTool(server_label="docs", connector_id="connector_dropbox")
    other = ra.agent(name="Other", tools=[docs])
    agents = [ra.agent(model=model, tools=[docs]), ra.agent(model=model, handoffs=[other])]

    for agent in agents:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            first_update(agent)
        assert ["connector_id" in str(each.message) for each in told] == ([] if takes else [True])


@pytest.mark.parametrize(
    "where",
    [
        {"url": "wss://mine.openai.azure.com/openai/v1/realtime", "api_key": "key"},
        {"dialect": "beta"},
    ],
    ids=["a deployment on Azure", "a server that speaks beta"],
)
def test_names_of_others_are_no_warning(where) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first_update(ra.agent(model="gpt-realtime"), **where)
