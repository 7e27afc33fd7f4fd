"""One client's connection: does what its conversation decides, with sockets and engines.

    reader ──client events──▶ inbox ──▶ owner: conversation.handle() ──▶ effects
    jobs ──what they found──▶                 (events to the socket, jobs, timers)

The owner is the thread that calls `serve`; nobody else touches the conversation.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeAlias, assert_never

from attrs import frozen
from websockets.exceptions import ConnectionClosed

from realtime_actors.protocol import Dialect, ServerEvent
from realtime_actors.seconds import LONGEST_WAIT, seconds
from realtime_actors.server.answering import DELTA_MS, answer, transcribe
from realtime_actors.server.conversation import ServerConversation
from realtime_actors.server.ears import Ears
from realtime_actors.server.effects import (
    CancelGeneration,
    CancelRecognition,
    CancelTimer,
    CloseConnection,
    DetectTurns,
    Effect,
    Emit,
    Generate,
    Hear,
    JudgePause,
    Recognise,
    ResetDetector,
    SetTimer,
)
from realtime_actors.server.engines.base import Cancelled, Engines
from realtime_actors.server.jobs import Job, Jobs
from realtime_actors.server.limits import Pace
from realtime_actors.server.messages import GenerationAudio, Message, Opened, TimerFired

__all__ = ["Connection", "Faults", "Socket"]

JOB_TIMEOUT = 5.0
"""How long a job that was told to stop may take: an engine in the middle of a sentence."""
UNREAD_MESSAGES = 32
FULL_WAIT = 0.2

_log = logging.getLogger("realtime_actors.server")


class Socket(Protocol):
    """What is needed of a websocket. websockets' `ServerConnection` has it."""

    @property
    def protocol_mutex(self) -> AbstractContextManager[object]: ...
    def recv(self) -> str | bytes: ...
    def send(self, message: str | bytes, text: bool | None = None) -> None: ...
    def close(self, code: int = 1000, reason: str = "") -> None: ...
    def close_socket(self) -> None: ...


Work: TypeAlias = Callable[[Job], None]


@frozen(kw_only=True)
class Faults:
    """What goes wrong on purpose, for those who test a client.

    The upgrade can be refused with an HTTP status or come late. A connection can be
    dropped without a close frame, or go silent (nothing is read or answered any more, not
    even a close frame), after so many server events: 0 is before `session.created`.
    """

    upgrade_status: int | None = None
    upgrade_delay: float = 0.0
    drop_after: int | None = None
    silent_after: int | None = None

    def __attrs_post_init__(self) -> None:
        seconds(self.upgrade_delay, "Faults.upgrade_delay")


@frozen
class _Gone:
    """The client has closed the connection, or it broke."""


