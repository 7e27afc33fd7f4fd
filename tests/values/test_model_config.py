"""Where to connect, with which key, and what of it is shown."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import attrs
import pytest

from realtime_actors.config import ModelConfig, SessionModelSettings
from realtime_actors.errors import ConfigError

AZURE_DATED = "wss://me.openai.azure.com/openai/realtime?api-version=2025-04-01&deployment=mine"
AZURE_V1 = "wss://me.openai.azure.com/openai/v1/realtime"


# --- the URL ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "url"),
    [
        (ModelConfig(), "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1"),
        (ModelConfig(call_id="rtc_1"), "wss://api.openai.com/v1/realtime?call_id=rtc_1"),
        (
            ModelConfig(url="ws://127.0.0.1:8080/v1/realtime"),
            "ws://127.0.0.1:8080/v1/realtime?model=gpt-realtime-2.1",
        ),
        (
            ModelConfig(url="wss://host/realtime?region=eu"),
            "wss://host/realtime?region=eu&model=gpt-realtime-2.1",
        ),
        (ModelConfig(url="wss://host/realtime?model=mine"), "wss://host/realtime?model=mine"),
        (
            ModelConfig(url="wss://host/realtime?intent=transcription"),
            "wss://host/realtime?intent=transcription",
        ),
        (ModelConfig(url=AZURE_DATED), AZURE_DATED),
        (ModelConfig(url=f"{AZURE_V1}?model=mine"), f"{AZURE_V1}?model=mine"),
        (ModelConfig(url=AZURE_V1), f"{AZURE_V1}?model=gpt-realtime-2.1"),
    ],
)
def test_a_url_names_the_model_or_the_call(config: ModelConfig, url: str) -> None:
    assert config.build_url("gpt-realtime-2.1") == url


def test_a_config_may_have_the_model_itself() -> None:
    assert ModelConfig(model="a b&c").build_url().endswith("?model=a+b%26c")
    assert ModelConfig(model="mine").build_url("agents").endswith("?model=agents")
    assert ModelConfig().build_url() == "wss://api.openai.com/v1/realtime"


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1/realtime",
        "api.openai.com",
        "wss://",
        "wss:///path",
        "wss://host:99999/",
        "wss://[::1",
        "wss://ho st/",
        "wss://host/\nHost: evil",
        5,
    ],
)
def test_what_is_no_websocket_url_is_refused(url: Any) -> None:
    with pytest.raises(ConfigError, match=r"ModelConfig\.url is .* begins with ws:// or wss://"):
        ModelConfig(url=url)


@pytest.mark.parametrize(
    ("url", "is_loopback"),
    [
        (None, False),
        ("ws://localhost:1234/x", True),
        ("ws://demo.localhost", True),
        ("ws://127.0.0.1", True),
        ("ws://127.8.9.1:80", True),
        ("ws://[::1]:80/x", True),
        ("ws://192.168.0.1", False),
        ("wss://localhost.example.com", False),
        ("wss://127.0.0.1.example.com", False),
    ],
)
def test_this_machine_is_known(url: str | None, is_loopback: bool) -> None:
    assert ModelConfig(url=url).is_loopback is is_loopback


# --- the key ------------------------------------------------------------------------------------


def test_the_key_of_the_config_comes_before_that_of_the_environment() -> None:
    environ = {"OPENAI_API_KEY": "sk-environment"}

    assert ModelConfig(api_key="sk-config").resolve_api_key(environ) == "sk-config"
    assert ModelConfig().resolve_api_key(environ) == "sk-environment"


def test_a_function_is_asked_for_the_key_each_time() -> None:
    keys = iter(["ek_1", "ek_2"])
    config = ModelConfig(api_key=lambda: next(keys))

    assert [config.resolve_api_key({}), config.resolve_api_key({})] == ["ek_1", "ek_2"]


def test_a_key_loses_the_line_break_of_its_file() -> None:
    assert ModelConfig().resolve_api_key({"OPENAI_API_KEY": "sk-1\n"}) == "sk-1"


def test_this_machine_needs_no_key() -> None:
    assert ModelConfig(url="ws://localhost:8080").resolve_api_key({}) is None


@pytest.mark.parametrize(
    "url",
    [
        None,
        "wss://api.openai.com/v1/realtime",
        "wss://eu.api.openai.com/v1/realtime",
        "wss://API.OpenAI.com:443/v1/realtime",
    ],
)
def test_the_environments_key_goes_to_openai(url: str | None) -> None:
    assert ModelConfig(url=url).resolve_api_key({"OPENAI_API_KEY": "sk-1"}) == "sk-1"
    with pytest.raises(ConfigError, match=r"no API key for .*: set .*OPENAI_API_KEY.*api_key="):
        ModelConfig(url=url).resolve_api_key({})


@pytest.mark.parametrize(
    "url",
    [
        "ws://localhost:8080",
        "ws://api.openai.com/v1/realtime",
        "wss://api.openai.com.evil.example/",
        "wss://evilopenai.com/",
        "wss://example.com/api.openai.com",
        "wss://example.com/?host=api.openai.com",
        "wss://api.openai.com@example.com/",
        AZURE_V1,
        "wss://api.x.ai/v1/realtime",
    ],
)
def test_the_environments_key_goes_to_nobody_else(url: str) -> None:
    config = ModelConfig(url=url)

    assert config.resolve_api_key({"OPENAI_API_KEY": "sk-1"}) is None
    assert config.connect_headers(None) == {}


def test_another_server_gets_the_key_that_was_given_for_it() -> None:
    config = ModelConfig(url="wss://api.x.ai/v1/realtime", api_key="xai-1")

    assert config.resolve_api_key({"OPENAI_API_KEY": "sk-1"}) == "xai-1"


@pytest.mark.parametrize(
    "credentials",
    [{"api_key": "k"}, {"headers": {"authorization": "Bearer k"}}, {"headers": {"X-API-Key": "k"}}],
)
def test_a_key_goes_to_another_machine_in_clear_text_only_when_that_is_asked_for(
    credentials: dict[str, Any],
) -> None:
    def headers(url: str, **options: Any) -> dict[str, str]:
        config = ModelConfig(url=url, **credentials, **options)
        return config.connect_headers(config.resolve_api_key({}))

    with pytest.raises(
        ConfigError, match=r"brain over ws://.*wss://.*insecure_send_key"
    ) as refused:
        headers("ws://brain:8080/v1")
    assert "'k'" not in str(refused.value)

    sent = headers("ws://brain:8080/v1", insecure_send_key_in_clear_text=True)
    assert sent == headers("ws://localhost:8080/v1") == headers("wss://brain/v1")
    assert [value.removeprefix("Bearer ") for value in sent.values()] == ["k"]


def test_without_a_key_nothing_keeps_one_from_clear_text() -> None:
    assert ModelConfig(url="ws://brain:8080", headers={"X-Trace": "1"}).connect_headers(None) == {
        "X-Trace": "1"
    }


@pytest.mark.parametrize("url", [None, AZURE_V1])
def test_an_authorization_of_ones_own_takes_the_place_of_the_key(url: str | None) -> None:
    config = ModelConfig(url=url, headers={"AUTHORIZATION": "Bearer entra"})

    assert config.resolve_api_key({"OPENAI_API_KEY": "sk-1"}) is None
    assert config.connect_headers("k") == {"AUTHORIZATION": "Bearer entra"}


@pytest.mark.parametrize("key", [None, "", "  ", 7, b"sk-1", "sk-1\r\nHost: evil", "sk-ü"])
def test_a_key_that_cannot_be_sent_is_refused_and_not_shown(key: Any) -> None:
    with pytest.raises(ConfigError, match="the key of api_key is no text") as refused:
        ModelConfig(api_key=lambda: key).resolve_api_key({})

    assert "sk-" not in str(refused.value)


def test_an_empty_variable_is_no_key() -> None:
    assert ModelConfig(url="ws://localhost").resolve_api_key({"OPENAI_API_KEY": " "}) is None
    with pytest.raises(ConfigError, match="no API key"):
        ModelConfig().resolve_api_key({"OPENAI_API_KEY": ""})


def test_the_key_goes_where_the_server_looks_for_it() -> None:
    assert ModelConfig().connect_headers("k") == {"Authorization": "Bearer k"}
    assert ModelConfig(url=AZURE_V1).connect_headers("k") == {"api-key": "k"}
    assert ModelConfig(url="wss://proxy/", azure=True).connect_headers("k") == {"api-key": "k"}
    assert ModelConfig(url=AZURE_V1, azure=False).connect_headers("k") == {
        "Authorization": "Bearer k"
    }
    assert ModelConfig().connect_headers(None) == {}


def test_own_headers_win() -> None:
    config = ModelConfig(headers={"authorization": "Basic x", "X-Trace": "1"})

    assert config.connect_headers("k") == {"authorization": "Basic x", "X-Trace": "1"}


def test_secrets_are_not_shown() -> None:
    config = ModelConfig(
        api_key="hush",
        url="wss://user:hush@host/realtime?api-key=hush",
        headers={"Authorization": "hush"},
        proxy="http://user:hush@proxy:3128",
    )

    assert "hush" not in repr(config)
    assert "wss://host/realtime" in repr(config)
    assert "hush" not in repr({**attrs.asdict(config), "url": None})  # the URL is the caller's text
    assert copy.deepcopy(config) == config
    with pytest.raises(ConfigError, match="cannot be pickled") as refused:
        pickle.dumps(config)
    assert "hush" not in str(refused.value)


def test_a_config_without_secrets_can_be_pickled() -> None:
    config = ModelConfig(url="wss://host/realtime", model="gpt-realtime-2.1")

    assert pickle.loads(pickle.dumps(config)) == config


def test_configs_with_the_same_key_are_equal() -> None:
    assert ModelConfig(api_key="k", proxy="http://p") == ModelConfig(api_key="k", proxy="http://p")
    assert ModelConfig(api_key="k") != ModelConfig(api_key="l")


@pytest.mark.parametrize(
    "config",
    [
        {"api_kye": "hush"},
        {"api_key": ["hush"]},
        {"headers": {"Authorization": "hush\r\n"}},
        {"headers": ["hush"]},
        {"url": "https://user:hush@host?key=hush"},
        {"proxy": ["hush"]},
    ],
)
def test_secrets_are_not_shown_in_errors_either(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as refused:
        ModelConfig.from_dict(config)

    assert "hush" not in str(refused.value)


# --- the rest -----------------------------------------------------------------------------------


def test_a_config_may_be_a_dict() -> None:
    assert ModelConfig.from_dict(
        {"dialect": "beta", "initial_model_settings": {"voice": "ash"}, "connect_timeout": 3}
    ) == ModelConfig(
        dialect="beta",
        initial_model_settings=SessionModelSettings(voice="ash"),
        connect_timeout=3,
    )


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"dialect": "gaa"}, "dialect is 'gaa': did you mean 'ga'"),
        ({"transport": "quick"}, "transport is 'quick': allowed: fast, plain"),
        ({"transport": None}, "transport is None"),
        ({"connect_timeout": 0}, "connect_timeout is 0"),
        ({"max_message_size": 0}, "max_message_size is 0"),
        ({"playback_tracker": "x"}, "makes a PlaybackTracker"),
        ({"call_id": ""}, "call_id is ''"),
        ({"azure": "yes"}, "azure is 'yes'"),
        ({"initial_model_settings": {"speed": 9}}, "SessionModelSettings.speed is 9"),
        ({"headers": {"ü": "x"}}, "without line breaks"),
    ],
)
def test_a_mistake_is_named(config: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        ModelConfig.from_dict(config)
