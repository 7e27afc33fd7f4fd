"""One client's connection: an actor that does what its conversation decides.

    reader ──client events──▶ mailbox ──▶ ServerConversation.handle() ──▶ effects
    tasks  ──what they found──▶                 (events to the socket, tasks, timers)

The reader is the thread that calls `read_client`. It waits while the mailbox is full: of a
client that does not read what it gets, nothing more is read either.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import ClassVar, Protocol, TypeAlias, assert_never

from attrs import frozen
from websockets.exceptions import ConnectionClosed

from realtime_actors import otp
from realtime_actors.protocol import ClientEvent, Dialect, ServerEvent
from realtime_actors.seconds import seconds
from realtime_actors.server.answering import DELTA_MS, answer, transcribe
from realtime_actors.server.ears import Ears
from realtime_actors.server.engines.interfaces import Engines
from realtime_actors.server.server_conversation import ServerConversation
from realtime_actors.server.server_effects import (
    CancelGeneration,
    CancelRecognition,
    CloseConnection,
    DetectTurns,
    Effect,
    Emit,
    Generate,
    Hear,
    JudgePause,
    Recognise,
    ResetDetector,
)
from realtime_actors.server.server_limits import Pace
from realtime_actors.server.server_messages import GenerationAudio, Message, Opened, Tick

__all__ = ["ClientConnection", "Faults", "Socket", "read_client", "say_goodbye"]

TASK_TIMEOUT = 5.0
"""Seconds for tasks that were told to stop: an engine may be in the middle of a sentence."""
UNREAD_MESSAGES = 32


class Socket(Protocol):
    """What is needed of a websocket. websockets' `ServerConnection` has it."""

    @property
    def protocol_mutex(self) -> AbstractContextManager[object]: ...
    def recv(self) -> str | bytes: ...
    def send(self, message: str | bytes, text: bool | None = None) -> None: ...
    def close(self, code: int = 1000, reason: str = "") -> None: ...
    def close_socket(self) -> None: ...


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
class _Goodbye:
    """The close frame that ends the connection."""

    code: int
    reason: str


@frozen(eq=False)
class _Work:
    """A task of the connection, and how it is told to stop."""

    task: otp.TaskRef
    stopped: threading.Event


WorkFunction: TypeAlias = Callable[[threading.Event], None]


