"""Starting a server: name it, tie it to its starter, wait for its `init`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, overload

import pykka
from attrs import frozen

from realtime_actors.otp.answer import Answer
from realtime_actors.otp.kernel.calls import Name, await_answer
from realtime_actors.otp.kernel.ends import add_link, add_monitor, end, remove_link
from realtime_actors.otp.kernel.exits import (
    KILLED,
    TIMEOUT,
    CallExit,
    CallTimeout,
    StartFailed,
    exception_in,
)
from realtime_actors.otp.kernel.names import check_name, claim
from realtime_actors.otp.kernel.options import check_class, check_instance, wrong
from realtime_actors.otp.kernel.process import (
    Down,
    ExitMessage,
    MonitorRef,
    Process,
    current,
    me,
    processes,
    signals,
)
from realtime_actors.otp.kernel.requests import Request
from realtime_actors.otp.ref import ServerActor, ServerRef
from realtime_actors.seconds import seconds_or_none

if TYPE_CHECKING:
    from realtime_actors.otp.returns import Ignore, Ok, Stop

R = TypeVar("R", bound=ServerRef)
R_co = TypeVar("R_co", bound=ServerRef, covariant=True)

__all__ = ["begin_server", "start", "start_link", "start_monitor", "start_server"]

START: Final = "GenServer.start"


# What `init` gives tells a type checker whether a start may give None, and `actor_ref` tells
# the class of the handle, unless `ref_class` or `ref` does. The first overload that fits counts.


class Server(Protocol[R_co]):
    """A server, for type checkers."""

    @property
    def actor_ref(self) -> R_co: ...


class Sure(Server[R_co], Protocol[R_co]):
    """A server whose `init` never ignores."""

    def init(self, *args: Any, **kwargs: Any) -> Ok | Stop: ...


class Unsure(Server[R_co], Protocol[R_co]):
    """A server that may not want to start."""

    def init(self, *args: Any, **kwargs: Any) -> Ok | Ignore | Stop: ...


@overload
def start(
    cls: type[Sure[R]],
    *args: Any,
    name: Name | None = None,
    timeout: float | None = None,
    ref_class: None = None,
    ref: None = None,
    **kwargs: Any,
) -> R: ...
@overload
def start(
    cls: type[Unsure[R]],
    *args: Any,
    name: Name | None = None,
    timeout: float | None = None,
    ref_class: None = None,
    ref: None = None,
    **kwargs: Any,
) -> R | None: ...
@overload
def start(
    cls: type[Server[R]],
    *args: Any,
    name: Name | None = None,
    timeout: float | None = None,
    ref_class: None = None,
    ref: None = None,
    **kwargs: Any,
) -> R: ...
@overload
def start(
    cls: type[Sure[Any]],
    *args: Any,
    name: Name | None = None,
    timeout: float | None = None,
    ref_class: type[R] | None = None,
    ref: R | None = None,
    **kwargs: Any,
) -> R: ...
@overload
def start(
    cls: type[Unsure[Any]],
    *args: Any,
    name: Name | None = None,
    timeout: float | None = None,
    ref_class: type[R] | None = None,
    ref: R | None = None,
    **kwargs: Any,
) -> R | None: ...
@overload
def start(
    cls: type[Server[Any]],
    *args: Any,
    name: Name | None = None,
    timeout: float | None = None,
    ref_class: type[R] | None = None,
    ref: R | None = None,
    **kwargs: Any,
) -> R: ...
def start(
    cls: Any,
    *args: Any,
    name: Name | None = None,
    timeout: float | None = None,
    ref_class: type[ServerRef] | None = None,
    ref: ServerRef | None = None,
    **kwargs: Any,
) -> ServerRef | None:
    """Start a server, and wait until its `init` has returned.

    Gives its ref, or None if `init` said `Ignore`. Raises `StartFailed` with the reason
    if it ended, took longer than `timeout` seconds (None: no limit), or if the name is
    taken. `args` and `kwargs` go to `init`. Raises `ConfigError` for an option that is wrong.

    `ref_class` is the class of the handle, instead of the server's own. `ref` is the
    handle of a server that has ended: it becomes the handle of this one, so that
    everybody who holds it goes on with the new incarnation.
    """
    started: ServerRef | None = start_server(
        cls, args, kwargs, name=name, timeout=timeout, ref_class=ref_class, ref=ref
    )
    return started


@overload
def start_link(
    cls: type[Sure[R]],
    *args: Any,
    name: Name | None = None,
    timeout: float | None = None,
    ref_class: None = None,
    ref: None = None,
    **kwargs: Any,
) -> R: ...
@overload
def start_link(
    cls: type[Unsure[R]],
    *args: Any,
    name: Name | None = None,
    timeout: float | None = None,
    ref_class: None = None,
    ref: None = None,
    **kwargs: Any,
) -> R | None: ...
@overload
def start_link(
    cls: type[Server[R]],
    *args: Any,
    name: Name | None = None,
    timeout: float | None = None,
    ref_class: None = None,
    ref: None = None,
    **kwargs: Any,
) -> R: ...
def start_link(
    cls: Any,
    *args: Any,
    name: Name | None = None,
    timeout: float | None = None,
    ref_class: type[ServerRef] | None = None,
    ref: ServerRef | None = None,
    **kwargs: Any,
) -> ServerRef | None:
    """`start`, linked to the calling process from the first instruction on.

    The caller becomes the server's parent. If `init` fails and the caller does not trap
    exits, the caller ends with it, as with any link.
    """
    started: ServerRef | None = start_server(
        cls, args, kwargs, name=name, timeout=timeout, ref_class=ref_class, ref=ref, link=True
    )
    return started


@overload
def start_monitor(
    cls: type[Sure[R]],
    *args: Any,
    name: Name | None = None,
    timeout: float | None = None,
    ref_class: None = None,
    ref: None = None,
    **kwargs: Any,
) -> tuple[R, MonitorRef]: ...
@overload
def start_monitor(
    cls: type[Unsure[R]],
    *args: Any,
    name: Name | None = None,
    timeout: float | None = None,
    ref_class: None = None,
    ref: None = None,
    **kwargs: Any,
) -> tuple[R, MonitorRef] | None: ...
@overload
def start_monitor(
    cls: type[Server[R]],
    *args: Any,
    name: Name | None = None,
    timeout: float | None = None,
    ref_class: None = None,
    ref: None = None,
    **kwargs: Any,
) -> tuple[R, MonitorRef]: ...
def start_monitor(
    cls: Any,
    *args: Any,
    name: Name | None = None,
    timeout: float | None = None,
    ref_class: type[ServerRef] | None = None,
    ref: ServerRef | None = None,
    **kwargs: Any,
) -> tuple[ServerRef, MonitorRef] | None:
    """`start`, monitored by the calling process: gives the ref and the monitor's."""
    started: tuple[ServerRef, MonitorRef] | None = start_server(
        cls, args, kwargs, name=name, timeout=timeout, ref_class=ref_class, ref=ref, monitor=True
    )
    return started


