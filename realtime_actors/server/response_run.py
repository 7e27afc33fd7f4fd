"""One response: its output, and the order of the events that tell about it.

    response.created
      response.output_item.added, conversation.item.added           for each item
        response.content_part.added                                  a message:
        response.output_audio_transcript.delta, .output_audio.delta, interleaved
        response.output_audio.done, .output_audio_transcript.done    (or output_text)
        response.content_part.done
        response.function_call_arguments.delta, .done                a call:
      response.output_item.done, conversation.item.done
    response.done

A response that is cut short closes what it has open in the same order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from attrs import Factory, define, evolve, field, frozen

from realtime_actors.audio import calculate_audio_length_ms
from realtime_actors.items import (
    ContentPart,
    FunctionCallItem,
    Item,
    MessageItem,
    OutputAudio,
    OutputText,
)
from realtime_actors.protocol import (
    ErrorDetail,
    Response,
    ResponseContentPartAdded,
    ResponseContentPartDone,
    ResponseCreated,
    ResponseDone,
    ResponseFunctionCallArgumentsDelta,
    ResponseFunctionCallArgumentsDone,
    ResponseOutputAudioDelta,
    ResponseOutputAudioDone,
    ResponseOutputAudioTranscriptDelta,
    ResponseOutputAudioTranscriptDone,
    ResponseOutputItemAdded,
    ResponseOutputItemDone,
    ResponseOutputTextDelta,
    ResponseOutputTextDone,
    StatusDetails,
    Usage,
)
from realtime_actors.server.item_chain import Entry, ItemChain, without_audio
from realtime_actors.server.outbox import Outbox
from realtime_actors.server.server_effects import Speech
from realtime_actors.server.server_messages import GenerationToolCall
from realtime_actors.server.token_counting import TokenCount, output_audio_tokens, text_tokens

__all__ = ["ResponsePlan", "ResponseRun"]


@frozen(kw_only=True)
class ResponsePlan:
    """What holds for one response: the session's settings, and what it overrides."""

    instructions: str = field(repr=False)
    modalities: tuple[str, ...]
    voice: str | Mapping[str, object]
    """As the client named it."""
    speech: Speech
    tools: tuple[Mapping[str, object], ...] = field(repr=False)
    tool_choice: str | Mapping[str, object]
    max_output_tokens: int | None
    metadata: Mapping[str, object] | None
    in_conversation: bool

    @property
    def speaks(self) -> bool:
        """Whether the answer is spoken. Otherwise it is written."""
        return "audio" in self.modalities


@define(kw_only=True)
class _Message:
    """A message that is being said or written."""

    item_id: str
    entry: Entry
    text: list[str] = Factory(list)


@define(kw_only=True)
class _Call:
    """A function call that is being made."""

    item_id: str
    entry: Entry
    index: int
    call_id: str
    name: str
    arguments: list[str] = Factory(list)