class ClientConnection(otp.GenServer):
    """Holds the conversation with one client, until one of the two closes the connection."""

    kind = "conversation"
    mailbox: ClassVar[otp.Bounded | None] = otp.Bounded(UNREAD_MESSAGES)

    def init(
        self,
        socket: Socket,
        *,
        conversation: ServerConversation,
        dialect: Dialect,
        engines: Engines,
        pace: float | None = None,
        faults: Faults | None = None,
    ) -> otp.Ok:
        otp.trap_exit()  # tasks tell of their ends, and the server of its own
        self._socket = socket
        self._conversation = conversation
        self._dialect = dialect
        self._engines = engines
        self._pace = pace
        self._faults = faults or Faults()
        self._ears = Ears(engines.detector)
        self._work: dict[Hashable, _Work] = {}
        self._alarm: otp.TimerRef | None = None
        self._wakes_at: float | None = None
        self._sent = 0
        self._silence = ExitStack()
        self._is_silent = False
        self._goodbye: _Goodbye | None = None
        return otp.Ok(continue_=Opened(unix_time=time.time()))

    def handle_continue(self, message: Opened, state: None, /) -> otp.NoReply | otp.Stop:
        return self._take(message)

    def handle_cast(self, message: ClientEvent, state: None, /) -> otp.NoReply | otp.Stop:
        return self._take(message)

    def handle_info(
        self, message: Message | otp.ExitMessage, state: None, /
    ) -> otp.NoReply | otp.Stop:
        match message:
            case otp.ExitMessage(reason=_Goodbye() as goodbye):
                self._goodbye = goodbye
                return otp.Stop(otp.NORMAL)
            case otp.ExitMessage(actor=task):
                self._forget(task)
                return otp.NoReply(None)
            case Tick():
                self._wakes_at = None  # the alarm has rung: set another one
                return self._take(message)
            case _:
                return self._take(message)

    def terminate(self, reason: otp.Reason, state: None, /) -> None:
        for work in self._work.values():
            work.stopped.set()
        self._silence.close()
        goodbye = self._goodbye
        if goodbye is None:
            orderly = otp.is_orderly(reason)
            goodbye = _Goodbye(1000, "") if orderly else _Goodbye(1011, "internal error")
        self._socket.close(goodbye.code, goodbye.reason)
        self._wait_for_tasks()

    # --- what the conversation decides -----------------------------------------------

    def _take(self, message: Message) -> otp.NoReply | otp.Stop:
        """Decide what a message means, and do it; then what came out of that."""
        waiting: deque[Message] = deque([message])
        try:
            while waiting:
                for effect in self._conversation.handle(waiting.popleft(), time.monotonic()):
                    waiting.extend(self._perform(effect))
        except ConnectionClosed:
            return otp.Stop(otp.NORMAL)  # it closed while we were sending
        if self._goodbye is not None:
            return otp.Stop(otp.NORMAL)
        self._set_alarm()
        return otp.NoReply(None)

    def _set_alarm(self) -> None:
        """Have a `Tick` come when the conversation wants one. It does no harm at other times."""
        wakes_at = self._conversation.wakes_at
        if wakes_at == self._wakes_at:
            return
        if self._alarm is not None:
            otp.cancel_timer(self._alarm)
            self._alarm = None
        if wakes_at is not None:
            left = max(0.0, wakes_at - time.monotonic())
            self._alarm = otp.send_after(self.actor_ref, Tick(), left)
        self._wakes_at = wakes_at

    def _perform(self, effect: Effect) -> Sequence[Message]:
        """Do one thing. Return what was found at once; the rest comes to the mailbox."""
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
                self._start((item_id, attempt), self._recognise(effect))
            case CancelRecognition(item_id=item_id, attempt=attempt):
                self._cancel((item_id, attempt))
            case Generate(response_id=response_id):
                self._start(response_id, self._answer(effect))
            case CancelGeneration(response_id=response_id):
                self._cancel(response_id)
            case CloseConnection(code=code, reason=reason):
                self._goodbye = _Goodbye(code, reason)
            case _:
                assert_never(effect)
        return ()

    def _send(self, event: ServerEvent) -> None:
        if self._is_silent:
            return
        if self._sent == self._faults.silent_after:
            # What a dead network looks like: answers to pings and close frames need it too.
            self._silence.enter_context(self._socket.protocol_mutex)
            self._is_silent = True
            return
        if self._sent == self._faults.drop_after:
            self._socket.close_socket()
        self._socket.send(self._dialect.encode_server(event), text=True)
        self._sent += 1

    # --- the tasks -------------------------------------------------------------------

    def _start(self, key: Hashable, work: WorkFunction) -> None:
        stopped = threading.Event()
        self._work[key] = _Work(otp.Task.start_link(work, stopped), stopped)

    def _cancel(self, key: Hashable) -> None:
        """Tell a task to stop. Does nothing when it has ended."""
        if key in self._work:
            self._work[key].stopped.set()

    def _forget(self, task: otp.TaskRef) -> None:
        self._work = {key: work for key, work in self._work.items() if work.task is not task}

    def _wait_for_tasks(self) -> None:
        deadline = time.monotonic() + TASK_TIMEOUT
        while self._work:
            # What else has come makes room, by being taken, for tasks that wait to tell more.
            try:
                message = otp.receive(max(0.0, deadline - time.monotonic()), match=_is_for_us)
            except TimeoutError:
                for work in self._work.values():
                    work.task.kill()
                return
            if isinstance(message, otp.ExitMessage):
                self._forget(message.actor)

    def _recognise(self, effect: Recognise) -> WorkFunction:
        connection, engines = self.actor_ref, self._engines

        def recognise(stopped: threading.Event) -> None:
            result = transcribe(effect, engines, stopped.is_set)
            if not stopped.is_set():
                otp.send(connection, result)

        return recognise

    def _answer(self, effect: Generate) -> WorkFunction:
        connection, engines = self.actor_ref, self._engines
        wait = 0.0 if self._pace is None else DELTA_MS / 1000 / self._pace

        def respond(stopped: threading.Event) -> None:
            with contextlib.closing(answer(effect, engines, stopped.is_set)) as findings:
                for finding in findings:
                    if stopped.is_set():
                        return
                    otp.send(connection, finding)
                    if wait and isinstance(finding, GenerationAudio):
                        stopped.wait(wait)

        return respond


def _is_for_us(message: object) -> bool:
    """Return whether a message is one that a connection takes: others are otp's own."""
    return isinstance(message, otp.ExitMessage | Message)


def read_client(
    socket: Socket, dialect: Dialect, connection: otp.ServerRef, *, events_per_second: int
) -> None:
    """Hand over what the client sends. Return once the connection has ended, with its tasks."""
    pace = Pace(events_per_second)
    try:
        while connection.is_alive():
            # As text or, from behind a gateway, as a binary message.
            connection.tell(dialect.decode_client(socket.recv()))
            time.sleep(pace.delay())  # a client that sends too much is read more slowly
    except ConnectionClosed:
        pass
    finally:
        connection.stop()


def say_goodbye(connection: otp.ServerRef, reason: str) -> None:
    """Ask for the connection to be closed with code 1001. From any thread; doesn't wait."""
    otp.exit_signal(connection, _Goodbye(1001, reason))
