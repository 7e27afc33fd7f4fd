"""realtime_actors in asyncio: all sessions, and all who listen and speak, in one event loop."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from contextlib import AsyncExitStack

import realtime_actors as ra
from benchmarks.measuring import (
    SILENCE,
    WARM_UP_SECONDS,
    appointments,
    percentile,
    sent_at,
    spending,
    summary_ms,
)
from realtime_actors import aio
from realtime_actors.events import AudioEvent

AGENT = ra.agent(name="Load", instructions="Be brief.")


def scale(url: str, sessions: int, seconds: float) -> dict[str, float]:
    """Many conversations at once: one coroutine takes what all of them hear, one speaks."""
    return asyncio.run(_scale(url, sessions, seconds))


async def _scale(url: str, sessions: int, seconds: float) -> dict[str, float]:
    latencies: list[float] = []
    lateness: list[float] = []
    events = aio.Queue(limit=100_000)

    async def listen() -> None:
        while True:
            message = await events.get()
            if type(message.event) is AudioEvent:
                latencies.append(time.monotonic() - sent_at(message.event.audio.data))

    async def speak(seconds: float) -> None:
        for due, group in appointments(sessions, seconds):
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            for index in group:
                await open_sessions[index].send_audio(SILENCE)
            lateness.append(time.monotonic() - due)

    where = {"url": url, "api_key": "none"}
    async with AsyncExitStack() as stack:
        open_sessions = [
            await stack.enter_async_context(aio.run(AGENT, model_config=where))
            for _ in range(sessions)
        ]
        listening = asyncio.create_task(listen())
        for session in open_sessions:
            await session.subscribe(events)
        gc.collect()
        await speak(WARM_UP_SECONDS)
        latencies.clear()
        lateness.clear()
        with spending(collect=False) as spent:
            await speak(seconds)
        heard = summary_ms(latencies)
        threads = threading.active_count() - 1
        listening.cancel()
    return {
        **heard,
        "cores": spent.cpu_s / spent.wall_s,
        "late_p99_ms": percentile(lateness, 99) * 1000,
        "threads": threads,
    }


def flood(url: str, count: int) -> dict[str, float]:
    """As many events as there are, through one stream."""
    return asyncio.run(_flood(url, count))


async def _flood(url: str, count: int) -> dict[str, float]:
    where = {"url": url, "api_key": "none"}
    async with aio.run(AGENT, model_config=where) as session:
        events = session.events(only=AudioEvent, limit=count + 1)
        await session.history()
        received = 0
        with spending() as spent:
            await session.send_audio(SILENCE)
            async for event in events:
                received += type(event) is AudioEvent
                if received == count:
                    break
    return {"cpu_us": spent.cpu_s * 1e6 / count, "wall_us": spent.wall_s * 1e6 / count}
