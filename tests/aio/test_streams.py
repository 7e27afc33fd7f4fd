"""Events in asyncio: streams, queues, and who is left to receive when a reader goes."""

from __future__ import annotations

import asyncio
import queue
from typing import Any

import anyio
import pytest

import realtime_actors as ra
from realtime_actors import aio
from realtime_actors.errors import EventLoopError
from realtime_actors.events import ConnectionEvent, ErrorEvent
from realtime_actors.testing import ScriptedTransport
from tests.aio.conftest import run
from tests.session.wire import error

pytestmark = pytest.mark.anyio


def said(event: Any) -> str:
    message: str = event.error.message
    return message


async def test_events_come_in_order_and_end_with_the_session(script: ScriptedTransport) -> None:
    async with run(script) as session:
        stream = session.events(only=ErrorEvent)
        await session.history()  # it is subscribed by now
        script.emit(*(error("odd", f"number {number}") for number in range(100)))

    came = [event async for event in stream]

    assert [said(event) for event in came[:-1]] == [f"number {number}" for number in range(100)]
    assert isinstance(came[-1], ConnectionEvent)
    assert [event async for event in stream] == []


async def test_a_session_that_fails_raises_that_after_its_last_event(
    script: ScriptedTransport,
) -> None:
    async with run(script) as session:
        stream = session.events()
        script.emit(error("insufficient_quota", "no money"))
        with pytest.raises(ra.SessionFailedError, match="no money"):
            async for _event in stream:
                pass


async def test_a_stream_waits_no_longer_than_it_was_told(script: ScriptedTransport) -> None:
    async with run(script) as session:
        stream = session.events(timeout=0.05)
        with pytest.raises(TimeoutError, match=r"no event of the session in 0\.05 s"):
            await anext(stream)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(session.events()), 0.05)
        with anyio.move_on_after(0.05) as scope:
            await anext(stream)
        assert scope.cancelled_caught

        script.emit(error("odd", "it goes on"))
        assert said(await anext(stream)) == "it goes on"


async def test_a_reader_that_is_cancelled_is_unsubscribed(script: ScriptedTransport) -> None:
    async with run(script) as session:

        async def read() -> None:
            async for _event in session.events():
                pass

        reading = asyncio.create_task(read())
        while not session.ref.shared.subscribers.all:
            await asyncio.sleep(0.005)
        reading.cancel()
        await asyncio.wait([reading])

        assert session.ref.shared.subscribers.all == ()
        assert reading.cancelled()


async def test_a_loop_that_is_left_is_unsubscribed(script: ScriptedTransport) -> None:
    async with run(script) as session:

        async def read() -> None:
            async for event in session.events(only=ErrorEvent):
                assert said(event) == "the only one"
                break

        reading = asyncio.create_task(read())
        while not session.ref.shared.subscribers.all:
            await asyncio.sleep(0.005)
        script.emit(error("odd", "the only one"))
        await reading

        assert session.ref.shared.subscribers.all == ()


async def test_a_loop_whose_time_is_over_is_unsubscribed(script: ScriptedTransport) -> None:
    async with run(script) as session:

        async def read() -> None:
            async with asyncio.timeout(0.05):
                async for _event in session.events():
                    pass

        with pytest.raises(TimeoutError) as late:
            await read()

        assert session.ref.shared.subscribers.all == (), "though the error is kept"
        assert late.value


async def test_a_stream_ends_with_its_block_and_with_aclose(script: ScriptedTransport) -> None:
    async with run(script) as session:
        async with session.events() as stream:
            waiting = asyncio.create_task(anext(stream, None))
            await asyncio.sleep(0.01)
            assert not waiting.done()
        assert await waiting is None
        await session.history()
        assert session.ref.shared.subscribers.all == ()


async def test_a_full_stream_drops_the_oldest_and_counts(script: ScriptedTransport) -> None:
    async with run(script) as session:
        stream = session.events(limit=2)
        await session.history()
        script.emit(*(error("odd", f"number {number}") for number in range(5)))
        await session.history()  # the answer comes after all of them

        assert [said(await anext(stream)), said(await anext(stream))] == ["number 3", "number 4"]
        assert stream.dropped == 3


async def test_a_queue_may_serve_many_sessions_and_says_whose_event_it_is() -> None:
    events = aio.Queue()
    scripts = [ScriptedTransport(strict=False) for _ in range(3)]
    async with run(scripts[0]) as one, run(scripts[1]) as two, run(scripts[2]) as three:
        for session in (one, two, three):
            await session.subscribe(events, only=ErrorEvent)
        readers = [asyncio.create_task(events.get()) for _ in range(3)]
        for each in scripts:
            await asyncio.to_thread(each.emit, error("odd", "from its thread"))
        got = await asyncio.gather(*readers)

        assert {message.session for message in got} == {one, two, three}
        for message in got:
            await message.session.interrupt()
    assert events.empty()


