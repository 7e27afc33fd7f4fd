"""Sessions in asyncio: starting, asking, ending, and what a cancelled await leaves behind."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable

import anyio
import pykka
import pytest

import realtime_actors as ra
from realtime_actors import aio, messages, otp
from realtime_actors.events import ConnectionEvent, ErrorEvent
from realtime_actors.testing import ScriptedTransport
from tests.aio.conftest import run
from tests.session.test_verbs import ARGUMENTS, without_ids
from tests.session.wire import item_added

pytestmark = pytest.mark.anyio


def sessions() -> list[str]:
    """What is left of sessions: their processes, and their threads."""
    threads = [each.name for each in threading.enumerate() if each.name.startswith("SessionServer")]
    return [info.label for _, info in otp.observe().walk() if info.kind == "session"] + threads


# -- starting ----------------------------------------------------------------------------------


async def test_a_session_is_closed_at_the_end_of_its_block(script: ScriptedTransport) -> None:
    async with run(script) as session:
        assert session.connected
        assert session.is_alive()
        assert repr(session).startswith("<aio.Session urn:")

    assert not session.is_alive()
    assert sessions() == []


async def test_a_session_that_was_awaited_is_closed_by_hand(script: ScriptedTransport) -> None:
    session = await run(script)

    await session.close()
    await session.close()

    assert sessions() == []


async def test_a_runner_starts_many_sessions_each_with_its_context() -> None:
    scripts = [ScriptedTransport(strict=False) for _ in range(2)]
    made = iter(scripts)
    runner = ra.runner(ra.agent(), transport=lambda options, dialect: next(made)(options, dialect))

    async with aio.start(runner, context="a") as one, aio.start(runner, context="b") as two:
        assert one != two
        assert {one: 1}[aio.Session(one.ref)] == 1

    assert sessions() == []


async def test_a_session_that_listens_writes_down_what_is_said(script: ScriptedTransport) -> None:
    async with aio.transcribe(transport=script, language="en") as session:
        transcripts = session.transcripts()
        script.emit(
            {"type": "input_audio_buffer.committed", "item_id": "u1"},
            {
                "type": "conversation.item.input_audio_transcription.completed",
                "item_id": "u1",
                "content_index": 0,
                "transcript": "Hello.",
            },
        )
        assert (await anext(transcripts)).text == "Hello."

    assert script.sent[0]["session"]["type"] == "transcription"


async def test_a_supervisor_starts_a_session_again_under_the_same_handle() -> None:
    scripts = [ScriptedTransport(strict=False) for _ in range(2)]
    made = iter(scripts)
    supervisor = otp.start(otp.DynamicSupervisor)
    session = await aio.run(
        ra.agent(),
        transport=lambda options, dialect: next(made)(options, dialect),
        supervisor=supervisor,
        name="desk",
    )
    events = session.events(only=ConnectionEvent)
    assert supervisor.count_children().active == 1

    otp.exit_signal(session.ref, otp.KILL)
    async for event in events:
        if event.state == "connected":
            break

    assert session.ref.incarnation == 2
    assert otp.whereis("desk") is session.ref
    await session.close()
    supervisor.stop()


async def test_what_can_not_be_started_raises_what_the_blocking_way_raises(
    script: ScriptedTransport,
) -> None:
    nothing_there = {"url": "ws://127.0.0.1:1/", "api_key": "k"}

    with pytest.raises(ra.StartError) as refused:
        await aio.run(ra.agent(), model_config=nothing_there)
    assert refused.value.cause == "refused"
    silent = ScriptedTransport(strict=False, handshake=False)
    with pytest.raises(ra.StartError) as late:
        await run(silent, timeout=0.05)
    assert late.value.cause == "timeout"
    async with run(script, name="taken"):
        with pytest.raises(ra.StartError, match="is taken by") as taken:
            await run(ScriptedTransport(strict=False), name="taken")
    assert taken.value.cause == "config"
    with pytest.raises(ra.ConfigError, match=r"aio\.run has no option 'contxt'.*context"):
        run(script, contxt=1)

    assert sessions() == []


async def test_a_start_that_is_cancelled_is_called_off() -> None:
    silent = ScriptedTransport(strict=False, handshake=False)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await run(silent)
    with anyio.move_on_after(0.05) as scope:
        async with run(ScriptedTransport(strict=False, handshake=False)):
            pytest.fail("there was no handshake")
    assert scope.cancelled_caught

    await until(lambda: sessions() == [])
    assert not silent.connected


async def test_a_start_that_is_cancelled_before_it_has_begun_is_called_off(
    script: ScriptedTransport,
) -> None:
    async def start() -> None:
        await run(script)

    starting = asyncio.ensure_future(start())
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting

    await until(lambda: sessions() == [])


async def until(true: Callable[[], bool]) -> None:
    """Wait for what threads do: with a limit, and for the loop's sake not too often."""
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.005)


