"""Whatever a client may want to send, as the specification allows it."""

from __future__ import annotations

from typing import Any, Literal

from attrs import evolve
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from realtime_actors.config import (
    OFF,
    NoiseReductionConfig,
    ResponseSettings,
    SessionModelSettings,
    TracingConfig,
    TranscriptionConfig,
    TurnDetectionConfig,
)
from realtime_actors.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudio,
    InputImage,
    InputText,
    Item,
    ItemReference,
    McpApprovalRequestItem,
    McpApprovalResponseItem,
    McpCallItem,
    McpListToolsItem,
    MessageItem,
    OutputAudio,
    OutputText,
)
from realtime_actors.protocol import (
    ClientEvent,
    ConversationItemCreate,
    ConversationItemDelete,
    ConversationItemRetrieve,
    ConversationItemTruncate,
    InputAudioBufferAppend,
    InputAudioBufferClear,
    InputAudioBufferCommit,
    OutputAudioBufferClear,
    ResponseCancel,
    ResponseCreate,
    SessionUpdate,
)

__all__ = ["client_events"]

Name = Literal["ga", "beta"]

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
WORD = st.text("abcdefghij_0123456789", min_size=1, max_size=12)
AUDIO = st.binary(max_size=30)
FLAG = st.booleans()
EFFORT = st.sampled_from(["minimal", "low", "medium", "high", "xhigh"])
FORMAT = st.sampled_from(["pcm16", "g711_ulaw", "g711_alaw"])
OBJECT = st.dictionaries(WORD, TEXT, max_size=3)


def maybe(strategy: SearchStrategy[Any]) -> SearchStrategy[Any]:
    return st.none() | strategy


def choice(*words: str) -> SearchStrategy[str]:
    return st.sampled_from(words)


def some(**members: SearchStrategy[Any]) -> SearchStrategy[dict[str, Any]]:
    """A mapping with any of these members."""
    return st.fixed_dictionaries({}, optional=members)


FUNCTION = st.fixed_dictionaries(
    {"type": st.just("function"), "name": WORD},
    optional={"description": TEXT, "parameters": st.just({"type": "object", "properties": {}})},
)
MCP = st.fixed_dictionaries(
    {"type": st.just("mcp"), "server_label": WORD},
    optional={
        "server_url": WORD,
        "authorization": WORD,
        "headers": OBJECT,
        "allowed_tools": st.lists(WORD, max_size=2),
        "require_approval": choice("always", "never"),
    },
)
TURN_DETECTION = some(
    threshold=st.floats(0, 1),
    prefix_padding_ms=st.integers(0, 1_000),
    silence_duration_ms=st.integers(0, 5_000),
    idle_timeout_ms=st.integers(5_000, 30_000),
    create_response=FLAG,
    interrupt_response=FLAG,
).map(lambda members: TurnDetectionConfig(**members)) | some(
    eagerness=choice("low", "medium", "high", "auto"), create_response=FLAG
).map(lambda members: TurnDetectionConfig(type="semantic_vad", **members))
TRANSCRIPTION = some(
    model=WORD,
    language=TEXT,
    languages=st.lists(WORD, min_size=1, max_size=2),
    keywords=st.lists(WORD, max_size=2),
    prompt=TEXT,
    delay=EFFORT,
).map(lambda members: TranscriptionConfig(**members))
PROMPT = st.fixed_dictionaries({"id": WORD}, optional={"version": WORD, "variables": OBJECT})
MODALITIES = st.sampled_from([("text",), ("audio",), ("text", "audio")])
MAX_TOKENS = st.integers(1, 4_096) | st.just("inf")


def tools(dialect: Name) -> SearchStrategy[Any]:
    return st.lists(FUNCTION | MCP if dialect == "ga" else FUNCTION, max_size=2)


def voices_of_ones_own() -> SearchStrategy[Any]:
    return st.fixed_dictionaries({"id": WORD})


def tool_choices(dialect: Name) -> SearchStrategy[Any]:
    words = choice("none", "auto", "required")
    forced: SearchStrategy[Any] = st.builds(dict, type=st.just("function"), name=WORD)
    return words | forced if dialect == "ga" else words


def session_updates(dialect: Name, **beside: Any) -> SearchStrategy[SessionUpdate]:
    realtime = st.builds(SessionUpdate, session=session_settings(dialect), **beside)
    settings = session_settings(dialect)
    if dialect == "beta":  # silence is all that its transcriptions go by
        silence = some(threshold=st.floats(0, 1), silence_duration_ms=st.integers(0, 5_000))
        detection = silence.map(lambda members: TurnDetectionConfig(**members))
        settings = st.builds(lambda s, d: evolve(s, turn_detection=d), settings, maybe(detection))
    kind = st.just("transcription")
    return realtime | st.builds(SessionUpdate, session=settings, session_type=kind, **beside)


