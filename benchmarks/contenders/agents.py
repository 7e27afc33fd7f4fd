"""openai-agents: RealtimeSession, on one asyncio loop."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from agents.realtime import RealtimeAgent, RealtimeRunner, RealtimeSession
from agents.realtime.openai_realtime import OpenAIRealtimeWebSocketModel

from benchmarks.measuring import (
    SILENCE,
    WARM_UP_SECONDS,
    appointments,
    collection_ms,
    percentile,
    resident_bytes,
    sent_at,
    spending,
    summary_ms,
)

AGENT = RealtimeAgent(name="Load", instructions="Be brief.")


@asynccontextmanager
async def running(url: str) -> AsyncIterator[RealtimeSession]:
    runner = RealtimeRunner(AGENT)
    async with await runner.run(model_config={"url": url, "api_key": "none"}) as session:
        yield session


def decode(texts: list[str], repeat: int) -> dict[str, float]:
    validate = OpenAIRealtimeWebSocketModel()._server_event_type_adapter.validate_python
    with spending() as spent:
        for _ in range(repeat):
            for text in texts:
                validate(json.loads(text))
    return {"cpu_us": spent.cpu_s * 1e6 / repeat / len(texts)}


def flood(url: str, count: int) -> dict[str, float]:
    async def work() -> dict[str, float]:
        async with running(url) as session:
            with spending() as spent:
                await session.send_audio(SILENCE)
                received = 0
                async for event in session:
                    if event.type == "audio":
                        received += 1
                        if received == count:
                            break
        return {"cpu_us": spent.cpu_s * 1e6 / count, "wall_us": spent.wall_s * 1e6 / count}

    return asyncio.run(work())


def paced(url: str, seconds: float) -> dict[str, float]:
    async def work() -> dict[str, float]:
        latencies = []
        async with running(url) as session:
            await session.send_audio(SILENCE)
            begin = time.monotonic() + WARM_UP_SECONDS
            async for event in session:
                now = time.monotonic()
                if now >= begin + seconds:
                    break
                if event.type == "audio" and now >= begin:
                    latencies.append(now - sent_at(event.audio.data))
        return summary_ms(latencies)

    return asyncio.run(work())


def send(url: str, frames: int, size: int) -> dict[str, float]:
    async def work() -> dict[str, float]:
        frame = bytes(size)
        async with running(url) as session:
            await session.send_audio(SILENCE)
            with spending() as spent:
                for _ in range(frames):
                    await session.send_audio(frame)
                async for event in session:
                    if event.type == "audio":
                        break
        return {"cpu_us": spent.cpu_s * 1e6 / frames, "calls_per_s": frames / spent.wall_s}

    return asyncio.run(work())


def scale(url: str, sessions: int, seconds: float) -> dict[str, float]:
    """Many conversations at once: a task listens to each of them, one speaks for all."""
    latencies: list[float] = []
    lateness: list[float] = []

    async def listen(session: RealtimeSession) -> None:
        async for event in session:
            if event.type == "audio":
                latencies.append(time.monotonic() - sent_at(event.audio.data))

    async def work() -> dict[str, float]:
        async def speak(seconds: float) -> None:
            for due, group in appointments(sessions, seconds):
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                for index in group:
                    await open_sessions[index].send_audio(SILENCE)
                lateness.append(time.monotonic() - due)

        async with AsyncExitStack() as stack:
            open_sessions = [await stack.enter_async_context(running(url)) for _ in range(sessions)]
            listeners = [asyncio.create_task(listen(session)) for session in open_sessions]
            gc.collect()
            await speak(WARM_UP_SECONDS)
            latencies.clear()
            lateness.clear()
            with spending(collect=False) as spent:
                await speak(seconds)
            heard = summary_ms(latencies)
            for listener in listeners:
                listener.cancel()
            await asyncio.gather(*listeners, return_exceptions=True)
        return {
            **heard,
            "cores": spent.cpu_s / spent.wall_s,
            "late_p99_ms": percentile(lateness, 99) * 1000,
            "threads": 0,
        }

    return asyncio.run(work())


def barge_in(url: str, sessions: int, seconds: float) -> dict[str, float]:
    """From "speech started" leaving the server to the interruption in a listener's hands."""
    latencies: list[float] = []
    begin = 0.0

    async def listen(session: RealtimeSession) -> None:
        spoke_at = 0.0
        async for event in session:
            if event.type == "raw_model_event":
                spoke_at = _spoken_at(event.data) or spoke_at
            elif event.type == "audio_interrupted" and time.monotonic() >= begin:
                latencies.append(time.monotonic() - spoke_at)

    async def work() -> None:
        nonlocal begin
        async with AsyncExitStack() as stack:
            listeners = []
            for _ in range(sessions):
                session = await stack.enter_async_context(running(url))
                listeners.append(asyncio.create_task(listen(session)))
                await session.send_audio(SILENCE)
            begin = time.monotonic() + WARM_UP_SECONDS
            await asyncio.sleep(WARM_UP_SECONDS + seconds)
            for listener in listeners:
                listener.cancel()
            await asyncio.gather(*listeners, return_exceptions=True)

    asyncio.run(work())
    return summary_ms(latencies)


def _spoken_at(data: Any) -> float | None:
    if data.type == "raw_server_event" and data.data["type"].endswith("speech_started"):
        return int(data.data["item_id"]) / 1e9
    return None


def idle(url: str, sessions: int) -> dict[str, float]:
    """Memory of sessions that wait."""

    async def work() -> dict[str, float]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(running(url))
            before = resident_bytes()
            for _ in range(sessions):
                await stack.enter_async_context(running(url))
            await asyncio.sleep(0.5)
            after = resident_bytes()
            stop_ms = collection_ms()
        return {
            "session_kb": (after - before) / sessions / 1024,
            "process_mb": after / 2**20,
            "stop_ms": stop_ms,
        }

    return asyncio.run(work())