# -- verbs -------------------------------------------------------------------------------------


def test_every_verb_is_a_coroutine_that_takes_what_the_method_takes() -> None:
    for name in messages.VERBS:
        ours, blocking = getattr(aio.Session, name), getattr(ra.Session, name)
        assert inspect.iscoroutinefunction(ours), name
        taken = [
            [
                (each.name, each.kind, each.default)
                for each in inspect.signature(form).parameters.values()
            ]
            for form in (ours, blocking)
        ]
        assert taken[0] == taken[1], name
        assert ours.__doc__


def test_what_starts_a_session_takes_what_the_blocking_way_takes() -> None:
    pairs: list[tuple[Callable[..., object], Callable[..., object]]] = [
        (aio.run, ra.run),
        (aio.start, ra.Runner.run),
        (aio.transcribe, ra.transcribe),
    ]
    for ours, blocking in pairs:
        of_ours, of_blocking = inspect.signature(ours), inspect.signature(blocking)
        assert of_ours.parameters == of_blocking.parameters
        assert of_ours.return_annotation == "Opening"


@pytest.mark.parametrize("name", sorted(messages.VERBS.keys() - {"update_session", "hand_off"}))
async def test_a_verb_does_and_gives_what_the_method_does(name: str) -> None:
    args, options = ARGUMENTS[name]

    expected: object
    gave: object
    scripts = [ScriptedTransport(strict=False), ScriptedTransport(strict=False)]

    def blocking() -> object:
        with ra.run(ra.agent(), transport=scripts[0]) as session:
            try:
                return getattr(session, name)(*args, **options)
            except (ra.RealtimeError, ValueError) as error:
                return type(error).__name__, str(error)

    expected = await asyncio.to_thread(blocking)
    async with run(scripts[1], ra.agent()) as session:
        try:
            gave = await getattr(session, name)(*args, **options)
        except (ra.RealtimeError, ValueError) as error:
            gave = type(error).__name__, str(error)

    assert type(gave) is type(expected) if name == "add_item" else gave == expected
    sent = [[without_ids(each) for each in script.sent] for script in scripts]
    assert sent[0] == sent[1]


async def test_a_verb_that_waits_for_the_server_waits_and_raises_what_it_says(
    script: ScriptedTransport,
) -> None:
    async with run(script) as session:
        await session.update_session({"voice": "cedar"})
        await session.hand_off(ra.agent(name="Desk"))
        assert (await session.current_agent()).name == "Desk"
        with pytest.raises(ra.ConfigError):
            await session.update_session({"voice": 7})
        assert await session.transcript() == ""


async def test_after_the_end_verbs_say_why_and_reading_gives_what_was_known_last(
    script: ScriptedTransport,
) -> None:
    async with run(script) as session:
        script.emit(item_added("u1"))

    with pytest.raises(ra.SessionClosedError, match="the session was closed"):
        await session.send_message("too late")
    with pytest.raises(ra.SessionClosedError):
        session.events()
    with pytest.raises(ra.SessionClosedError):
        await session.send_audio(bytes(960))
    assert len(await session.history()) == 1
    assert (await session.usage()).responses == 0


