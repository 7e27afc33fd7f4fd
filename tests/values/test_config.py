"""Settings: what is taken, in which forms, and what is said about the rest."""

from __future__ import annotations

import math
from typing import Any

import pytest
from attrs import fields_dict

from realtime_actors.config import (
    OFF,
    GuardrailsSettings,
    NoiseReductionConfig,
    ResponseSettings,
    RunConfig,
    SessionModelSettings,
    TracingConfig,
    TranscriptionConfig,
    TurnDetectionConfig,
    default_session_settings,
    merge_settings,
)
from realtime_actors.config.models import endings
from realtime_actors.errors import ConfigError
from realtime_actors.guardrails import OutputGuardrail
from realtime_actors.items import ItemReference, user_message
from realtime_actors.protocol.shapes import RESPONSE_CREATE, SESSION

WEATHER = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
DOCS = {"type": "mcp", "server_label": "docs", "authorization": "sk-hush"}


# --- forms --------------------------------------------------------------------------------------


def test_nothing_is_set_until_somebody_sets_it() -> None:
    assert SessionModelSettings().set_members() == {"extra": {}}
    assert ResponseSettings().set_members() == {"extra": {}}


def test_settings_may_be_dicts_all_the_way_down() -> None:
    assert SessionModelSettings.from_dict(
        {
            "voice": "marin",
            "modalities": ["text", "audio"],
            "input_audio_transcription": {"model": "whisper-1", "languages": ["en", "de"]},
            "input_audio_noise_reduction": {"type": "near_field", "strength": 0.5},
            "turn_detection": {"type": "semantic_vad", "eagerness": "low"},
            "tracing": {"workflow_name": "night"},
            "tools": [WEATHER],
        }
    ) == SessionModelSettings(
        voice="marin",
        modalities=("text", "audio"),
        input_audio_transcription=TranscriptionConfig(model="whisper-1", languages=("en", "de")),
        input_audio_noise_reduction=NoiseReductionConfig(type="near_field", strength=0.5),
        turn_detection=TurnDetectionConfig(type="semantic_vad", eagerness="low"),
        tracing=TracingConfig(workflow_name="night"),
        tools=(WEATHER,),
    )


@pytest.mark.parametrize("off", [OFF, "off", {"type": "off"}, TurnDetectionConfig(type="off")])
def test_turn_detection_is_switched_off_in_one_value(off: Any) -> None:
    assert SessionModelSettings(turn_detection=off).turn_detection is OFF


@pytest.mark.parametrize(
    "name",
    [
        "turn_detection",
        "input_audio_transcription",
        "input_audio_noise_reduction",
        "tracing",
        "prompt",
    ],
)
def test_a_file_says_off_in_a_word(name: str) -> None:
    settings = SessionModelSettings.from_dict({name: "off"})

    assert getattr(settings, name) is OFF


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("pcm16", "pcm16"),
        ("g711_ulaw", "g711_ulaw"),
        ("audio/pcma", "g711_alaw"),
        ({"type": "audio/pcm", "rate": 24000}, "pcm16"),
        ({"type": "audio/pcmu"}, "g711_ulaw"),
    ],
)
def test_a_format_has_one_name(given: Any, name: str) -> None:
    settings = SessionModelSettings(input_audio_format=given, output_audio_format=given)

    assert (settings.input_audio_format, settings.output_audio_format) == (name, name)
    assert ResponseSettings(output_audio_format=given).output_audio_format == name


def test_every_setting_has_a_place_on_the_wire() -> None:
    assert {*SESSION, "extra"} == set(fields_dict(SessionModelSettings))
    assert {*RESPONSE_CREATE, "extra"} == set(fields_dict(ResponseSettings))


def test_the_input_of_a_response_may_be_text_items_and_dicts() -> None:
    settings = ResponseSettings(
        input=["Hi", {"type": "item_reference", "id": "i"}, user_message("Hi")]
    )

    assert settings.input == (user_message("Hi"), ItemReference(id="i"), user_message("Hi"))


def test_settings_are_values() -> None:
    assert TurnDetectionConfig(threshold=0.5) == TurnDetectionConfig.from_dict({"threshold": 0.5})
    with pytest.raises(AttributeError):
        TurnDetectionConfig().threshold = 1  # type: ignore[misc]


