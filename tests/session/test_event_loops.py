"""Blocking calls in the thread of an event loop: what is said, and where nothing is."""

from __future__ import annotations

import asyncio
import sys
import types
import warnings
from collections.abc import Callable, Iterator

import pytest

import realtime_actors as ra
from realtime_actors.errors import BlockingInEventLoopWarning, EventLoopError
from realtime_actors.testing import ScriptedTransport


@pytest.fixture
def session() -> Iterator[ra.Session]:
    with ra.run(ra.agent(), transport=ScriptedTransport(strict=False)) as session:
        yield session


def in_a_loop(call: Callable[[], object]) -> object:
    async def main() -> object:
        return call()

    return asyncio.run(main())


def test_a_blocking_run_in_a_loop_works_and_is_warned_about_at_its_line() -> None:
    def run() -> ra.Session:
        return ra.run(ra.agent(), transport=ScriptedTransport(strict=False))

    with pytest.warns(BlockingInEventLoopWarning, match=r"^run\(\) waits.*aio\.run") as warned:
        session = in_a_loop(run)

    assert isinstance(session, ra.Session)
    session.close()
    assert [each.filename for each in warned] == [__file__]


@pytest.mark.parametrize(
    ("what", "call"),
    [
        ("History of a session", lambda session: ra.history(session)),
        ("Interrupt of a session", lambda session: session.interrupt()),
        ("close", lambda session: session.close()),
    ],
)
def test_a_blocking_verb_in_a_loop_works_and_is_warned_about_at_its_line(
    what: str, call: Callable[[ra.Session], object], session: ra.Session
) -> None:
    with pytest.warns(BlockingInEventLoopWarning, match=f"^{what}") as warned:
        in_a_loop(lambda: call(session))

    assert {each.filename for each in warned} == {__file__}


def test_a_loop_over_a_blocking_stream_in_an_event_loop_is_refused(session: ra.Session) -> None:
    stream = session.events()

    with pytest.raises(EventLoopError, match="async for event in aio"):
        in_a_loop(lambda: list(stream))


def test_what_does_not_wait_is_not_warned_about(session: ra.Session) -> None:
    def calls() -> None:
        session.send_audio(bytes(960))
        session.ask(ra.messages.History(), block=False)
        session.tell(ra.messages.Interrupt())
        assert session.connected
        assert session.is_alive()

    in_a_loop(calls)  # a warning would be an error


def test_a_notebook_whose_cells_all_run_in_a_loop_is_told_nothing(
    session: ra.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))

    in_a_loop(session.interrupt)
    stream = session.events()
    session.close()
    in_a_loop(lambda: list(stream))


def test_a_tool_that_is_a_coroutine_has_a_loop_of_its_own(session: ra.Session) -> None:
    def task() -> object:
        return in_a_loop(session.history)

    with ra.otp.Client(), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ra.otp.Task.await_(ra.otp.Task.async_(task)) == []
