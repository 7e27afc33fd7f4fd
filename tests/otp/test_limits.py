"""Many actors, for long: nothing piles up, nothing is left."""

from __future__ import annotations

import gc
import logging
import subprocess
import sys
import threading
import tracemalloc
from typing import Any

import pykka
import pytest

from realtime_actors import otp
from tests.otp.actors import SOON, Counter, Server


def live_processes() -> int:
    return sum(1 for _ in otp.observe().walk())


def test_a_thousand_actors_at_once():
    actors = [otp.start(Counter, number) for number in range(1000)]
    assert live_processes() == 1000

    futures = [actor.ask(("add", 1), block=False) for actor in actors]

    assert [future.get(timeout=SOON) for future in futures] == list(range(1, 1001))
    for actor in actors:
        actor.tell("count")
    assert all(pykka.ActorRegistry.stop_all())
    assert live_processes() == 0
    assert threading.active_count() < 50


@pytest.mark.slow
def test_ten_thousand_starts_and_stops_leave_nothing():
    def cycle(times: int) -> None:
        with otp.Client():
            for _ in range(times):
                counter: Any = otp.start(Counter, name="the counter")
                otp.monitor(counter)
                counter.tell("count")
                assert counter.ask("get") == 1
                counter.stop()
                otp.receive(SOON)

    cycle(500)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    cycle(10_000)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()

    assert grown < 200_000, "bytes that ten thousand actors left behind"
    assert live_processes() == 0
    assert otp.registered() == ()
    assert otp.detached_count() == 0


def test_crashes_leave_nothing_either(caplog):
    caplog.set_level(logging.CRITICAL, "realtime_actors.otp")  # pytest keeps what is logged

    def crash(times: int) -> None:
        for _ in range(times):
            with pytest.raises(otp.CallExit):
                otp.start(Counter).ask("crash")
            task = otp.Task.start(otp.receive)
            task.kill()
            timer = otp.send_after(otp.start(Server, name="target"), "x", 1000.0)
            otp.exit_signal("target", otp.KILL)
            assert otp.read_timer(timer) is False

    crash(20)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    crash(300)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()

    assert grown < 100_000, "bytes that three hundred crashes left behind"
    assert live_processes() == 0


def test_a_program_that_forgets_to_stop_its_actors_still_exits():
    program = (
        "from realtime_actors import otp\n"
        "class Busy(otp.GenServer):\n"
        "    def handle_cast(self, message, state):\n"
        "        import time; time.sleep(3600)\n"
        "busy = otp.start(Busy)\n"
        "busy.tell('go')\n"
        "otp.start(Busy)\n"
        "otp.Task.start(otp.receive)\n"
        "otp.send_after(busy, 'x', 3600)\n"
        "otp.exit_signal(busy, otp.KILL)\n"
        "print('the end')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, timeout=30, text=True, check=True
    )
    assert ended.stdout == "the end\n"
