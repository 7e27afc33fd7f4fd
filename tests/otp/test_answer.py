"""The answer to a call that is not waited for: in threads, and in coroutines."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from realtime_actors import otp


class Till(otp.GenServer):
    """Answers at once, later, never, or with an error."""

    def init(self) -> otp.Ok:
        return otp.Ok([])

    def handle_call(self, message: Any, from_: otp.From, state: list[otp.From]) -> Any:
        match message:
            case "later" | "never":
                return otp.NoReply([*state, from_])
            case "fail":
                return otp.Reply(otp.Failed(ValueError("no change")), state)
            case "now":
                for each in state:
                    otp.reply(each, "at last")
                return otp.Reply(len(state), [])
            case "end":
                return otp.Stop(otp.SHUTDOWN, state)


@pytest.fixture
def till() -> Iterator[otp.ServerRef]:
    ref = otp.start(Till)
    yield ref
    ref.stop()


def test_a_coroutine_awaits_what_the_server_says_and_what_it_raises(till: otp.ServerRef) -> None:
    async def ask() -> list[object]:
        later = till.ask("later", block=False)
        how_many = await till.ask("now", block=False)
        with pytest.raises(ValueError, match="no change") as failed:
            await till.ask("fail", block=False)
        return [how_many, await later, await later, str(failed.value)]

    assert asyncio.run(ask()) == [1, "at last", "at last", "no change"]


def test_a_coroutine_hears_of_the_end_of_the_server_that_it_waits_for(till: otp.ServerRef) -> None:
    async def ask() -> None:
        never = till.ask("never", block=False)
        with pytest.raises(otp.CallExit):
            await till.ask("end", block=False)
        await never

    with pytest.raises(otp.CallExit):
        asyncio.run(ask())


def test_the_loop_goes_on_while_a_coroutine_waits(till: otp.ServerRef) -> None:
    async def ask() -> list[str]:
        said: list[str] = []

        async def other() -> None:
            said.append("the loop goes on")
            await till.ask("now", block=False)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(other())
            said.append(await till.ask("later", block=False))
        return said

    assert asyncio.run(ask()) == ["the loop goes on", "at last"]


def test_an_await_that_is_cancelled_gives_the_answer_up(till: otp.ServerRef) -> None:
    async def ask() -> otp.Answer[Any]:
        answer = till.ask("never", block=False)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await answer
        return answer

    answer = asyncio.run(ask())

    assert answer.is_there
    assert till.ask("now") == 1, "the server knows of the call, and its answer goes nowhere"


def test_an_answer_that_comes_when_the_loop_is_closed_disturbs_nothing(
    till: otp.ServerRef, caplog: pytest.LogCaptureFixture
) -> None:
    async def ask() -> otp.Answer[Any]:
        waiting = asyncio.ensure_future(till.ask("later", block=False))
        await asyncio.sleep(0)
        waiting.cancel()
        return till.ask("later", block=False)

    answer = asyncio.run(ask())
    till.ask("now")

    assert answer.get(timeout=1.0) == "at last"
    assert caplog.records == []


def test_who_wants_to_be_told_is_told_once_by_whoever_answers(till: otp.ServerRef) -> None:
    told: list[str] = []
    later = till.ask("later", block=False)
    later.when_there(lambda: told.append(threading.current_thread().name))
    assert told == []

    till.ask("now")
    later.get(timeout=1.0)
    later.when_there(lambda: told.append("told at once"))

    assert len(told) == 2
    assert told[1] == "told at once"


def test_a_callback_that_fails_is_logged_and_the_server_lives(
    till: otp.ServerRef, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise LookupError("of the callback")

    till.ask("now", block=False).when_there(fail)

    assert till.ask("now") == 0
    assert [each.getMessage() for each in caplog.records] == [
        "what was to be called with an answer failed"
    ]


def test_what_pykka_makes_of_futures_it_makes_of_answers(till: otp.ServerRef) -> None:
    assert till.ask("now", block=False).map(lambda number: number + 1).get(timeout=1.0) == 1
