"""Tasks: one function in a thread of its own, that is a process like any other.

What it is there for: foreign code that may take long or fail. Whoever started it
hears of its end by a monitor, and of its value by a message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from attrs import frozen

from realtime_actors.otp.kernel.ends import (
    add_link,
    add_monitor,
    end,
    kill,
    log_crash,
    remove_link,
    remove_monitor,
    signal,
)
from realtime_actors.otp.kernel.exits import (
    KILLED,
    NORMAL,
    SHUTDOWN,
    CallExit,
    CallTimeout,
    Cancelled,
    InCall,
    Reason,
    reason_of,
)
from realtime_actors.otp.kernel.mailbox import CLOSED, TIMED_OUT, Mailbox, Signal
from realtime_actors.otp.kernel.options import check_function, check_instance, check_shutdown
from realtime_actors.otp.kernel.process import (
    TASK,
    Down,
    MonitorRef,
    Process,
    ProcessRef,
    check,
    current,
    me,
    own_thread,
    processes,
    signals,
    start_thread,
    thread_is_done,
)
from realtime_actors.seconds import seconds_or_none

__all__ = ["Done", "Exited", "Task", "TaskRef", "TaskReply"]

AWAIT: Final = "Task.await"


@frozen
class TaskReply(Signal):
    """The value of an awaited task, as its owner gets it who does not wait for it."""

    ref: MonitorRef
    """The task's `monitor_ref`; `Down` with the same follows, unless it is demonitored."""
    value: Any


@frozen
class Done:
    """A task has returned."""

    value: Any


@frozen
class Exited:
    """A task has ended without a value."""

    reason: Reason


