"""Actors for tests."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from realtime_actors import otp

SOON = 5.0
"""Seconds within which something that has to happen happens, on any machine."""


class Server(otp.GenServer):
    """Does what it is told: every message is a function of (server, from_, state)."""

    def init(self, state: Any = None, *, trap_exit: bool = False) -> otp.Ok:
        otp.trap_exit(trap_exit)
        self.ended: list[Any] = []
        return otp.Ok(state)

    def handle_call(self, message: Callable[..., Any], from_: otp.From, state: Any) -> Any:
        return message(self, from_, state)

    def handle_cast(self, message: Callable[..., Any], state: Any) -> Any:
        return message(self, None, state)

    def handle_info(self, message: Any, state: Any) -> Any:
        return message(self, None, state) if callable(message) else otp.NoReply(state)


class Counter(otp.GenServer):
    """Counts. `("add", n)`, `"get"`, and ways to fail."""

    def init(self, start: int = 0) -> otp.Ok | otp.Ignore | otp.Stop:
        return otp.Ok(start)

    def handle_call(self, message: Any, from_: otp.From, state: int) -> Any:
        match message:
            case "get":
                return otp.Reply(state, state)
            case ("add", number):
                return otp.Reply(state + number, state + number)
            case "refuse":
                return otp.Reply(otp.Failed(ValueError("not today")), state)
            case "crash":
                raise RuntimeError("boom")
        raise otp.Exit(("unknown", message))

    def handle_cast(self, message: Any, state: int) -> Any:
        if message == "crash":
            raise RuntimeError("boom")
        return otp.NoReply(state + 1)

    def double(self, number: int) -> int:
        return 2 * number

    def fail(self) -> None:
        raise KeyError("no such thing")


class Busy:
    """A handler that holds its thread in foreign code, out of the library's reach."""

    def __init__(self, then: Callable[[], object] = lambda: None) -> None:
        self.entered = threading.Event()
        self.leave = threading.Event()
        self.left = threading.Event()
        self.outcome: BaseException | object = None
        self._then = then

    def __call__(self, server: Any = None, from_: Any = None, state: Any = None) -> Any:
        self.entered.set()
        self.leave.wait(SOON)
        try:
            self.outcome = self._then()
        except BaseException as error:
            self.outcome = error
            raise
        finally:
            self.left.set()
        return otp.NoReply(state) if from_ is None else otp.Reply("too late", state)


def down_of(ref: Any, client: otp.Client) -> otp.Down:
    """Wait until `ref` has ended."""
    monitor = otp.monitor(ref)
    down: otp.Down = client.receive(
        SOON, match=lambda each: isinstance(each, otp.Down) and each.monitor_ref is monitor
    )
    return down
