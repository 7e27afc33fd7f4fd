"""Ending the program politely: its calls come to the end of their turns, no new ones begin.

    handlers = ra.install_signal_handlers(grace=30)   # SIGTERM and Ctrl-C, from now on

What a signal does then, step by step:

1. `ra.run` raises `StartError` with the cause `shutting_down`, and supervisors start no
   session again.
2. Each session goes on to the end of its turn (`messages.Close(after_turn=...)`): what the
   user is saying is answered, tools have their outputs, and what the model says is heard.
   Whatever is left after `grace` seconds is ended where it is.
3. `SystemExit(128 + number of the signal)` is raised in the main thread: `finally` and
   `atexit` run as ever, and traces are written to their end.

A second signal leaves out the rest of step 2. A third is none of ours: it ends the process.
"""

from __future__ import annotations

import _thread
import logging
import queue
import signal
import threading
from collections.abc import Iterable
from types import FrameType
from typing import Any, Final, Self

from realtime_actors import messages, otp
from realtime_actors.errors import ConfigError
from realtime_actors.otp import fork
from realtime_actors.seconds import seconds
from realtime_actors.session import Session
from realtime_actors.session.closing import cut, end_all, refuse_new, running, take_new

__all__ = ["SignalHandlers", "accept_again", "drain", "install_signal_handlers"]

log = logging.getLogger("realtime_actors")

GRACE: Final = 30.0
"""Seconds for sessions to come to the end of their turns. Less than what Docker's and
Kubernetes' own patience is set to where calls matter."""

ORDERLY_END: Final = 2.0
"""Seconds for those that are cut to say goodbye: as long as `close()` takes at most."""


def drain(grace: float = GRACE) -> tuple[Session, ...]:
    """End all sessions of this process at the end of their turns, and start no new ones.

    Waits at most `grace` seconds, then ends what is left, which takes two more at most.
    Returns the sessions that were ended so. `ra.run` raises a `StartError` from now on, whose
    cause is `shutting_down`, until `accept_again()`.
    """
    grace = seconds(grace, "grace")
    refuse_new("the program is shutting down")
    ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(
        target=lambda: ended.put(_drain(grace)), name="realtime-drain", daemon=True
    ).start()
    unfinished: tuple[Session, ...] = ended.get()
    return unfinished


def accept_again() -> None:
    """Let `ra.run` start sessions again, after `drain()`."""
    take_new()


def _drain(grace: float) -> tuple[Session, ...]:
    with otp.Client():
        # They would wait for longer than we do: so what has ended when we have waited has finished.
        left = end_all(messages.Close(after_turn=grace + ORDERLY_END), grace)
        if left:
            log.warning("%d sessions did not finish within %g s: they are ended", len(left), grace)
            cut(end_all(messages.Close(), ORDERLY_END))
        return left


def install_signal_handlers(
    grace: float = GRACE,
    *,
    signals: Iterable[signal.Signals] = (signal.SIGTERM, signal.SIGINT),
) -> SignalHandlers:
    """End the program politely when it is told to: see `realtime_actors.shutdown`.

    Call it in the main thread; elsewhere it raises `ConfigError`. Returns what puts the handlers
    back that were there before: by its `restore()`, or by the end of a `with` block.
    """
    return SignalHandlers(seconds(grace, "grace"), signals)


def _check_thread(what: str) -> None:
    if threading.current_thread() is not threading.main_thread():
        raise ConfigError(
            f"{what} is called in {threading.current_thread().name!r}: allowed is the main thread,"
            " where Python handles signals. From other threads, call drain()"
        )


class SignalHandlers:
    """The handlers of `install_signal_handlers`, until `restore()`."""

    def __init__(self, grace: float, signals: Iterable[signal.Signals]) -> None:
        _check_thread("install_signal_handlers()")
        self.draining = False
        """A signal has come."""
        self._grace = grace
        self._status: int | None = None  # that the program ends with
        # Guards whether the handlers are still ours. Held by a handler and by the thread that
        # wakes it, and for no call that can wait; a handler may come in the middle of another.
        self._lock = threading.RLock()
        # The one thing that a handler may do safely, whatever it has come in the middle of.
        self._came: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._before: dict[int, Any] = {}
        threading.Thread(target=self._wait, name="realtime-signals", daemon=True).start()
        for each in signals:
            self._before[each] = signal.signal(each, self._handle)
        fork.each_in_child(self, SignalHandlers._put_back)

    def restore(self) -> None:
        """Put the handlers back that were there before. Does nothing the second time.

        Call it in the main thread; elsewhere it raises `ConfigError`.
        """
        _check_thread("restore()")
        self._put_back()
        self._came.put(None)

    def _put_back(self) -> None:
        with self._lock:
            before, self._before = self._before, {}
            for number, handler in before.items():
                # None: it was none of Python's, and can't be put back.
                if handler is not None and signal.getsignal(number) == self._handle:
                    signal.signal(number, handler)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.restore()

    # In the main thread, between any two instructions of it.
    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._status is not None:
            raise SystemExit(self._status)
        if self.draining:
            self._put_back()  # a third one is as if we were not there
            refuse_new("the program is ending")
            raise SystemExit(128 + number)
        self.draining = True
        refuse_new("the program is shutting down")
        self._came.put(number)

    def _wait(self) -> None:
        number = self._came.get()
        if number is None:
            return
        name, calls = signal.Signals(number).name, len(running())
        log.info("%s: no session is started any more, %d finish their turns", name, calls)
        drain(self._grace)
        with self._lock:
            if number in self._before:  # else a second signal has come, or `restore()`
                self._status = 128 + number
                _wake_main_thread(number)


def _wake_main_thread(number: int) -> None:
    """Have the handler called, whatever the main thread waits for."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:  # Windows
        _thread.interrupt_main(signal.Signals(number))