class Connection:
    """Serves one client, until one of the two closes the connection."""

    def __init__(
        self,
        socket: Socket,
        *,
        conversation: ServerConversation,
        dialect: Dialect,
        engines: Engines,
        pace: float | None = None,
        faults: Faults | None = None,
        events_per_second: int = 1000,
    ) -> None:
        self._socket = socket
        self._reading = Pace(events_per_second)
        self._conversation = conversation
        self._dialect = dialect
        self._engines = engines
        self._pace = pace
        self._faults = faults or Faults()
        self._ears = Ears(engines.detector)
        self._jobs = Jobs()
        # Full means that the client doesn't read: then nothing of it is read either, and
        # jobs wait. `_post` looks every `FULL_WAIT` seconds whether there is still a point.
        self._inbox: queue.Queue[Message | _Gone] = queue.Queue(UNREAD_MESSAGES)
        self._timers: dict[Hashable, float] = {}
        self._sent = 0
        self._over = threading.Event()
        self._closing = threading.Event()
        self._close_with = (1000, "")

    def serve(self) -> None:
        """Hold the conversation, in the calling thread. Returns when the connection is closed."""
        reader = threading.Thread(target=self._read, name="realtime-server-reader", daemon=True)
        reader.start()
        try:
            self._take(Opened(unix_time=time.time()))
            while not self._over.is_set() and not self._closing.is_set():
                self._next()
        except ConnectionClosed:
            pass  # it closed while we were sending
        except Exception:
            _log.exception("the connection failed")
            self._close_with = (1011, "internal error")
        finally:
            self._over.set()
            self._socket.close(*self._close_with)
            reader.join()
            for name in self._jobs.stop(JOB_TIMEOUT):
                _log.warning("%s does not stop: left alone", name)

    def close(self, code: int = 1001, reason: str = "going away") -> None:
        """Ask for the connection to be closed. From any thread; doesn't wait."""
        self._close_with = (code, reason)
        self._closing.set()
        with contextlib.suppress(queue.Full):  # then the owner needs no waking
            self._inbox.put_nowait(TimerFired(None))

    # --- the reader ------------------------------------------------------------------

    def _read(self) -> None:
        message: Message | _Gone
        while not self._over.is_set():
            try:
                data = self._socket.recv()
            except ConnectionClosed:
                self._post(_Gone(), self._over.is_set)
                return
            # As text or, from behind a gateway, as a binary message.
            message = self._dialect.decode_client(data)
            self._post(message, self._over.is_set)
            self._over.wait(self._reading.delay())

    def _post(self, message: Message | _Gone, pointless: Cancelled) -> None:
        while not pointless():
            with contextlib.suppress(queue.Full):
                self._inbox.put(message, timeout=FULL_WAIT)
                return

    # --- the owner -------------------------------------------------------------------

    def _next(self) -> None:
        """Wait for a message, or for a timer."""
        due = min(self._timers, key=self._timers.__getitem__, default=None)
        wait = LONGEST_WAIT if due is None else self._timers[due] - time.monotonic()
        message: Message | _Gone
        try:
            # A timer that is due comes before what is waiting: it can't be starved.
            late = due is not None and wait <= 0
            message = TimerFired(due) if late else self._inbox.get(timeout=min(wait, LONGEST_WAIT))
        except queue.Empty:
            return
        if isinstance(message, _Gone):
            self._over.set()
            return
        if isinstance(message, TimerFired):
            self._timers.pop(message.key, None)
        self._take(message)

    def _take(self, message: Message) -> None:
        """Decide what a message means, and do it; then what came out of that."""
        waiting: deque[Message] = deque([message])
        while waiting and not self._over.is_set():
            for effect in self._conversation.handle(waiting.popleft(), time.monotonic()):
                waiting.extend(self._perform(effect))

    def _perform(self, effect: Effect) -> Sequence[Message]:
        """Do one thing. Answers what was found at once; the rest comes to the inbox."""
        match effect:
            case Emit(event=event):
                self._send(event)
            case Hear(audio=audio):
                return self._ears.hear(audio)
            case DetectTurns():
                self._ears.configure(effect)
            case ResetDetector():
                self._ears.reset()
            case JudgePause():
                return self._ears.judge(effect)
            case Recognise(item_id=item_id, attempt=attempt):
                self._jobs.start(
                    (item_id, attempt), f"recognise-{item_id}", self._recognise(effect)
                )
            case CancelRecognition(item_id=item_id, attempt=attempt):
                self._jobs.cancel((item_id, attempt))
            case Generate(response_id=response_id):
                self._jobs.start(response_id, f"answer-{response_id}", self._answer(effect))
            case CancelGeneration(response_id=response_id):
                self._jobs.cancel(response_id)
            case SetTimer(key=key, delay=delay):
                self._timers[key] = time.monotonic() + delay
            case CancelTimer(key=key):
                self._timers.pop(key, None)
            case CloseConnection(code=code, reason=reason):
                self._close_with = (code, reason)
                self._closing.set()
            case _:
                assert_never(effect)
        return ()

    def _send(self, event: ServerEvent) -> None:
        if self._sent == self._faults.silent_after:
            self._be_silent()
        if self._sent == self._faults.drop_after:
            self._socket.close_socket()
        self._socket.send(self._dialect.encode_server(event), text=True)
        self._sent += 1

    def _be_silent(self) -> None:
        """Neither read nor write until the server stops: what a dead network looks like."""
        with self._socket.protocol_mutex:  # also answers to pings and close frames need it
            self._closing.wait()

    # --- the jobs --------------------------------------------------------------------

    def _recognise(self, effect: Recognise) -> Work:
        def work(job: Job) -> None:
            result = transcribe(effect, self._engines, job.cancelled)
            self._post(result, job.cancelled)

        return work

    def _answer(self, effect: Generate) -> Work:
        def work(job: Job) -> None:
            with contextlib.closing(answer(effect, self._engines, job.cancelled)) as findings:
                for finding in findings:
                    self._post(finding, job.cancelled)
                    if job.cancelled():
                        return
                    if self._pace is not None and isinstance(finding, GenerationAudio):
                        job.pause(DELTA_MS / 1000 / self._pace)

        return work
