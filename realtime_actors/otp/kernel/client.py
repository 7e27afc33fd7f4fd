"""A mailbox for threads that are no actors: the main thread, a test, a web request."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from realtime_actors.otp.kernel.ends import end
from realtime_actors.otp.kernel.exits import NORMAL, Cancelled, NoProcessError, reason_of
from realtime_actors.otp.kernel.mailbox import CAST, CLOSED, TIMED_OUT, Mailbox
from realtime_actors.otp.kernel.names import claim
from realtime_actors.otp.kernel.options import check_flag, wrong
from realtime_actors.otp.kernel.process import (
    CLIENT,
    Process,
    ProcessRef,
    me,
    own_thread,
    processes,
    signals,
)
from realtime_actors.seconds import seconds_or_none

__all__ = ["Client", "ClientRef", "messages", "receive"]


class ClientRef(ProcessRef):
    """The handle of a client: others can send to it, monitor it and link to it."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def __repr__(self) -> str:
        return f"<ClientRef {self._process.label}>"


class Client:
    """Make the running thread a process, for the length of a `with` block.

        with otp.Client() as client:
            monitor = otp.monitor(actor)
            otp.send(actor, ("hello", client.ref))
            answer = client.receive(timeout=1.0)

    An exception that leaves the block is the reason of the client's end, else it is
    `"normal"`. An exit signal that it does not trap ends the client: whatever it does
    next through the library raises `Cancelled`, with the reason.
    """

    def __init__(self, name: str | None = None, *, trap_exit: bool = False) -> None:
        if name is not None and (not name or not isinstance(name, str)):
            raise wrong(name, "name", "a text, or None")
        self._process = Process(CLIENT, name or "client", Mailbox())
        self._process.trap_exit = check_flag(trap_exit, "trap_exit")
        self._name = name
        self.ref = ClientRef(self._process)
        """What others send to."""
        self._process.ref = self.ref

    def __enter__(self) -> Self:
        process = self._process
        if own_thread.process is not None:
            raise ValueError(f"this thread is a process already: {own_thread.process.label}")
        if process.dead:
            raise NoProcessError("a client lives once")
        with signals:
            if self._name is not None and claim(self._name, process) is not None:
                raise ValueError(f"{self._name!r} is the name of another process")
            processes[process] = None
        own_thread.process = process
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        end(self._process, NORMAL if error is None else reason_of(error))
        own_thread.process = None

    def receive(
        self, timeout: float | None = None, *, match: Callable[[Any], bool] | None = None
    ) -> Any:
        """`otp.receive`, for this client."""
        return receive(timeout, match=match)

    def messages(self) -> list[Any]:
        """`otp.messages`, for this client."""
        return messages()


def receive(timeout: float | None = None, *, match: Callable[[Any], bool] | None = None) -> Any:
    """Take the next message of the calling process: a client or a task.

    With `match`, the first message for which it is true; the others stay. Raises
    `TimeoutError` when none comes in `timeout` seconds (None: wait for ever). A call
    is received as its `from_`: it has the `message`, and `otp.reply` answers it.
    """
    timeout = seconds_or_none(timeout, "the timeout of receive")
    process = me("receive")
    mailbox = process.mailbox
    if match is None:
        item = mailbox.get(timeout)
    else:
        wanted = match
        item = mailbox.select(lambda each: wanted(_content(each)), timeout)
    if item is TIMED_OUT:
        raise TimeoutError(f"no message in {timeout} seconds")
    if item is CLOSED:
        raise Cancelled(process.reason)
    process.handled += 1
    return _content(item)


def messages() -> list[Any]:
    """Take all messages that are in the calling process's mailbox now."""
    found = []
    while True:
        try:
            found.append(receive(0.0))
        except TimeoutError:
            return found


def _content(item: Any) -> Any:
    return item[1] if type(item) is tuple and len(item) == 2 and item[0] is CAST else item
