"""Monitors that are withdrawn."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from realtime_actors import otp
from tests.otp.actors import SOON, Server


@pytest.fixture
def client() -> Iterator[otp.Client]:
    with otp.Client() as client:
        yield client


def test_a_withdrawn_monitor_says_whether_there_was_one(client):
    server = otp.start(Server)
    first, second = otp.monitor(server), otp.monitor(server)

    assert otp.demonitor(first, info=True) is True
    assert otp.demonitor(first, info=True) is False
    assert otp.demonitor(first) is True  # as on the BEAM, unless one asks
    otp.stop(server)
    assert otp.demonitor(second, info=True) is False
    assert [down.monitor_ref for down in client.messages()] == [second]


def test_flushing_says_that_there_was_something_to_flush(client):
    server = otp.start(Server)
    monitor = otp.monitor(server)
    otp.stop(server)

    assert otp.demonitor(monitor, flush=True, info=True) is False
    assert client.messages() == []


def test_the_monitor_of_another_is_none_of_ours(client):
    server = otp.start(Server)
    other = otp.start(Server)
    theirs: Any = other.ask(lambda *_: otp.Reply(otp.monitor(server), None))

    assert otp.demonitor(theirs, info=True) is False
    otp.stop(server)
    otp.stop(other)


def test_either_the_monitor_is_withdrawn_or_its_down_comes(client):
    """Whatever comes first: the end of the process, or the end of the interest in it."""
    for _ in range(200):
        server = otp.start(Server)
        monitor = otp.monitor(server)
        killer = threading.Thread(target=otp.exit_signal, args=(server, otp.KILL))
        killer.start()
        withdrawn = otp.demonitor(monitor, info=True)
        killer.join(SOON)
        assert len(client.messages()) == (0 if withdrawn else 1)