class TaskRef(ProcessRef):
    """The handle of a task."""

    monitor_ref: MonitorRef | None = None
    """The owner's monitor, of a task that is awaited (`Task.async_`)."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def __repr__(self) -> str:
        return f"<TaskRef {self._process.label}>"

    def kill(self) -> None:
        """End the task for everybody, now. Does nothing once it has ended.

        Its thread can't be stopped: it is detached, and whatever it still gives or
        sends is thrown away. `otp.cancelled()` tells it so, if it asks.
        """
        current()
        kill(self._process)


class Task:
    """Ways to start a task, and to wait for one.

    A task sees the context variables (`contextvars`) as they were where it was started.
    What it sets, nobody else sees.
    """

    @staticmethod
    def start(function: Callable[..., object], *args: Any, **kwargs: Any) -> TaskRef:
        """Run a function in a daemon thread, and forget about it."""
        current()
        return run_task(function, args, kwargs)

    @staticmethod
    def start_link(function: Callable[..., object], *args: Any, **kwargs: Any) -> TaskRef:
        """`start`, linked to the calling process."""
        return run_task(function, args, kwargs, links=(me("Task.start_link"),))

    @staticmethod
    def start_monitor(
        function: Callable[..., object], *args: Any, **kwargs: Any
    ) -> tuple[TaskRef, MonitorRef]:
        """`start`, monitored by the calling process from the first instruction on.

        `Down` comes when it ends: `"normal"` if it returned, else the exception.
        """
        task = run_task(function, args, kwargs, watch=me("Task.start_monitor"))
        assert task.monitor_ref is not None
        return task, task.monitor_ref

    @staticmethod
    def async_(function: Callable[..., object], *args: Any, **kwargs: Any) -> TaskRef:
        """`start`, linked, with a value to wait for: `await_`, `yield_`, or a `TaskReply`."""
        owner = me("Task.async_")
        return run_task(function, args, kwargs, links=(owner,), watch=owner, answer=True)

    @staticmethod
    def await_(task: TaskRef, timeout: float | None = 5.0) -> Any:
        """Wait for the value of a task that the calling process started.

        Raises `CallExit` with the task's reason if it ends without one, `CallTimeout`
        after `timeout` seconds; the task goes on then, and its value is thrown away.
        """
        timeout = seconds_or_none(timeout, "the timeout of await_")
        result = _result(task, timeout)
        if result is None:
            raise CallTimeout(call=InCall(AWAIT, task, None, timeout))
        if isinstance(result, Exited):
            raise CallExit(result.reason, InCall(AWAIT, task, None, timeout))
        return result.value

    @staticmethod
    def yield_(task: TaskRef, timeout: float | None = 5.0) -> Done | Exited | None:
        """Wait for a task, as often as you like. None: it is still running."""
        return _result(task, seconds_or_none(timeout, "the timeout of yield_"), again=True)

    @staticmethod
    def shutdown(task: TaskRef, timeout: float | str | None = 5.0) -> Done | Exited | None:
        """End a task and wait for it; None if that ended it.

        It may be faster, then its value or its crash is what you get. After `timeout`
        seconds (None: never; `"kill"`: at once) it is killed.
        """
        limit = check_shutdown(timeout, "the timeout of a shutdown")
        owner, process = _owner(task, "Task.shutdown"), task._process
        remove_link(owner, process)
        if isinstance(limit, str):
            kill(process)
            limit = None
        else:
            signal(process, owner, SHUTDOWN)
        result = _result(task, limit, again=True)
        if result is None:
            kill(process)
            result = _result(task, None, again=True)
        if isinstance(result, Exited) and result.reason in (SHUTDOWN, KILLED):
            return None
        return result


def run_task(
    function: Callable[..., object],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    links: Iterable[Process] = (),
    watch: Process | None = None,
    answer: bool = False,
) -> TaskRef:
    """What all ways to start a task come to."""
    check_function(function, "the function of a task")
    process = Process(TASK, getattr(function, "__name__", "task"), Mailbox())
    task = process.ref = TaskRef(process)
    with signals:
        processes[process] = None
        for other in links:
            add_link(other, process)
        if watch is not None:
            task.monitor_ref = add_monitor(watch, process, task)
    wanted = task.monitor_ref if answer else None
    try:
        start_thread(process, _run, process, function, args, kwargs, wanted, daemon=True)
    except RuntimeError as error:  # no more threads to be had
        end(process, error)
        raise
    return task


def _run(
    process: Process,
    function: Callable[..., object],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    answer: MonitorRef | None,
) -> None:
    own_thread.process = process
    reason: Reason = NORMAL
    try:
        check()  # it may have been ended before it began
        value = function(*args, **kwargs)
        if answer is not None:
            _give(process, answer, value)
    except BaseException as error:
        reason = reason_of(error)
        if not process.dead:
            log_crash(process, reason)
    finally:
        end(process, reason)
        own_thread.process = None
        thread_is_done(process)


def _give(process: Process, answer: MonitorRef, value: object) -> None:
    """Send the value to the owner, if both still live and it is still wanted."""
    with signals:
        owner = answer._watcher
        if not process.dead and answer in owner.watching:
            owner.mailbox.put_signal(TaskReply(answer, value))


def _owner(task: TaskRef, operation: str) -> Process:
    check_instance(task, "the task", TaskRef)
    process = me(operation)
    if task.monitor_ref is None or task.monitor_ref._watcher is not process:
        raise ValueError(f"{operation}: {task!r} is no task that this process waits for")
    return process


def _result(task: TaskRef, timeout: float | None, *, again: bool = False) -> Done | Exited | None:
    """Take a task's value or its Down out of the mailbox. None when time is over."""
    owner, monitor_ref = _owner(task, AWAIT), task.monitor_ref
    assert monitor_ref is not None

    item = owner.mailbox.select(lambda each: task_of(each) is monitor_ref, timeout)
    if item is CLOSED:
        raise Cancelled(owner.reason)
    if item is TIMED_OUT and again:
        return None
    stop_waiting(owner, monitor_ref)
    return None if item is TIMED_OUT else result_in(item)


def task_of(item: object) -> MonitorRef | None:
    """The task, by its `monitor_ref`, that a message in a mailbox may be about."""
    if isinstance(item, TaskReply):
        return item.ref
    return item.monitor_ref if isinstance(item, Down) else None


def result_in(item: TaskReply | Down) -> Done | Exited:
    """What such a message says."""
    return Done(item.value) if isinstance(item, TaskReply) else Exited(item.reason)


def stop_waiting(owner: Process, monitor_ref: MonitorRef) -> None:
    """Want nothing more of a task: neither its value nor its end."""
    remove_monitor(owner, monitor_ref)
    owner.mailbox.discard(lambda item: task_of(item) is monitor_ref)