def test_only_what_is_set_is_shown() -> None:
    assert repr(SessionModelSettings(voice="ash", turn_detection={"threshold": 0.2})) == (
        "SessionModelSettings(voice='ash', "
        "turn_detection=TurnDetectionConfig(type='server_vad', threshold=0.2))"
    )


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"vioce": "ash"}, ["no setting 'vioce'", "'ash'", "did you mean 'voice'?"]),
        ({"voice": 5}, ["SessionModelSettings.voice is 5", "a name"]),
        ({"voice": ""}, ["SessionModelSettings.voice is ''"]),
        ({"voice": {"name": "x"}}, ["SessionModelSettings.voice", "id of a custom voice"]),
        ({"instructions": ["x"]}, ["SessionModelSettings.instructions is ['x']", "text"]),
        ({"modalities": "text"}, ["SessionModelSettings.modalities is 'text'", "a list of"]),
        ({"modalities": ["text", "audi"]}, ["('text', 'audi')", "did you mean 'audio'?"]),
        ({"modalities": []}, ["SessionModelSettings.modalities", "text, audio or both"]),
        ({"speed": 0.2}, ["SessionModelSettings.speed is 0.2", "from 0.25 to 1.5"]),
        ({"speed": True}, ["SessionModelSettings.speed is True"]),
        ({"speed": float("nan")}, ["SessionModelSettings.speed is nan"]),
        (
            {"input_audio_format": "pcm61"},
            ["SessionModelSettings.input_audio_format is 'pcm61'", "did you mean 'pcm16'?"],
        ),
        ({"turn_detection": "server_vad"}, ["SessionModelSettings.turn_detection", "a dict, OFF"]),
        ({"turn_detection": {"type": "semantik_vad"}}, ["did you mean 'semantic_vad'?"]),
        ({"turn_detection": {"treshold": 1}}, ["'treshold'", "did you mean 'threshold'?"]),
        ({"turn_detection": {"threshold": 1.1}}, ["TurnDetectionConfig.threshold is 1.1"]),
        ({"turn_detection": {"silence_duration_ms": -1}}, ["silence_duration_ms is -1"]),
        ({"turn_detection": {"idle_timeout_ms": 4999}}, ["from 5000 to 30000"]),
        ({"turn_detection": {"eagerness": "low"}}, ["eagerness belongs to semantic_vad"]),
        (
            {"turn_detection": {"type": "semantic_vad", "threshold": 0.5}},
            ["threshold belongs to server_vad"],
        ),
        ({"input_audio_transcription": {"languages": "en"}}, ["languages is 'en'", "a list"]),
        ({"input_audio_transcription": {"delay": "hi"}}, ["did you mean 'high'?"]),
        ({"input_audio_noise_reduction": {}}, ["NoiseReductionConfig needs 'type'"]),
        (
            {"input_audio_noise_reduction": {"type": "far_field", "strength": -1}},
            ["NoiseReductionConfig.strength is -1", "0 or more"],
        ),
        (
            {"input_audio_noise_reduction": {"type": "far_field", "strength": math.inf}},
            ["NoiseReductionConfig.strength is inf"],
        ),
        ({"tools": "weather"}, ["SessionModelSettings.tools", "a list of tools"]),
        ({"tools": [{"type": "function"}]}, ["SessionModelSettings.tools[0]", "a name"]),
        ({"tools": [WEATHER, {"type": "mcp"}]}, ["SessionModelSettings.tools[1]"]),
        ({"tool_choice": "weather"}, ["tool_choice is 'weather'", "none, auto, required"]),
        ({"tool_choice": {"type": "function"}}, ["SessionModelSettings.tool_choice"]),
        ({"parallel_tool_calls": 1}, ["parallel_tool_calls is 1", "True or False"]),
        ({"max_output_tokens": 0}, ["max_output_tokens is 0", "of 1 or more, or 'inf'"]),
        ({"max_output_tokens": True}, ["max_output_tokens is True"]),
        ({"max_output_tokens": 1.5}, ["max_output_tokens is 1.5"]),
        ({"temperature": 3}, ["temperature is 3", "from 0 to 2"]),
        ({"reasoning": {"effort": "huge"}}, ["SessionModelSettings.reasoning", "xhigh"]),
        ({"truncation": "none"}, ["truncation is 'none'", "auto, disabled"]),
        ({"truncation": {"type": "retention_ratio", "retention_ratio": 2}}, ["truncation"]),
        ({"tracing": "on"}, ["tracing is 'on'", "auto"]),
        ({"prompt": {"version": "1"}}, ["SessionModelSettings.prompt", "id"]),
        ({"include": ["logprobs"]}, ["item.input_audio_transcription.logprobs"]),
        ({"extra": ["x"]}, ["SessionModelSettings.extra", "a mapping"]),
    ],
)
def test_a_mistake_is_named_with_its_value_and_what_is_allowed(
    settings: dict[str, Any], says: list[str]
) -> None:
    with pytest.raises(ConfigError) as refused:
        SessionModelSettings.from_dict(settings)

    for words in says:
        assert words in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"conversation": "main"}, "ResponseSettings.conversation is 'main'"),
        ({"metadata": {"n": 1}}, "ResponseSettings.metadata"),
        ({"metadata": {"k" * 65: "v"}}, "ResponseSettings.metadata"),
        ({"metadata": {str(n): "v" for n in range(17)}}, "at most 16"),
        ({"input": "Hi"}, "a list of items"),
        ({"input": [{"type": "mesage"}]}, "did you mean 'message'"),
        ({"model": "gpt-realtime"}, "ResponseSettings has no setting 'model'"),
    ],
)
def test_a_response_is_checked_as_well(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says.replace("[", r"\[")):
        ResponseSettings.from_dict(settings)


