"""What holds for a run of an agent, beside what the server is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Literal, cast

from attrs import Attribute, field, frozen

from realtime_actors.config.barge_in import BargeIn
from realtime_actors.config.checks import (
    Check,
    Settings,
    check,
    flag,
    from_mapping,
    instance_of,
    one_of,
    time_limit_or_none,
    to_tuple,
    whole,
    whole_or_none,
    wrong,
)
from realtime_actors.config.places import placed
from realtime_actors.config.reconnect import Reconnect
from realtime_actors.config.settings import SessionModelSettings
from realtime_actors.config.tool_texts import ToolTexts
from realtime_actors.guardrails import InputGuardrail, OutputGuardrail
from realtime_actors.seconds import unlimited
from realtime_actors.usage import PRICES, Pricing

__all__ = ["GuardrailsSettings", "RunConfig"]


@placed("RunConfig(guardrails_settings={'*': ...})")
@frozen(kw_only=True, repr=False)
class GuardrailsSettings(Settings):
    """When guardrails look at what the model says, and what is heard meanwhile."""

    debounce_text_length: int = field(default=100, validator=whole(1))
    """After how many more characters of the transcript they look again."""
    mode: Literal["stream", "hold"] = field(default="stream", validator=one_of("stream", "hold"))
    """"stream": speech is heard as it comes, and stopped when a guardrail trips. "hold": no
    speech is heard before its transcript has passed, which makes it late
    (`AgentEndEvent.held_ms`); text and transcripts are published as they come."""
    verdict_timeout: float | None = field(
        default=10.0, converter=unlimited, validator=time_limit_or_none
    )
    """Seconds for the guardrails to judge one text, of the model or the user. Then there is an
    `ErrorEvent`, and in the mode "hold" the text counts as refused. None: no limit."""


def _model_settings(
    value: SessionModelSettings | Mapping[str, Any],
) -> SessionModelSettings:
    return from_mapping(SessionModelSettings, value)


def _output_guardrails(value: Iterable[OutputGuardrail]) -> tuple[OutputGuardrail, ...]:
    return to_tuple(value)


def _input_guardrails(value: Iterable[InputGuardrail]) -> tuple[InputGuardrail, ...]:
    return to_tuple(value)


def _guardrails_settings(value: GuardrailsSettings | Mapping[str, Any]) -> GuardrailsSettings:
    return from_mapping(GuardrailsSettings, value)


def _tool_texts(value: ToolTexts | Mapping[str, Any]) -> ToolTexts:
    return from_mapping(ToolTexts, value)


def _barge_in(value: BargeIn | Mapping[str, Any]) -> BargeIn:
    return from_mapping(BargeIn, value)


def _guardrails_of(kind: type, decorator: str) -> Check:
    def are_such(value: object) -> bool:
        return isinstance(value, tuple) and all(isinstance(each, kind) for each in value)

    return check(are_such, f"a list of {kind.__name__} (a function becomes one by @{decorator})")


def _reconnect(value: Reconnect | Mapping[str, Any] | None) -> Reconnect | None:
    return from_mapping(Reconnect, value)


def _money(value: Decimal | float | str | None) -> Decimal | None:
    try:
        return None if value is None else Decimal(str(value))
    except ArithmeticError:
        return cast(Decimal, value)  # the validator says what is wrong with it


def _check_cost(run: Any, attribute: Attribute[Any], value: Any) -> None:
    if value is not None and not (isinstance(value, Decimal) and value.is_finite() and value > 0):
        raise wrong(run, attribute, value, "allowed are US dollars above 0, or None")


@placed("RunConfig(*=...)")
@frozen(kw_only=True, repr=False)
class RunConfig(Settings):
    """What holds for all agents of a run."""

    model_settings: SessionModelSettings = field(
        factory=SessionModelSettings,
        converter=_model_settings,
        validator=instance_of(SessionModelSettings, "SessionModelSettings, or a dict"),
    )
    """What is set for the run. It wins over `ModelConfig.initial_model_settings`, which wins
    over what the agent has. After a handoff the new agent's own come first."""
    output_guardrails: tuple[OutputGuardrail, ...] = field(
        default=(),
        converter=_output_guardrails,
        validator=_guardrails_of(OutputGuardrail, "output_guardrail"),
    )
    """Added to those of the agent."""
    input_guardrails: tuple[InputGuardrail, ...] = field(
        default=(),
        converter=_input_guardrails,
        validator=_guardrails_of(InputGuardrail, "input_guardrail"),
    )
    """Added to those of the agent. They need `input_audio_transcription`."""
    guardrails_settings: GuardrailsSettings = field(
        factory=GuardrailsSettings,
        converter=_guardrails_settings,
        validator=instance_of(GuardrailsSettings, "GuardrailsSettings, or a dict"),
    )
    tracing_disabled: bool = field(default=False, validator=flag)
    """Keep the session out of OpenAI's traces, whatever the settings say."""
    async_tool_calls: bool = field(default=True, validator=flag)
    """Whether tools that the model calls together run together, or one after the other."""
    approval_timeout: float | None = field(
        default=60.0, converter=unlimited, validator=time_limit_or_none
    )
    """Seconds in which a call has to be approved; after them it counts as rejected."""
    max_concurrency: int | None = field(default=None, validator=whole(1))
    """How many tools of a session may run at once; the others wait, in order. None: all."""
    barge_in: BargeIn = field(
        factory=BargeIn,
        converter=_barge_in,
        validator=instance_of(BargeIn, "BargeIn, or a dict"),
    )
    """Whether the user can talk over the model, and what is done about its echo."""
    max_handoffs_per_turn: int = field(default=5, validator=whole(1))
    """How often agents may pass the conversation on before the user says something again."""
    max_tool_rounds_per_turn: int | None = field(default=10, validator=whole_or_none(1))
    """How many responses in a row may call tools before the user says something again. Then
    the model is asked to answer without tools, and an `ErrorEvent` says so. None: any number."""
    reset_tool_choice: bool = field(default=True, validator=flag)
    """Whether a `tool_choice` that forces a call ("required", or one tool) holds for the first
    response of a turn only, so that the model may speak once it has the tool's output."""
    max_cost: Decimal | None = field(default=None, converter=_money, validator=_check_cost)
    """US dollars that a session may cost. It ends politely when it has reached them."""
    max_duration: float | None = field(
        default=None, converter=unlimited, validator=time_limit_or_none
    )
    """Seconds that a session may last."""
    idle_timeout: float | None = field(
        default=None, converter=unlimited, validator=time_limit_or_none
    )
    """Seconds in which nobody has to speak or write, before the session ends."""
    pricing: Pricing = field(
        default=PRICES, validator=instance_of(Pricing, "a Pricing"), repr=False
    )
    """What `max_cost` and the costs of `UsageEvent` go by."""
    tool_texts: ToolTexts = field(
        factory=ToolTexts,
        converter=_tool_texts,
        validator=instance_of(ToolTexts, "ToolTexts, or a dict"),
    )
    """What the model is told when a tool fails, takes too long or is not approved."""
    max_tool_output_chars: int | None = field(default=100_000, validator=whole_or_none(1))
    """Characters that the output of a tool may have, and the model has to read: most models hear
    no more than that at a time. The model is told of a longer one that it was too long. None:
    as many as fit into a message (`ModelConfig.max_message_size`)."""
    tool_timeout: float | None = field(
        default=60.0, converter=unlimited, validator=time_limit_or_none
    )
    """Seconds for a tool that sets no `timeout` itself, and for one of an MCP server that the
    Realtime API calls. None: a tool may hang its turn, and a call of the API's has 300."""
    stall_timeout: float | None = field(
        default=30.0, converter=unlimited, validator=time_limit_or_none
    )
    """Seconds in which the server may say nothing of a response that it has begun. Then the
    response is cancelled, and soon after given up: an `ErrorEvent` ("response_stalled") and an
    `AgentEndEvent` ("lost") say so, and what is wanted next is asked for. The time in which the
    server waits for a tool or an approval does not count, and its own tools may take longer.
    None: a response whose end never comes is waited for, for ever."""
    reconnect: Reconnect | None = field(
        factory=Reconnect,
        converter=_reconnect,
        validator=check(
            lambda value: value is None or isinstance(value, Reconnect),
            "Reconnect, a dict, or None to end the session with its connection",
        ),
    )
    """What is done when the connection is lost, or its time is over. None: the session ends with
    a `ConnectionLostError`."""
