"""A brain behind any OpenAI-compatible chat endpoint: OpenAI itself, vLLM, llama.cpp, Ollama.

The answer is streamed. The connection lives in an event loop of the calling thread, so
that a response which is cancelled ends at once, whatever it was waiting for: the
endpoint's address, its first word or its next one.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, Literal

import httpx2
from attrs import define

from realtime_actors.server.engines.brain.chat_format import chat_request
from realtime_actors.server.engines.interfaces import (
    BrainOutput,
    BrainRequest,
    Cancelled,
    EngineError,
    Finished,
    TextDelta,
    ToolCallDelta,
    never,
)

__all__ = ["ChatBrain"]

_POLL_S: Final = 0.05
_TIMEOUT: Final = httpx2.Timeout(60.0, connect=10.0)
"""A minute between two pieces: some endpoints load their model first."""
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


class ChatBrain:
    """Asks `{url}/chat/completions`. `model` None leaves the choice to the endpoint.

    The key goes out as a bearer token. Proxies are taken from the environment, except for
    an endpoint on this machine.
    """

    def __init__(self, url: str, *, model: str | None = None, api_key: str | None = None) -> None:
        self._url = httpx2.URL(url.rstrip("/") + "/chat/completions")
        self._model = model
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        # Made once: it takes longer to read all the authorities than to say hello.
        self._tls = ssl.create_default_context()

    def respond(
        self, request: BrainRequest, *, cancelled: Cancelled = never
    ) -> Iterator[BrainOutput]:
        body = chat_request(request, model=self._model)
        answer = _Answer()
        with asyncio.Runner() as runner:
            pieces: asyncio.Queue[Mapping[str, Any] | Exception | None] = asyncio.Queue()
            reading = runner.get_loop().create_task(self._read(body, pieces))
            try:
                while (piece := runner.run(_next(pieces, cancelled))) is not None:
                    if isinstance(piece, Exception):
                        raise piece
                    yield from answer.take(piece)
                if not cancelled():
                    yield answer.finished()
            finally:
                runner.run(_end(reading))

    async def _read(
        self, body: Mapping[str, Any], pieces: asyncio.Queue[Mapping[str, Any] | Exception | None]
    ) -> None:
        try:
            async for piece in self._stream(body):
                pieces.put_nowait(piece)
        except EngineError as error:
            pieces.put_nowait(error)
        except httpx2.HTTPError as error:
            reason = str(error) or type(error).__name__
            pieces.put_nowait(EngineError(f"the chat endpoint {self._url.host}: {reason}"))
        else:
            pieces.put_nowait(None)

    async def _stream(self, body: Mapping[str, Any]) -> AsyncIterator[Mapping[str, Any]]:
        async with (
            httpx2.AsyncClient(
                headers=self._headers,
                timeout=_TIMEOUT,
                verify=self._tls,
                trust_env=self._url.host not in _LOOPBACK,
            ) as client,
            client.stream("POST", self._url, json=body) as response,
        ):
            if response.status_code != httpx2.codes.OK:
                raise EngineError(_refusal(response.status_code, await response.aread()))
            async for line in response.aiter_lines():
                # Server-sent events, of which only the data matters, one line of JSON each.
                data = line.removeprefix("data:").strip()
                if not line.startswith("data:") or not data:
                    continue
                if data == "[DONE]":
                    return
                try:
                    piece = json.loads(data)
                except ValueError:
                    raise EngineError("the chat endpoint sent something that isn't JSON") from None
                if isinstance(piece, Mapping):
                    yield piece


async def _next(
    pieces: asyncio.Queue[Mapping[str, Any] | Exception | None], cancelled: Cancelled
) -> Mapping[str, Any] | Exception | None:
    """Return the next piece; None at the end, and as soon as the answer is cancelled."""
    while not cancelled():
        with suppress(TimeoutError):
            return await asyncio.wait_for(pieces.get(), _POLL_S)
    return None


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _refusal(status: int, body: bytes) -> str:
    try:
        message = _message(json.loads(body))
    except ValueError:
        message = body[:200].decode("utf-8", "replace").strip()
    return f"the chat endpoint answered {status}: {message}"


def _message(answer: object) -> str:
    """Return what an error object says; endpoints nest it differently."""
    match answer:
        case {"error": {"message": str(message)}} | {"error": str(message)} | {"detail": message}:
            return str(message)
        case _:
            return json.dumps(answer)[:200]


@define
class _Answer:
    """What has come of an answer: which tool call is being written, how it ended."""

    index: int = -1
    key: tuple[object, object] = (None, None)
    name: str = ""
    call_id: str | None = None
    reason: str = "stop"
    input_tokens: int | None = None
    output_tokens: int | None = None

    def take(self, piece: Mapping[str, Any]) -> Iterator[BrainOutput]:
        if piece.get("error"):
            raise EngineError(f"the chat endpoint failed: {_message(piece)}")
        if usage := piece.get("usage"):
            self.input_tokens = usage.get("prompt_tokens")
            self.output_tokens = usage.get("completion_tokens")
        for choice in (piece.get("choices") or ())[:1]:
            delta = choice.get("delta") or {}
            if text := delta.get("content") or delta.get("refusal"):
                yield TextDelta(text)
            for call in delta.get("tool_calls") or ():
                yield from self._call(call)
            self.reason = choice.get("finish_reason") or self.reason

    def _call(self, call: Mapping[str, Any]) -> Iterator[BrainOutput]:
        """Read a piece of a call. Its id comes once, its index always, or the other way round."""
        function = call.get("function") or {}
        key = (call.get("index"), call.get("id") or self.key[1])
        if self.index < 0 or key != self.key:
            if not function.get("name"):
                raise EngineError("the chat endpoint mixed its tool calls up")
            self.index, self.key = self.index + 1, key
            self.name, self.call_id = function["name"], call.get("id")
        yield ToolCallDelta(
            index=self.index,
            name=self.name,
            arguments=function.get("arguments") or "",
            call_id=self.call_id,
        )

    def finished(self) -> Finished:
        return Finished(
            reason=_REASONS.get(self.reason, "stop"),
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
        )


_REASONS: Final[Mapping[str, Literal["max_output_tokens", "content_filter"]]] = {
    "length": "max_output_tokens",
    "content_filter": "content_filter",
}