@pytest.mark.parametrize("no_mapping", [None, 5, "voice=ash", [("voice", "ash")]])
def test_settings_are_made_from_mappings(no_mapping: Any) -> None:
    with pytest.raises(ConfigError, match="SessionModelSettings is made from a mapping"):
        SessionModelSettings.from_dict(no_mapping)


@pytest.mark.parametrize(
    "settings",
    [
        {"voice": {"id": "voice_123"}},
        {"speed": 0.25},
        {"speed": 1.5},
        {"speed": 1},
        {"max_output_tokens": "inf"},
        {"max_output_tokens": 4096},
        {"tools": []},
        {"tools": [WEATHER, DOCS, {"type": "web_search"}]},
        {"tool_choice": {"type": "function", "name": "weather"}},
        {"tool_choice": {"type": "mcp", "server_label": "docs"}},
        {"truncation": "disabled"},
        {
            "truncation": {
                "type": "retention_ratio",
                "retention_ratio": 0.8,
                "token_limits": {"post_instructions": 8000},
            }
        },
        {"tracing": "auto"},
        {"reasoning": {"effort": "xhigh"}},
        {"turn_detection": {"idle_timeout_ms": 5000, "threshold": 0}},
        {"include": ["item.input_audio_transcription.logprobs"]},
        {"extra": {"audio": {"input": {"echo": False}}}},
    ],
)
def test_what_the_api_takes_is_taken(settings: dict[str, Any]) -> None:
    assert SessionModelSettings.from_dict(settings) == SessionModelSettings(**settings)


def test_the_keys_of_mcp_tools_are_not_shown() -> None:
    assert "sk-hush" not in repr(SessionModelSettings(tools=[DOCS, WEATHER]))
    assert "tools=<docs, weather>" in repr(SessionModelSettings(tools=[DOCS, WEATHER]))
    mistakes: list[Any] = [[{**DOCS, "server_label": ""}], DOCS]
    for wrong in mistakes:
        with pytest.raises(ConfigError) as refused:
            SessionModelSettings(tools=wrong)
        assert "sk-hush" not in str(refused.value)


# --- what others wrote --------------------------------------------------------------------------


def test_of_what_others_wrote_the_sensible_part_is_taken() -> None:
    assert SessionModelSettings.most_of(
        {"voice": "ash", "speed": 9, "tools": None, "colour": "blue"}
    ) == SessionModelSettings(voice="ash")
    assert TurnDetectionConfig.most_of(
        {"type": "semantic_vad", "threshold": 0.5, "eagerness": "low"}
    ) == TurnDetectionConfig(type="semantic_vad", eagerness="low")


def test_settings_of_an_unknown_type_mean_nothing() -> None:
    with pytest.raises(ConfigError):
        TurnDetectionConfig.most_of({"type": "telepathy", "threshold": 0.5})


# --- merging and defaults -----------------------------------------------------------------------


def test_what_is_set_wins_and_the_base_fills_in() -> None:
    base = SessionModelSettings(voice="ash", speed=1.1, turn_detection={"threshold": 0.2})
    override = SessionModelSettings(voice="sage", turn_detection={"type": "semantic_vad"})

    assert merge_settings(base, override) == SessionModelSettings(
        voice="sage", speed=1.1, turn_detection={"type": "semantic_vad"}
    )


def test_off_and_empty_are_settings_too() -> None:
    base = SessionModelSettings(instructions="x", tools=[WEATHER], turn_detection={})

    assert merge_settings(
        base, SessionModelSettings(instructions="", tools=(), turn_detection=OFF)
    ) == SessionModelSettings(instructions="", tools=(), turn_detection=OFF)


