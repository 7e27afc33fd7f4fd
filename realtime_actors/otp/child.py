"""Children of supervisors: how one is started, when again, and how it is ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Hashable, Iterable
from contextvars import Context, copy_context
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pykka
from attrs import define, field, frozen

from realtime_actors.errors import ConfigError, RealtimeError
from realtime_actors.otp.kernel.calls import Name, process_of
from realtime_actors.otp.kernel.ends import add_link, add_monitor, kill, remove_link, signal
from realtime_actors.otp.kernel.exits import KILL, SHUTDOWN, Cancelled, StartFailed, reason_of
from realtime_actors.otp.kernel.mailbox import CLOSED, TIMED_OUT
from realtime_actors.otp.kernel.options import (
    check_flag,
    check_function,
    check_instance,
    check_key,
    check_shutdown,
    check_word,
    wrong,
)
from realtime_actors.otp.kernel.process import Down, ExitMessage, MonitorRef, Process, ProcessRef
from realtime_actors.otp.starting import check_start, start_server
from realtime_actors.otp.strategy import Restart
from realtime_actors.seconds import seconds_or_none

if TYPE_CHECKING:
    from realtime_actors.otp.genserver import GenServer
    from realtime_actors.otp.ref import ServerRef

__all__ = [
    "Child",
    "ChildCount",
    "ChildError",
    "ChildInfo",
    "ChildRef",
    "ChildSpec",
    "DuplicateChildError",
    "check_spec",
    "child_spec",
    "shut_down",
    "start_child",
]

WORKER: Final = "worker"
SUPERVISOR: Final = "supervisor"
RESTARTING: Final = "restarting"
"""In place of a ref: the child's restart has failed and is about to be tried again."""


class _Usual(Enum):
    USUAL = "as is usual for such a child"


ChildRef: TypeAlias = ProcessRef | pykka.ActorRef[Any]


class ChildError(RealtimeError):
    """A supervisor could not do that with a child, in the state that the child is in.

    `reason` is `"not_found"`, `"running"` or `"restarting"`.
    """

    def __init__(self, reason: str, child_id: object) -> None:
        super().__init__(f"child {child_id!r}: {reason}")
        self.reason = reason


class DuplicateChildError(StartFailed, ConfigError):
    """Two children of a supervisor have the same id."""

    def __init__(self, child_id: Hashable) -> None:
        super().__init__(("start_spec", ("duplicate_child_name", child_id)))
        twice = f"children has the id {child_id!r} twice: allowed is each id once"
        self.args = (f"{twice}. Give each child its own: child_spec(..., id=...)",)


def _restart(value: Restart | str) -> Restart:
    return check_word(value, "the restart of a child", Restart)


def _shutdown(value: float | str | None) -> float | str | None:
    return check_shutdown(value, "the shutdown of a child")


@frozen(kw_only=True)
class ChildSpec:
    """How a supervisor starts a child, when it starts it again, and how it ends it.

    `child_spec` makes one of a server's class. Raises `ConfigError` for what is wrong.
    """

    id: Hashable
    start: Callable[[], ChildRef | None] = field(repr=False)
    """Starts it, in the supervisor's process; None: it doesn't want to, which is no error."""
    restart: Restart = field(default=Restart.PERMANENT, converter=_restart)
    shutdown: float | str | None = field(default=5.0, converter=_shutdown)
    """Seconds it has for its end; None: as many as it needs; `"kill"`: none."""
    significant: bool = False
    """Whether its end may be the supervisor's (`AutoShutdown`). Not of a permanent child:
    that does not end for good."""
    kind: str = WORKER
    """`"worker"` or `"supervisor"`."""

    def __attrs_post_init__(self) -> None:
        check_key(self.id, "the id of a child")
        check_function(self.start, "the start of a child")
        if self.kind not in (WORKER, SUPERVISOR):
            raise wrong(self.kind, "the kind of a child", f"{WORKER!r} or {SUPERVISOR!r}")
        if check_flag(self.significant, "significant") and self.restart is Restart.PERMANENT:
            raise ConfigError(
                "significant is True for a child whose restart is 'permanent': allowed is False."
                " Its end is never for good; say restart='transient' or 'temporary'"
            )


def check_spec(spec: object) -> None:
    """Refuse what is no spec of a child."""
    if isinstance(spec, type):
        raise ConfigError(
            f"a child is {spec.__name__}: allowed is a ChildSpec, as child_spec({spec.__name__})"
            " makes it"
        )
    check_instance(spec, "a child", ChildSpec)


@frozen
class ChildInfo:
    """A child as its supervisor lists it."""

    id: Hashable
    """None under a `DynamicSupervisor`."""
    ref: ChildRef | str | None
    """None: it does not run. `"restarting"`: it is about to."""
    kind: str