async def test_a_queue_never_makes_its_session_wait(script: ScriptedTransport) -> None:
    async with run(script) as session:
        await session.subscribe(aio.Queue())
        assert not session.ref.shared.subscribers.may_wait


async def test_a_full_queue_drops_by_its_policy_and_counts(script: ScriptedTransport) -> None:
    oldest, newest = aio.Queue(2), aio.Queue(2, when_full="drop_newest")
    async with run(script) as session:
        await session.subscribe(oldest, only=ErrorEvent)
        await session.subscribe(newest, only=ErrorEvent)
        script.emit(*(error("odd", f"number {number}") for number in range(5)))
        await session.history()

        assert [said(oldest.get_nowait().event) for _ in range(2)] == ["number 3", "number 4"]
        assert [said(newest.get_nowait().event) for _ in range(2)] == ["number 0", "number 1"]
        assert (oldest.dropped, newest.dropped) == (3, 3)
        assert session.dropped(newest) == 3
        with pytest.raises(queue.Empty):
            oldest.get_nowait()


async def test_a_reader_that_is_cancelled_leaves_its_event_to_another_one(
    script: ScriptedTransport,
) -> None:
    events = aio.Queue()
    async with run(script) as session:
        await session.subscribe(events, only=ErrorEvent)
        first = asyncio.create_task(events.get())
        second = asyncio.create_task(events.get())
        await asyncio.sleep(0)
        script.emit(error("odd", "for one of them"))
        first.cancel()

        assert said((await second).event) == "for one of them"
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_a_queue_of_a_loop_that_is_closed_disturbs_no_session(
    script: ScriptedTransport,
) -> None:
    events = aio.Queue()

    async def wait() -> None:
        asyncio.ensure_future(events.get())  # noqa: RUF006 - it is left behind
        await asyncio.sleep(0)

    async with run(script) as session:
        await session.subscribe(events, only=ErrorEvent)
        await asyncio.to_thread(asyncio.run, wait())
        script.emit(error("odd", "kept"))

        assert said((await events.get()).event) == "kept"
        assert session.ref.shared.subscribers.all == (events,)


def test_wrong_options_of_a_queue_are_refused() -> None:
    with pytest.raises(ra.ConfigError, match="limit of a Queue"):
        aio.Queue(0)
    with pytest.raises(ra.ConfigError, match="when_full of a Queue is 'block'"):
        aio.Queue(when_full="block")  # type: ignore[arg-type]


# -- mistakes --------------------------------------------------------------------------------------


async def test_the_other_kinds_of_with_and_for_say_what_to_write(
    script: ScriptedTransport,
) -> None:
    opening: Any = run(script)
    with pytest.raises(EventLoopError, match="async with"), opening:
        pass
    with pytest.raises(AttributeError, match="not started yet"):
        opening.send_message("Hi")
    async with opening as session:
        with pytest.raises(EventLoopError, match="async with"), session:
            pass
        stream: Any = session.events()
        with pytest.raises(EventLoopError, match="async for"):
            list(stream)
        with pytest.raises(ra.ConfigError, match=r"aio\.Queue"):
            await session.subscribe(asyncio.Queue())
    with pytest.raises(ra.ConfigError, match="started before"):
        await opening
    with pytest.raises(ra.ConfigError, match="takes a Runner, not Agent"):
        aio.start(ra.agent())  # type: ignore[arg-type]
    with pytest.raises(ra.ConfigError, match="no running session"):
        aio.Session("desk")  # type: ignore[arg-type]


def step(coroutine: Any) -> None:
    coroutine.send(None)


def test_without_a_loop_it_is_said_what_is_missing(script: ScriptedTransport) -> None:
    with pytest.raises(EventLoopError, match=r"asyncio\.run"):
        step(run(script).__await__())
    with ra.run(ra.agent(), transport=script) as session:
        with pytest.raises(EventLoopError, match=r"asyncio\.run"):
            aio.Session(session).events()
        with pytest.raises(EventLoopError, match=r"asyncio\.run"):
            step(aio.Session(session).interrupt())


def test_trio_is_told_that_it_is_not_supported(
    script: ScriptedTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Trio:
        """As far as it is asked."""

        class lowlevel:  # noqa: N801 - its name
            in_trio_run = staticmethod(lambda: True)

    monkeypatch.setitem(__import__("sys").modules, "trio", Trio)
    with pytest.raises(EventLoopError, match="needs asyncio, and this is trio"):
        step(run(script).__await__())
