"""Every test of `aio` runs in asyncio's own event loop and in uvloop's, by anyio's plugin."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import uvloop

import realtime_actors as ra
from realtime_actors import aio
from realtime_actors.testing import ScriptedTransport

LOOPS = {"asyncio": False, "uvloop": True}


@pytest.fixture(scope="session", autouse=True)
def pipe_of_uvloop() -> None:
    """Have uvloop open the one pipe for signals that it keeps as long as the process lives."""
    uvloop.run(asyncio.sleep(0))


@pytest.fixture(params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": LOOPS[request.param]}


@pytest.fixture
def script() -> Iterator[ScriptedTransport]:
    with ScriptedTransport(strict=False) as script:
        yield script


def run(script: ScriptedTransport, agent: ra.Agent | None = None, **options: Any) -> aio.Opening:
    return aio.run(agent or ra.agent(name="Assistant"), transport=script, **options)
