"""What holds for a run of an agent, beside what the server is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import Attribute, field, frozen

from realtime_actors.config.checks import (
    Settings,
    check,
    flag,
    from_mapping,
    instance_of,
    is_number,
    to_tuple,
    whole,
    wrong,
)
from realtime_actors.config.session import SessionModelSettings
from realtime_actors.guardrails import OutputGuardrail

__all__ = ["GuardrailsSettings", "RunConfig"]


@frozen(kw_only=True, repr=False)
class GuardrailsSettings(Settings):
    """When guardrails look at what the model says."""

    debounce_text_length: int = field(default=100, validator=whole(1))
    """After how many more characters of the transcript they look again."""


def _model_settings(
    value: SessionModelSettings | Mapping[str, Any],
) -> SessionModelSettings:
    return from_mapping(SessionModelSettings, value)


def _guardrails_settings(value: GuardrailsSettings | Mapping[str, Any]) -> GuardrailsSettings:
    return from_mapping(GuardrailsSettings, value)


def _guardrails(value: Iterable[OutputGuardrail]) -> tuple[OutputGuardrail, ...]:
    return to_tuple(value)


def _check_guardrails(run: Any, attribute: Attribute[Any], value: Any) -> None:
    if not isinstance(value, tuple) or not all(isinstance(each, OutputGuardrail) for each in value):
        raise wrong(
            run,
            attribute,
            value,
            "allowed is a list of OutputGuardrail (a function becomes one by @output_guardrail)",
        )


def _is_timeout(value: object) -> bool:
    return value is None or (is_number(value, 0) and value != 0)


@frozen(kw_only=True, repr=False)
class RunConfig(Settings):
    """What holds for all agents of a run."""

    model_settings: SessionModelSettings = field(
        factory=SessionModelSettings,
        converter=_model_settings,
        validator=instance_of(SessionModelSettings, "SessionModelSettings, or a dict"),
    )
    output_guardrails: tuple[OutputGuardrail, ...] = field(
        default=(), converter=_guardrails, validator=_check_guardrails
    )
    """Added to those of the agent."""
    guardrails_settings: GuardrailsSettings = field(
        factory=GuardrailsSettings,
        converter=_guardrails_settings,
        validator=instance_of(GuardrailsSettings, "GuardrailsSettings, or a dict"),
    )
    tracing_disabled: bool = field(default=False, validator=flag)
    """Keep the session out of OpenAI's traces, whatever the settings say."""
    async_tool_calls: bool = field(default=True, validator=flag)
    """Whether tools that the model calls together run together, or one after the other."""
    tool_timeout: float | None = field(
        default=60.0,
        validator=check(_is_timeout, "seconds above 0, or None"),
    )
    """Seconds for a tool that sets no `timeout` itself. None: a tool may hang its turn."""