@frozen(kw_only=True)
class ChildCount:
    """What a supervisor has."""

    specs: int
    active: int
    supervisors: int
    workers: int


def child_spec(
    cls: type[GenServer],
    *args: Any,
    id: Hashable | None = None,  # noqa: A002 - OTP's word, and a keyword only
    name: Name | None = None,
    restart: Restart | str = Restart.PERMANENT,
    shutdown: float | str | _Usual | None = _Usual.USUAL,
    significant: bool = False,
    keep_ref: bool = False,
    timeout: float | None = None,
    **kwargs: Any,
) -> ChildSpec:
    """The spec of a child that is a `cls`, started with these arguments.

    `id` is the class's name unless said otherwise; `shutdown` 5 seconds, for a
    supervisor as many as it needs. Each start may take `timeout` seconds, None: no limit.
    Raises `ConfigError` for what is wrong, the arguments of `cls` included.
    With `keep_ref` a restarted child keeps its handle: everybody who holds it goes on with
    the new incarnation. Such a spec is good for one child.
    """
    timeout = seconds_or_none(timeout, "the timeout of a child's start")
    check_start(cls, name, None, None)
    check_flag(keep_ref, "keep_ref")
    cls.check_arguments(*args, **kwargs)
    kind = SUPERVISOR if cls.kind == SUPERVISOR else WORKER
    before: list[ServerRef] = []

    def start() -> ServerRef | None:
        ref = before[0] if before else None
        started: ServerRef | None = start_server(
            cls, args, kwargs, name=name, timeout=timeout, ref=ref, link=True
        )
        if keep_ref and started is not None:
            before[:] = [started]
        return started

    if isinstance(shutdown, _Usual):
        shutdown = None if kind == SUPERVISOR else 5.0
    return ChildSpec(
        id=cls.__name__ if id is None else id,
        start=start,
        restart=_restart(restart),
        shutdown=shutdown,
        significant=significant,
        kind=kind,
    )


@define(eq=False)
class Child:
    """A supervisor's own note of a child. Changes; belongs to the supervisor alone."""

    spec: ChildSpec
    ref: ChildRef | str | None = None
    context: Context = field(factory=copy_context, kw_only=True)
    """The context variables of whoever asked for it: it sees them after a restart, too."""
    restarts: int = 0

    @property
    def process(self) -> Process | None:
        return None if self.ref is None or isinstance(self.ref, str) else process_of(self.ref)

    @property
    def info(self) -> ChildInfo:
        return ChildInfo(self.spec.id, self.ref, self.spec.kind)


def count(children: Collection[Child]) -> ChildCount:
    supervisors = sum(each.spec.kind == SUPERVISOR for each in children)
    return ChildCount(
        specs=len(children),
        active=sum(each.process is not None for each in children),
        supervisors=supervisors,
        workers=len(children) - supervisors,
    )


def start_child(supervisor: Process, child: Child) -> None:
    """Start a child, linked to its supervisor. Raises `StartFailed`."""
    try:
        ref = child.context.copy().run(child.spec.start)
    except StartFailed:
        raise
    except Cancelled:
        raise
    except BaseException as error:
        raise StartFailed(reason_of(error)) from error
    child.ref = ref
    process = child.process
    if process is None:
        return
    process.restarts = child.restarts
    if process.parent is None:
        process.parent = supervisor
    if not add_link(supervisor, process):
        supervisor.mailbox.put_signal(ExitMessage(ref, process.reason))


def shut_down(supervisor: Process, children: Iterable[Child]) -> None:
    """End children, all at the same time, each in the time that its spec allows."""
    watched: list[tuple[Child, Process, MonitorRef]] = []
    for child in children:
        process = child.process
        if process is not None:
            monitor = add_monitor(supervisor, process, child.ref)
            remove_link(supervisor, process)
            watched.append((child, process, monitor))
            if child.spec.shutdown == KILL:
                kill(process)
            else:
                signal(process, supervisor, SHUTDOWN)
    began = time.monotonic()
    for child, process, monitor in watched:
        limit = child.spec.shutdown
        if isinstance(limit, (int, float)):
            if not _wait_for_end(supervisor, monitor, began + limit - time.monotonic()):
                kill(process)
                _wait_for_end(supervisor, monitor, None)
        else:
            _wait_for_end(supervisor, monitor, None)
        _discard_exit_of(supervisor, child.ref)
        child.ref = None


def _discard_exit_of(supervisor: Process, ref: object) -> None:
    supervisor.mailbox.discard(lambda item: isinstance(item, ExitMessage) and item.actor is ref)


def _wait_for_end(supervisor: Process, monitor: MonitorRef, timeout: float | None) -> bool:
    found = supervisor.mailbox.select(
        lambda item: isinstance(item, Down) and item.monitor_ref is monitor, timeout
    )
    if found is CLOSED:
        raise Cancelled(supervisor.reason)
    return found is not TIMED_OUT
