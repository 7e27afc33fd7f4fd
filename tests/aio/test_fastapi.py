"""A browser that talks through a FastAPI application, as the how-to shows it, from end to end."""

from __future__ import annotations

import json
import re
import runpy
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from realtime_actors import otp
from realtime_actors.server import RealtimeServer
from tests.server.talk import silence, speech

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "asyncio.md"
EXAMPLE = re.compile(r"^<!-- file: talk\.py -->\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def application(tmp_path: Path) -> Any:
    """The one that the page shows."""
    shown = EXAMPLE.search(PAGE.read_text("utf-8"))
    assert shown is not None
    file = tmp_path / "talk.py"
    file.write_text(shown[1])
    return runpy.run_path(str(file))["app"]


@contextmanager
def served(application: Any, loop: Any) -> Iterator[str]:
    """Serve it on loopback as a program would, in a thread of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(
            application, loop=loop, log_level="error", ws="websockets-sansio", lifespan="off"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"ws://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def heard_by(browser: Connection) -> Iterator[bytes | str]:
    while True:
        yield browser.recv(timeout=10)


def test_what_a_browser_says_is_answered_and_it_may_talk_over_the_answer(
    application: Any, loop: str
) -> None:
    replies = ["It is a long story, and it begins long ago, in a kingdom far away.", "Sorry."]
    with (
        RealtimeServer.scripted(replies, heard=["Tell me a story.", "Stop."]) as server,
        served(application, loop) as url,
    ):
        application.state.model_config = {"url": server.url}
        with connect(f"{url}/talk") as browser:
            speak(browser)
            first = next(heard_by(browser))
            assert isinstance(first, bytes)
            assert any(first)

            speak(browser)
            texts = (each for each in heard_by(browser) if isinstance(each, str))
            assert json.loads(next(texts)) == {"type": "interrupted"}
            assert isinstance(next(heard_by(browser)), bytes), "the second answer"


def speak(browser: Connection) -> None:
    """Half a second of sound, and a second of silence, in frames of 20 ms."""
    sound = speech(500) + silence(1000)
    for start in range(0, len(sound), 960):
        browser.send(sound[start : start + 960])


def test_a_browser_that_goes_takes_its_session_along(application: Any, loop: str) -> None:
    with RealtimeServer.scripted() as server, served(application, loop) as url:
        application.state.model_config = {"url": server.url}
        browsers = [connect(f"{url}/talk") for _ in range(3)]
        wait_until(lambda: sessions() == 3)
        for browser in browsers:
            browser.close()
        wait_until(lambda: sessions() == 0)


def sessions() -> int:
    return sum(info.kind == "session" for _, info in otp.observe().walk())


def wait_until(true: Any) -> None:
    over = threading.Event()
    for _ in range(500):
        if true():
            return
        over.wait(0.01)
    raise AssertionError("it did not come to that within 5 s")