def session_settings(dialect: Name) -> SearchStrategy[SessionModelSettings]:
    beta_transcription = some(model=WORD, language=TEXT, prompt=TEXT).map(
        lambda members: TranscriptionConfig(**members)
    )
    noise = st.builds(NoiseReductionConfig, type=choice("near_field", "far_field"))
    tracing = some(workflow_name=TEXT, group_id=TEXT, metadata=OBJECT)
    ratio = st.fixed_dictionaries(
        {"type": st.just("retention_ratio"), "retention_ratio": st.floats(0, 1)},
        optional={"token_limits": some(post_instructions=st.integers(0, 30_000))},
    )
    return some(
        model=WORD,
        instructions=TEXT,
        modalities=MODALITIES,
        voice=WORD | (voices_of_ones_own() if dialect == "ga" else WORD),
        speed=st.floats(0.25, 1.5),
        input_audio_format=FORMAT,
        output_audio_format=FORMAT,
        input_audio_transcription=TRANSCRIPTION if dialect == "ga" else beta_transcription,
        input_audio_noise_reduction=st.just(OFF) | noise,
        turn_detection=st.just(OFF) | TURN_DETECTION,
        tools=tools(dialect),
        tool_choice=tool_choices(dialect),
        parallel_tool_calls=FLAG,
        max_output_tokens=MAX_TOKENS,
        temperature=st.floats(0, 2),
        reasoning=st.builds(dict, effort=EFFORT),
        truncation=choice("auto", "disabled") | ratio,
        tracing=st.just(OFF) | st.just("auto") | tracing.map(lambda each: TracingConfig(**each)),
        prompt=st.just(OFF) | PROMPT,
        include=st.just(("item.input_audio_transcription.logprobs",)),
    ).map(lambda members: SessionModelSettings(**members))


def items(dialect: Name) -> SearchStrategy[Item]:
    status = maybe(choice("completed", "incomplete", "in_progress"))
    common: dict[str, Any] = {"id": maybe(WORD), "status": status}
    heard = st.builds(InputText, TEXT) | st.builds(
        InputAudio, audio=maybe(AUDIO), transcript=maybe(TEXT)
    )
    seen = st.builds(InputImage, image_url=TEXT, detail=maybe(choice("auto", "low", "high")))
    said = st.builds(OutputText, TEXT) | st.builds(
        OutputAudio, audio=maybe(AUDIO), transcript=maybe(TEXT)
    )

    def message(role: str, parts: SearchStrategy[Any]) -> SearchStrategy[Item]:
        content = st.lists(parts, max_size=3).map(tuple)
        return st.builds(MessageItem, role=st.just(role), content=content, **common)

    of_both = (
        message("user", heard | seen if dialect == "ga" else heard)
        | message("system", st.builds(InputText, TEXT))
        | message("assistant", said)
        | st.builds(FunctionCallItem, call_id=maybe(WORD), name=WORD, arguments=TEXT, **common)
        | st.builds(FunctionCallOutputItem, call_id=WORD, output=TEXT, **common)
    )
    if dialect == "beta":
        return of_both
    error: SearchStrategy[Any] = st.builds(
        dict, type=st.just("http_error"), code=st.integers(400, 599), message=TEXT
    )
    offered: SearchStrategy[Any] = st.builds(dict, name=WORD, input_schema=OBJECT)
    return (
        of_both
        | st.builds(
            McpListToolsItem,
            id=WORD,
            server_label=WORD,
            tools=st.lists(offered, max_size=2).map(tuple),
        )
        | st.builds(
            McpCallItem,
            id=WORD,
            server_label=WORD,
            name=WORD,
            arguments=TEXT,
            output=maybe(TEXT),
            error=maybe(error),
            approval_request_id=maybe(WORD),
        )
        | st.builds(McpApprovalRequestItem, id=WORD, server_label=WORD, name=WORD, arguments=TEXT)
        | st.builds(
            McpApprovalResponseItem,
            id=WORD,
            approval_request_id=WORD,
            approve=FLAG,
            reason=maybe(TEXT),
        )
    )


def response_settings(dialect: Name) -> SearchStrategy[ResponseSettings]:
    references = st.builds(ItemReference, id=WORD)
    return some(
        instructions=TEXT,
        modalities=MODALITIES,
        voice=WORD,
        output_audio_format=FORMAT,
        tools=tools(dialect),
        tool_choice=tool_choices(dialect),
        parallel_tool_calls=FLAG,
        max_output_tokens=MAX_TOKENS,
        temperature=st.floats(0, 2),
        reasoning=st.builds(dict, effort=EFFORT),
        prompt=PROMPT,
        conversation=choice("auto", "none"),
        metadata=OBJECT,
        input=st.lists(
            items(dialect) | references if dialect == "ga" else items(dialect), max_size=2
        ),
    ).map(lambda members: ResponseSettings(**members))


def client_events(dialect: Name) -> SearchStrategy[ClientEvent]:
    """Any of the 11 events."""
    event_id = maybe(WORD)
    beside: dict[str, Any] = {"event_id": event_id}
    in_place: dict[str, Any] = {"item_id": WORD, **beside}
    return (
        session_updates(dialect, **beside)
        | st.builds(InputAudioBufferAppend, audio=AUDIO, **beside)
        | st.builds(InputAudioBufferCommit, **beside)
        | st.builds(InputAudioBufferClear, **beside)
        | st.builds(OutputAudioBufferClear, **beside)
        | st.builds(
            ConversationItemCreate, item=items(dialect), previous_item_id=maybe(WORD), **beside
        )
        | st.builds(ConversationItemRetrieve, **in_place)
        | st.builds(ConversationItemDelete, **in_place)
        | st.builds(
            ConversationItemTruncate,
            content_index=st.integers(0, 3),
            audio_end_ms=st.integers(0, 60_000),
            **in_place,
        )
        | st.builds(ResponseCreate, response=maybe(response_settings(dialect)), **beside)
        | st.builds(ResponseCancel, response_id=maybe(WORD), **beside)
    )