class ResponseRun:
    """A response in progress. Emits its events; `done` is the last thing that happens to it."""

    def __init__(
        self,
        response_id: str,
        plan: ResponsePlan,
        *,
        out: Outbox,
        chain: ItemChain,
        conversation_id: str,
    ) -> None:
        self.id = response_id
        self.plan = plan
        self._out = out
        self._chain = chain
        self._conversation_id = conversation_id if plan.in_conversation else None
        self._finished: list[Entry] = []
        self._open: _Message | _Call | None = None
        self._characters = 0
        self._audio_ms = 0.0

    @property
    def audio_ms(self) -> float:
        """How much speech there is of this response."""
        return self._audio_ms

    @property
    def output(self) -> TokenCount:
        """The tokens of what was said, written and called so far."""
        return TokenCount(
            text=text_tokens(self._characters), audio=output_audio_tokens(self._audio_ms)
        )

    def created(self) -> None:
        """Say that the response has begun."""
        self._out.emit(ResponseCreated(response=self._wire("in_progress")))

    def text(self, text: str) -> None:
        """Say or write a piece of text."""
        message = self._message()
        message.text.append(text)
        self._characters += len(text)
        delta = ResponseOutputAudioTranscriptDelta if self.plan.speaks else ResponseOutputTextDelta
        self._out.emit(
            delta(
                response_id=self.id,
                item_id=message.item_id,
                output_index=len(self._finished),
                content_index=0,
                delta=text,
            )
        )

    def audio(self, audio: bytes) -> None:
        """Send a piece of speech."""
        message = self._message()
        if message.entry.cut_at_ms is None:
            message.entry.speech.append(audio)
        self._audio_ms += calculate_audio_length_ms(audio, self.plan.speech.audio_format)
        self._out.emit(
            ResponseOutputAudioDelta(
                response_id=self.id,
                item_id=message.item_id,
                output_index=len(self._finished),
                content_index=0,
                delta=audio,
            )
        )

    def tool_call(self, piece: GenerationToolCall) -> None:
        """Write a piece of a function call's arguments."""
        call = self._call(piece)
        call.arguments.append(piece.arguments)
        self._characters += len(piece.arguments)
        self._out.emit(
            ResponseFunctionCallArgumentsDelta(
                response_id=self.id,
                item_id=call.item_id,
                output_index=len(self._finished),
                call_id=call.call_id,
                delta=piece.arguments,
            )
        )

    def words_of(self, item_id: str) -> str:
        """Return what was said so far of an item that is still being said, else ''."""
        match self._open:
            case _Message(item_id=open_id, text=text) if open_id == item_id:
                return "".join(text)
        return ""

    def completed(self, usage: Usage) -> None:
        """End as planned."""
        self._end("completed", None, usage)

    def incomplete(self, reason: str, usage: Usage) -> None:
        """End before all was said: a limit was reached."""
        self._end("incomplete", StatusDetails(type="incomplete", reason=reason), usage)

    def cancelled(self, reason: str, usage: Usage) -> None:
        """End because of the caller, or of the client."""
        self._end("cancelled", StatusDetails(type="cancelled", reason=reason), usage)

    def failed(self, error: ErrorDetail, usage: Usage) -> None:
        """End because the model can't go on."""
        self._end("failed", StatusDetails(type="failed", error=error), usage)

    def _end(self, status: str, details: StatusDetails | None, usage: Usage) -> None:
        self._close("completed" if status == "completed" else "incomplete")
        self._out.emit(ResponseDone(response=self._wire(status, details=details, usage=usage)))

    def _wire(
        self, status: str, *, details: StatusDetails | None = None, usage: Usage | None = None
    ) -> Response:
        return Response(
            id=self.id,
            status=status,
            status_details=details,
            output=tuple(without_audio(entry.item) for entry in self._finished),
            conversation_id=self._conversation_id,
            output_modalities=self.plan.modalities,
            voice=self.plan.voice,
            output_audio_format=self.plan.speech.audio_format,
            max_output_tokens=self.plan.max_output_tokens or "inf",
            metadata=self.plan.metadata,
            usage=usage,
        )

    def _message(self) -> _Message:
        """Return the message that is being said: a new one, unless one is open."""
        if isinstance(self._open, _Message):
            return self._open
        self._close("completed")
        item_id = self._out.new_id("item")
        item = MessageItem(id=item_id, status="in_progress", role="assistant")
        message = _Message(item_id=item_id, entry=self._added(item_id, item))
        self._open = message
        self._out.emit(
            ResponseContentPartAdded(
                response_id=self.id,
                item_id=item_id,
                output_index=len(self._finished),
                content_index=0,
                part=OutputAudio(transcript="") if self.plan.speaks else OutputText(""),
            )
        )
        return message

    def _call(self, piece: GenerationToolCall) -> _Call:
        """Return the call that is being made: a new one, unless the piece is of the open one."""
        if isinstance(self._open, _Call) and self._open.index == piece.index:
            return self._open
        self._close("completed")
        item_id = self._out.new_id("item")
        call_id = piece.call_id or self._out.new_id("call")
        item = FunctionCallItem(
            id=item_id, status="in_progress", call_id=call_id, name=piece.name, arguments=""
        )
        call = _Call(
            item_id=item_id,
            entry=self._added(item_id, item),
            index=piece.index,
            call_id=call_id,
            name=piece.name,
        )
        self._open = call
        self._characters += len(piece.name)
        return call

    def _added(self, item_id: str, item: Item) -> Entry:
        entry = Entry(item, self.plan.speech.audio_format)
        self._out.emit(
            ResponseOutputItemAdded(
                response_id=self.id, output_index=len(self._finished), item=item
            )
        )
        if self.plan.in_conversation:
            self._chain.add(item_id, entry)
        return entry

    def _close(self, status: Literal["completed", "incomplete"]) -> None:
        """Finish the item that is open, if one is."""
        match self._open:
            case None:
                return
            case _Message() as message:
                item_id, entry = message.item_id, message.entry
                entry.item = self._finish_message(message, status)
            case _Call() as call:
                item_id, entry = call.item_id, call.entry
                entry.item = self._finish_call(call, status)
        self._out.emit(
            ResponseOutputItemDone(
                response_id=self.id,
                output_index=len(self._finished),
                item=without_audio(entry.item),
            )
        )
        self._open = None
        self._finished.append(entry)
        if self.plan.in_conversation:
            self._chain.done(item_id)

    def _finish_message(self, message: _Message, status: str) -> MessageItem:
        text = "".join(message.text)
        part: ContentPart
        if self.plan.speaks:
            part = self._finish_speech(message, text)
        else:
            part = OutputText(text)
            self._out.emit(
                ResponseOutputTextDone(
                    response_id=self.id,
                    item_id=message.item_id,
                    output_index=len(self._finished),
                    content_index=0,
                    text=text,
                )
            )
        self._out.emit(
            ResponseContentPartDone(
                response_id=self.id,
                item_id=message.item_id,
                output_index=len(self._finished),
                content_index=0,
                part=part,
            )
        )
        if isinstance(part, OutputAudio) and message.entry.cut_at_ms is not None:
            part = evolve(part, transcript=None)
        return MessageItem(id=message.item_id, status=status, role="assistant", content=(part,))

    def _finish_speech(self, message: _Message, transcript: str) -> OutputAudio:
        self._out.emit(
            ResponseOutputAudioDone(
                response_id=self.id,
                item_id=message.item_id,
                output_index=len(self._finished),
                content_index=0,
            )
        )
        self._out.emit(
            ResponseOutputAudioTranscriptDone(
                response_id=self.id,
                item_id=message.item_id,
                output_index=len(self._finished),
                content_index=0,
                transcript=transcript,
            )
        )
        return OutputAudio(transcript=transcript)

    def _finish_call(self, call: _Call, status: str) -> FunctionCallItem:
        arguments = "".join(call.arguments)
        self._out.emit(
            ResponseFunctionCallArgumentsDone(
                response_id=self.id,
                item_id=call.item_id,
                output_index=len(self._finished),
                call_id=call.call_id,
                name=call.name,
                arguments=arguments,
            )
        )
        return FunctionCallItem(
            id=call.item_id,
            status=status,
            call_id=call.call_id,
            name=call.name,
            arguments=arguments,
        )