def test_merging_takes_dicts_and_nothing() -> None:
    assert merge_settings({"voice": "ash"}, None) == SessionModelSettings(voice="ash")
    assert merge_settings(None, {"voice": "ash"}) == SessionModelSettings(voice="ash")
    with pytest.raises(ConfigError, match="vioce"):
        merge_settings(None, {"vioce": "ash"})


def test_extra_is_merged_member_by_member() -> None:
    base = SessionModelSettings(extra={"audio": {"input": {"a": 1}}, "b": 1})
    override = SessionModelSettings(extra={"audio": {"input": {"c": 2}}, "b": {"d": 3}})

    assert merge_settings(base, override).extra == {
        "audio": {"input": {"a": 1, "c": 2}},
        "b": {"d": 3},
    }
    assert base.extra == {"audio": {"input": {"a": 1}}, "b": 1}


@pytest.mark.parametrize("dialect", ["ga", "beta"])
def test_a_session_starts_with_speech_text_and_pcm(dialect: Any) -> None:
    assert default_session_settings(dialect) == SessionModelSettings(
        modalities=("text", "audio"),
        input_audio_format="pcm16",
        output_audio_format="pcm16",
        # Servers that speak beta have names of their own for the models of transcription.
        input_audio_transcription={"model": "gpt-transcribe"} if dialect == "ga" else None,
    )


def test_the_default_transcription_has_no_end_announced() -> None:
    assert list(endings(model=None, settings=default_session_settings("ga"))) == []


@pytest.mark.parametrize("off", [OFF, "off", None])
def test_transcription_is_switched_off_by_off_and_in_a_dict_by_none(off: Any) -> None:
    written = SessionModelSettings.from_dict({"input_audio_transcription": off})

    merged = merge_settings(default_session_settings("ga"), written)
    assert merged.input_audio_transcription is OFF


def test_there_are_no_defaults_for_a_third_dialect() -> None:
    with pytest.raises(ConfigError, match="dialect is 'gaa'"):
        default_session_settings("gaa")  # type: ignore[arg-type]


# --- a run --------------------------------------------------------------------------------------


def test_a_run_has_defaults() -> None:
    run = RunConfig()

    assert (run.model_settings, run.guardrails_settings) == (
        SessionModelSettings(),
        GuardrailsSettings(debounce_text_length=100),
    )
    assert (run.output_guardrails, run.tracing_disabled, run.async_tool_calls) == ((), False, True)


def test_a_run_may_be_a_dict() -> None:
    guardrail = OutputGuardrail(name="prices", check=lambda text: "$" in text)

    assert RunConfig.from_dict(
        {
            "model_settings": {"voice": "ash"},
            "output_guardrails": [guardrail],
            "guardrails_settings": {"debounce_text_length": 20},
            "async_tool_calls": False,
        }
    ) == RunConfig(
        model_settings=SessionModelSettings(voice="ash"),
        output_guardrails=(guardrail,),
        guardrails_settings=GuardrailsSettings(debounce_text_length=20),
        async_tool_calls=False,
    )


@pytest.mark.parametrize(
    ("run", "says"),
    [
        ({"model_setings": {}}, "did you mean 'model_settings'"),
        ({"model_settings": None}, "RunConfig.model_settings is None"),
        ({"model_settings": {"vioce": "x"}}, "SessionModelSettings has no setting 'vioce'"),
        ({"output_guardrails": [len]}, "by @output_guardrail"),
        ({"guardrails_settings": {"debounce_text_length": 0}}, "debounce_text_length is 0"),
        ({"tracing_disabled": None}, "RunConfig.tracing_disabled is None"),
        ({"tool_timeout": 0}, "RunConfig.tool_timeout is 0"),
    ],
)
def test_a_mistake_in_a_run_is_named(run: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        RunConfig.from_dict(run)


def test_a_tool_may_have_all_the_time_it_wants() -> None:
    assert RunConfig(tool_timeout=None).tool_timeout is None


@pytest.mark.parametrize(
    "name",
    [
        *("approval_timeout", "idle_timeout", "max_concurrency", "max_cost", "max_duration"),
        *("max_tool_output_chars", "max_tool_rounds_per_turn", "stall_timeout", "tool_timeout"),
    ],
)
def test_every_limit_of_a_run_can_be_taken_away(name: str) -> None:
    taken_away: dict[str, Any] = {name: None}
    assert getattr(RunConfig(**taken_away), name) is None
