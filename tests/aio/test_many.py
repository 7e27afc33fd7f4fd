"""A hundred sessions in one event loop, against the embedded server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest

import realtime_actors as ra
from realtime_actors import aio
from realtime_actors.events import AgentEndEvent
from realtime_actors.server import RealtimeServer

SESSIONS = 100


@pytest.fixture
def server() -> Iterator[RealtimeServer]:
    with RealtimeServer.scripted(pace=20) as server:
        yield server


@pytest.mark.anyio
@pytest.mark.slow
async def test_a_hundred_sessions_in_one_loop_are_answered_each(server: RealtimeServer) -> None:
    runner = ra.runner(ra.agent(name="Echo"))

    async def talk(number: int) -> str:
        start = aio.start(runner, model_config={"url": server.url}, timeout=30)
        async with start as session:
            ends = session.events(only=AgentEndEvent, timeout=30)
            await session.send_message(f"number {number}")
            await anext(ends)
            return await session.transcript()

    said = await asyncio.gather(*(talk(number) for number in range(SESSIONS)))

    for number, transcript in enumerate(said):
        assert transcript == f"User: number {number}\nAssistant: You said: number {number}"


@pytest.mark.anyio
@pytest.mark.slow
async def test_the_loop_needs_no_thread_beside_those_of_the_sessions(
    server: RealtimeServer,
) -> None:
    runner = ra.runner(ra.agent())
    async with AsyncExitStack() as stack:
        for _ in range(SESSIONS):
            start = aio.start(runner, model_config={"url": server.url}, timeout=30)
            await stack.enter_async_context(start)
        names = [each.name.partition("-")[0] for each in threading.enumerate()]

    assert names.count("SessionServer") == SESSIONS
    assert "asyncio" not in names, "the executor of the loop"