class Slow:
    """Instructions that take as long as the test wants."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.begun = threading.Event()

    def __call__(self, context: object, agent: ra.Agent) -> str:
        self.begun.set()
        self.go_on.wait(5)
        return "Be slow."


async def test_a_verb_that_is_cancelled_is_done_all_the_same_and_waits_for_nothing(
    script: ScriptedTransport,
) -> None:
    slow = Slow()
    async with run(script) as session:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await session.hand_off(ra.agent(name="Desk", instructions=slow))
        assert slow.begun.is_set()
        slow.go_on.set()
        while (await session.current_agent()).name != "Desk":
            await asyncio.sleep(0.005)


async def test_a_verb_that_takes_longer_than_it_may_is_a_timeout_error_of_both_kinds(
    script: ScriptedTransport,
) -> None:
    slow = Slow()
    async with run(script) as session:
        with pytest.raises(otp.CallTimeout) as late:
            await session.ask(
                messages.HandOff(ra.agent(name="Desk", instructions=slow)), timeout=0.05
            )
        assert isinstance(late.value, TimeoutError)
        assert isinstance(late.value, pykka.Timeout)
        slow.go_on.set()


async def test_the_loop_goes_on_while_a_verb_waits(script: ScriptedTransport) -> None:
    slow = Slow()
    async with run(script) as session, asyncio.TaskGroup() as tasks:
        handing = tasks.create_task(session.hand_off(ra.agent(name="Desk", instructions=slow)))
        for _ in range(3):
            assert await session.history() == []
        assert not handing.done()
        slow.go_on.set()


async def test_what_is_told_goes_wrong_as_an_event(script: ScriptedTransport) -> None:
    async with run(script) as session:
        errors = session.events(only=ErrorEvent)
        session.tell(messages.DeleteItem("nothing"))
        assert "nothing" in str((await anext(errors)).error)


async def test_verbs_may_be_used_in_several_loops_at_once(script: ScriptedTransport) -> None:
    async with run(script) as session:

        async def ask() -> int:
            return len(await session.history())

        elsewhere = asyncio.to_thread(asyncio.run, ask())
        assert tuple(await asyncio.gather(ask(), elsewhere)) == (0, 0)


async def test_waiting_for_verbs_takes_no_thread(script: ScriptedTransport) -> None:
    async with run(script) as session:
        await session.history()
        before = set(threading.enumerate())
        asked = [asyncio.ensure_future(session.history()) for _ in range(50)]
        await asyncio.sleep(0)
        meanwhile = set(threading.enumerate())
        await asyncio.gather(*asked)

    assert meanwhile == before


# -- ending ------------------------------------------------------------------------------------


class Stubborn:
    """A subscriber whose `put` waits, so that its session is late."""

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def put(self, message: ra.SessionEvent) -> None:
        self.go_on.wait(5)


async def test_a_session_that_does_not_end_in_time_is_cut_and_the_loop_goes_on(
    script: ScriptedTransport, caplog: pytest.LogCaptureFixture
) -> None:
    stubborn = Stubborn()
    session = await run(script)
    await session.subscribe(stubborn)
    session.tell(messages.DeleteItem("nothing"))  # an error, which it is told

    beats = 0
    closing = asyncio.ensure_future(session.close(timeout=0.2))
    while not closing.done():
        beats += 1
        await asyncio.sleep(0.005)
    await closing

    assert beats > 10
    assert not session.is_alive()
    assert "and cut" in caplog.text
    stubborn.go_on.set()
    await until(lambda: otp.detached_count() == 0)


async def test_a_close_that_is_cancelled_goes_on_by_itself(script: ScriptedTransport) -> None:
    with anyio.CancelScope() as scope:
        async with run(script) as session:
            scope.cancel()  # every await in this block fails from here on, that of the end too

    assert scope.cancelled_caught
    await until(lambda: sessions() == [])
    assert not session.is_alive()


async def test_a_session_ends_after_what_the_model_is_saying(script: ScriptedTransport) -> None:
    async with run(script) as session:
        await session.close(after_playback=True)
        assert not session.is_alive()
        await session.close(after_turn=1)


async def test_the_end_of_the_loop_ends_the_sessions_of_its_tasks() -> None:
    script = ScriptedTransport(strict=False)
    alive: list[aio.Session] = []

    async def main() -> None:
        async def hold() -> None:
            async with run(script) as session:
                alive.append(session)
                await asyncio.Event().wait()

        holding = asyncio.create_task(hold())
        while not alive:
            await asyncio.sleep(0.005)
        assert not holding.done()

    await asyncio.to_thread(asyncio.run, main())

    assert not alive[0].is_alive()
    assert sessions() == []
