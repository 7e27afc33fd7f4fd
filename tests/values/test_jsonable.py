"""Usage and settings as JSON, in every way that a web framework asks for it."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from realtime_actors.config import OFF, ModelConfig, RunConfig, SessionModelSettings
from realtime_actors.guardrails import OutputGuardrail
from realtime_actors.usage import SessionUsage, TranscriptionUsage, Usage

USAGE = SessionUsage().add(Usage(total_tokens=9, input_tokens=4, output_tokens=5), Decimal("0.25"))
CONFIG = RunConfig(
    model_settings={"voice": "cedar", "turn_detection": OFF},
    output_guardrails=[OutputGuardrail(name="no_prices", check=lambda text: False)],
    max_cost="1.5",
    idle_timeout=float("inf"),
)


def as_fastapi_does(value: Any) -> Any:
    """Its `jsonable_encoder`, as far as it concerns what is no model and no dataclass."""
    if isinstance(value, str | int | float | None):
        return value
    if isinstance(value, dict):
        return {key: as_fastapi_does(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [as_fastapi_does(each) for each in value]
    try:
        members = dict(value)
    except TypeError:
        members = vars(value)
    return as_fastapi_does(members)


def test_usage_is_a_dict_of_numbers_and_money_as_text() -> None:
    assert USAGE.to_dict() == {
        "responses": 1,
        "tokens": {
            "total_tokens": 9,
            "input_tokens": 4,
            "output_tokens": 5,
            "input_token_details": Usage().input_token_details.to_dict(),
            "output_token_details": {"text_tokens": 0, "audio_tokens": 0},
        },
        "transcribed_tokens": 0,
        "transcribed_seconds": 0.0,
        "cost": "0.25",
        "transcriptions": 0,
        "transcription_cost": None,
        "total_cost": "0.25",
    }
    assert TranscriptionUsage(type="duration", seconds=1.5).to_dict()["seconds"] == 1.5


def test_settings_are_what_is_set_and_functions_their_names() -> None:
    written = CONFIG.to_dict()

    assert written["model_settings"] == {"voice": "cedar", "turn_detection": "off", "extra": {}}
    assert written["output_guardrails"] == ["no_prices"]
    assert written["max_cost"] == "1.5"
    assert "idle_timeout" not in written
    assert written["pricing"]["models"]["gpt-realtime-2.1"]["text_input"] == "4"


@pytest.mark.parametrize("value", [USAGE, CONFIG, RunConfig(), SessionUsage(), ModelConfig()])
def test_it_is_json_in_every_way(value: Any) -> None:
    pydantic = pytest.importorskip("pydantic")
    written = json.loads(json.dumps(value.to_dict(), allow_nan=False))

    assert dict(value) == value.to_dict()
    assert as_fastapi_does(value) == written
    adapter = pydantic.TypeAdapter(type(value))
    assert json.loads(adapter.dump_json(value)) == written
    assert adapter.json_schema() == {}


def test_keys_are_in_none_of_it() -> None:
    config = ModelConfig(api_key="sk-canary", headers={"X-Token": "canary"})
    mcp = {"server_label": "a", "authorization": "canary", "headers": {"b": "canary"}}
    settings = SessionModelSettings(tools=[{"type": "mcp", **mcp}])

    for value in (config, settings, RunConfig(model_settings=settings)):
        assert "canary" not in json.dumps(value.to_dict())