def check_start(cls: object, name: object, ref_class: object | None, ref: object | None) -> None:
    """Refuse what can't be a server, its name or its handle."""
    if not (isinstance(cls, type) and issubclass(cls, ServerActor)):
        raise wrong(cls, "the class of a server", "a subclass of otp.GenServer")
    check_name(name)
    if ref_class is not None:
        check_class(ref_class, "ref_class", ServerRef)
    if ref is not None:
        check_instance(ref, "ref", ServerRef)


def start_server(
    cls: type[ServerActor],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    name: Name | None = None,
    timeout: float | None = None,
    ref_class: type[ServerRef] | None = None,
    ref: ServerRef | None = None,
    link: bool = False,
    monitor: bool = False,
) -> Any:
    """What all ways to start a server come to."""
    timeout = seconds_or_none(timeout, "the timeout of a start")
    begun = _begin(cls, args, kwargs, name, ref_class, ref, link=link, monitor=monitor)
    begun.run()
    started = begun.wait(timeout)
    return (started, begun.watch) if monitor and started is not None else started


def begin_server(
    cls: type[ServerActor], args: tuple[Any, ...], *, name: Name | None = None
) -> tuple[ServerRef, Answer[Any]]:
    """Start a server without waiting for its `init`: what `start` gives, or raises, comes later.

    Who does not want it any more kills the handle.
    """
    begun = _begin(cls, args, {}, name, None, None)
    answer = Answer.to(begun.request, begun.wait)
    begun.run()
    return begun.handle, answer


def _begin(
    cls: type[ServerActor],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    name: Name | None,
    ref_class: type[ServerRef] | None,
    ref: ServerRef | None,
    *,
    link: bool = False,
    monitor: bool = False,
) -> _Begun:
    """Make a server that lacks nothing but its thread."""
    check_start(cls, name, ref_class, ref)
    cls.check_arguments(*args, **kwargs)
    starter = me("start_link" if link else "start_monitor") if link or monitor else current()
    actor = cls()
    actor._arguments = (args, kwargs)
    process = actor._process
    process.start = request = Request(None, starter, process)
    handle = (ref_class or cls.ref_class)(actor) if ref is None else ref
    process.ref = handle
    watch = None
    with signals:
        holder = ref._process if ref is not None and not ref._process.dead else None
        if holder is None and name is not None:
            holder = claim(name, process)
        if holder is not None:
            raise StartFailed(("already_started", holder.ref))
        if ref is not None:
            ref._stand_for(actor)
        processes[process] = None
        if starter is not None and link:
            process.parent = starter
            add_link(starter, process)
        if starter is not None and monitor:
            watch = add_monitor(starter, process, handle)
    actor._actor_ref = handle
    pykka.ActorRegistry.register(handle)
    return _Begun(actor, request, starter, handle, watch)


@frozen(eq=False)
class _Begun:
    """A server that is being started."""

    actor: ServerActor
    request: Request
    """Settled once its `init` has returned, or it has ended."""
    starter: Process | None
    handle: ServerRef
    watch: MonitorRef | None

    def run(self) -> None:
        """Give it its thread."""
        try:
            self.actor._start_actor_loop()
        except BaseException:  # no thread to be had, or Ctrl-C: nobody would know of it
            end(self.request.server, KILLED)
            raise

    def wait(self, timeout: float | None) -> ServerRef | None:
        """Wait until it has started. None if it does not want to. Raises `StartFailed`."""
        try:
            started: ServerRef | None = await_answer(self.request, timeout, START)
        except CallTimeout:
            if self.starter is not None:
                remove_link(self.starter, self.request.server)
            end(self.request.server, KILLED)
            _forget_attempt(self.starter, self.handle)
            raise StartFailed(TIMEOUT) from None
        except CallExit as exit_:
            _forget_attempt(self.starter, self.handle)
            raise StartFailed(exit_.reason) from exception_in(exit_.reason)
        except BaseException:  # Ctrl-C: nobody would know of it
            end(self.request.server, KILLED)
            raise
        if started is None:
            _forget_attempt(self.starter, self.handle)
        return started


def _forget_attempt(starter: Process | None, handle: ServerRef) -> None:
    """Take out of the starter's mailbox what a start that came to nothing left there."""
    if starter is not None:
        starter.mailbox.discard(
            lambda item: isinstance(item, (ExitMessage, Down)) and item.actor is handle
        )
