"""A supervisor for tasks: it knows them all, limits them, and ends them with itself."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from attrs import define, field, frozen

from realtime_actors.otp.child import Child, ChildInfo, ChildSpec
from realtime_actors.otp.dynamic import ChildrenByRef, DynamicSupervisor
from realtime_actors.otp.kernel.calls import call
from realtime_actors.otp.kernel.ends import kill
from realtime_actors.otp.kernel.exits import (
    TIMEOUT,
    CallTimeout,
    Cancelled,
    InCall,
    StartFailed,
    TooManyChildrenError,
)
from realtime_actors.otp.kernel.mailbox import CLOSED, TIMED_OUT
from realtime_actors.otp.kernel.options import check_count, check_function, wrong
from realtime_actors.otp.kernel.process import MonitorRef, Process, me
from realtime_actors.otp.kernel.requests import From
from realtime_actors.otp.ref import ServerRef
from realtime_actors.otp.strategy import Restart
from realtime_actors.otp.supervising import ListChildren, TerminateChild
from realtime_actors.otp.task import (
    Done,
    Exited,
    TaskRef,
    TaskReply,
    result_in,
    run_task,
    stop_waiting,
    task_of,
)
from realtime_actors.seconds import seconds_or_none

__all__ = ["TaskSupervisor", "TaskSupervisorRef"]

STREAM: Final = "Task.Supervised.stream"


@frozen
class _Run:
    """Asks for a task."""

    function: Callable[..., object]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    owner: Process | None = None
    """Who waits for its value."""
    link: bool = False
    """Whether its crash ends the owner."""
    context: Context = field(factory=copy_context)
    """What it sees of context variables: what its starter sees, not we."""


class TaskSupervisorRef(ServerRef):
    """A running task supervisor."""

    def start_child(self, function: Callable[..., object], *args: Any, **kwargs: Any) -> TaskRef:
        """Run a function, and forget about it. Raises `StartFailed("max_children")`."""
        task: TaskRef = call(self, _Run(function, args, kwargs), None)
        return task

    def async_(self, function: Callable[..., object], *args: Any, **kwargs: Any) -> TaskRef:
        """Like `Task.async_`: linked to the calling process, which may wait for the value.

        Raises `TooManyChildrenError`.
        """
        return self._awaited(_Run(function, args, kwargs, me("async_"), link=True))

    def async_nolink(self, function: Callable[..., object], *args: Any, **kwargs: Any) -> TaskRef:
        """`async_` without the link: the task's crash is a `Down`, and no more.

        Raises `TooManyChildrenError`.
        """
        return self._awaited(_Run(function, args, kwargs, me("async_nolink")))

    def _awaited(self, run: _Run) -> TaskRef:
        try:
            task: TaskRef = call(self, run, None)
        except StartFailed as failed:
            raise TooManyChildrenError("as many tasks are running as may run") from failed
        return task

    def stream(
        self,
        function: Callable[[Any], object],
        items: Iterable[Any],
        *,
        max_concurrency: int = 8,
        timeout: float | None = 5.0,
        on_timeout: Literal["exit", "kill_task"] = "exit",
    ) -> Iterator[Done | Exited]:
        """Call a function with each item, in tasks, and give the results in the items' order.

        At most `max_concurrency` run at a time, and only as far as results are asked
        for. A crash is an `Exited` in its place. A task that takes longer than `timeout`
        seconds raises `CallTimeout` here and ends the others; with `"kill_task"` it is
        killed and an `Exited("timeout")`. Leaving the loop early ends what still runs.
        Raises `ConfigError` for less than one at a time.
        """
        owner = me("stream")
        check_function(function, "the function of a stream")
        check_count(max_concurrency, "max_concurrency")
        timeout = seconds_or_none(timeout, "the timeout of a stream")
        if on_timeout not in ("exit", "kill_task"):
            raise wrong(on_timeout, "on_timeout", "'exit' or 'kill_task'")
        return self._results(owner, function, iter(items), max_concurrency, timeout, on_timeout)

    def _results(
        self,
        owner: Process,
        function: Callable[[Any], object],
        left: Iterator[Any],
        max_concurrency: int,
        timeout: float | None,
        on_timeout: str,
    ) -> Iterator[Done | Exited]:
        """The generator behind `stream`, which checks at once what it is given."""
        limit = math.inf if timeout is None else timeout
        queue: deque[_Item] = deque()
        running: dict[MonitorRef, _Item] = {}
        try:
            while True:
                while len(running) < max_concurrency:
                    try:
                        item = next(left)
                    except StopIteration:
                        break
                    task = self.async_nolink(function, item)
                    assert task.monitor_ref is not None
                    entry = _Item(task, time.monotonic() + limit)
                    running[task.monitor_ref] = entry
                    queue.append(entry)
                if not queue:
                    return
                result = queue[0].result
                if result is not None:
                    queue.popleft()
                    yield result
                elif not _collect(owner, running) and on_timeout == "exit":
                    raise CallTimeout(call=InCall(STREAM, self, None, timeout))
        finally:
            for monitor_ref, entry in running.items():
                _abandon(owner, monitor_ref, entry)

    def terminate_child(self, task: TaskRef) -> None:
        """End a task. Raises `ChildError` when it has ended."""
        call(self, TerminateChild(task), None)

    def children(self) -> tuple[TaskRef, ...]:
        """All tasks that run."""
        listed: tuple[ChildInfo, ...] = call(self, ListChildren(), None)
        return tuple(each.ref for each in listed if isinstance(each.ref, TaskRef))


class TaskSupervisor(DynamicSupervisor):
    """Starts tasks, and ends those that still run when it ends. Restarts none.

    Started with `max_children`: how many may run at a time; None: no limit.
    """

    ref_class: ClassVar[type[ServerRef]] = TaskSupervisorRef

    if TYPE_CHECKING:

        @property
        def actor_ref(  # type: ignore[override]  # its handle has other verbs than its base's
            self,
        ) -> TaskSupervisorRef: ...

    def asked(self, message: object, from_: From, children: ChildrenByRef) -> object:
        if not isinstance(message, _Run):
            return super().asked(message, from_, children)
        children.check_room()
        owner = message.owner
        task = message.context.run(
            run_task,
            message.function,
            message.args,
            message.kwargs,
            links=(self._process,) if owner is None or not message.link else (self._process, owner),
            watch=owner,
            answer=owner is not None,
        )
        task._process.parent = self._process
        children.running[task] = Child(_SPEC, task)
        return task


_SPEC: Final = ChildSpec(id=None, start=lambda: None, restart=Restart.TEMPORARY)
"""What is said of every task: it is never started again."""


@define
class _Item:
    """One item of a stream, in the order that they came."""

    task: TaskRef
    deadline: float
    result: Done | Exited | None = None


def _collect(owner: Process, running: dict[MonitorRef, _Item]) -> bool:
    """Wait for the next result of any task. False if one took too long: then that is it."""
    late = min(each.deadline for each in running.values())
    timeout = None if late == math.inf else late - time.monotonic()
    found = owner.mailbox.select(lambda item: task_of(item) in running, timeout)
    if found is CLOSED:
        raise Cancelled(owner.reason)
    if found is not TIMED_OUT:
        monitor_ref = found.ref if isinstance(found, TaskReply) else found.monitor_ref
        stop_waiting(owner, monitor_ref)
        running.pop(monitor_ref).result = result_in(found)
        return True
    for monitor_ref, entry in list(running.items()):
        if entry.deadline == late:
            del running[monitor_ref]
            entry.result = Exited(TIMEOUT)
            _abandon(owner, monitor_ref, entry)
    return False


def _abandon(owner: Process, monitor_ref: MonitorRef, entry: _Item) -> None:
    kill(entry.task._process)
    stop_waiting(owner, monitor_ref)
