"""One run of a scenario: who is who, what happened, the gates, and how the traces spell it."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from attrs import define, field

from realtime_actors import otp

Event = list[Any]
PATIENCE_SECONDS = 20.0
"""How long the driver waits for something that has to happen."""


STRUCTURED = "structured"
"""Whatever is no plain word or number, where the traces show only those."""
PLAIN = (str, int, float, type(None))
UNLABELLED = "?"
"""What a process is called that has no label: a supervisor within another, mostly."""


class GaveUpError(Exception):
    """What the driver waited for did not happen."""


class UnknownOperationError(Exception):
    """The scenario says something that the vocabulary doesn't."""


class Keeper(otp.GenServer):
    """Keeps the gates. Waiting at one is a call without an answer yet: it can be interrupted."""

    def init(self) -> otp.Ok:
        return otp.Ok(Gates())

    def handle_call(self, message: Any, from_: otp.From, state: Gates) -> Any:
        action, gate = message
        if action == "wait":
            state.reached.add(gate)
            for watcher in state.watchers.pop(gate, ()):
                otp.reply(watcher, None)
            if gate in state.opened:
                return otp.Reply(None, state)
            state.waiting.setdefault(gate, []).append(from_)
        elif action == "watch":
            if gate in state.reached:
                return otp.Reply(None, state)
            state.watchers.setdefault(gate, []).append(from_)
        else:
            state.opened.add(gate)
            for waiting in state.waiting.pop(gate, ()):
                otp.reply(waiting, None)
            return otp.Reply(None, state)
        return otp.NoReply(state)


@define
class Gates:
    opened: set[str] = field(factory=set)
    reached: set[str] = field(factory=set)
    waiting: dict[str, list[otp.From]] = field(factory=dict)
    watchers: dict[str, list[otp.From]] = field(factory=dict)


class World:
    """One run of one scenario: who is who, and what happened so far."""

    def __init__(
        self,
        *,
        scale: float = 1.0,
        jitter_ms: float = 0.0,
        seed: int = 0,
        inline: bool = False,
    ) -> None:
        self.scale = scale
        self.inline = inline
        """Whether actors whose handlers wait for nothing let others handle their messages."""
        self._no_inline_turns = 0
        self.inline_turns = 0
        """How many messages were handled in a thread that brought them."""
        self.trace: list[Event] = []
        self.keeper = otp.start(Keeper)
        self.refs: dict[str, list[Any]] = {}
        self.names: dict[Any, str] = {}
        self.monitors: dict[str, otp.MonitorRef] = {}
        self.froms: dict[str, otp.From] = {}
        self.timers: dict[str, otp.TimerRef] = {}
        self.tasks: dict[str, otp.TaskRef] = {}
        self.registries: dict[str, otp.Registry] = {}
        self.starts: dict[str, int] = {}
        self._lock = threading.Lock()
        self._noting = 0
        self._jitter_seconds = jitter_ms / 1000
        self._random = random.Random(seed)

    # -- noting ------------------------------------------------------------------------

    def note(self, who: str, *event: Any) -> None:
        """Store an event. Whoever it is about goes on when it is stored, not before."""
        with self._lock:
            self._noting += 1
        try:
            self._hesitate()
            encoded = [who, *(self.encode(each) for each in event)]
            with self._lock:
                otp.check()
                self.trace.append(encoded)
            self._hesitate()
        finally:
            with self._lock:
                self._noting -= 1

    def _hesitate(self) -> None:
        if self._jitter_seconds:
            otp.sleep(self._random.uniform(0.0, self._jitter_seconds))

    def seconds(self, milliseconds: float | str | None) -> float | None:
        if milliseconds is None or isinstance(milliseconds, str):  # "infinity"
            return None
        return milliseconds / 1000 * self.scale

    def encode(self, value: Any) -> Any:
        """Spell a value as the traces do."""
        match value:
            case None | bool() | int() | float() | str():
                return value
            case otp.Down(monitor_ref=monitor, actor=actor, reason=reason):
                where = ["name", actor] if isinstance(actor, str) else self.encode(actor)
                return ["DOWN", self.encode(monitor), where, self.encode(reason)]
            case otp.ExitMessage(actor=actor, reason=reason):
                return ["EXIT", self.encode(actor), self.encode(reason)]
            case otp.TaskReply(ref=monitor, value=result):
                return [self.encode(monitor), self.encode(result)]
            case otp.MonitorRef():
                return self._label_of_monitor(value)
            case otp.InCall(operation=operation):
                return f"in:{operation}"
            case otp.Exit():
                return self.encode(value.as_reason)
            case BaseException():
                return {"raised": spelling(value), "msg": str(value)}
            case otp.ChildSpec(id=child_id):
                return ["child", child_id]
            case otp.ChildInfo(id=child_id, ref=ref, kind=kind):
                return [
                    "undefined" if child_id is None else child_id,
                    "undefined" if ref is None else self.encode(ref),
                    kind,
                ]
            case otp.ChildCount(specs=specs, active=active, supervisors=sups, workers=workers):
                return {"active": active, "specs": specs, "supervisors": sups, "workers": workers}
            case otp.Done(value=result):
                return ["ok", self.encode(result)]
            case otp.Exited(reason=reason):
                return ["exit", self.encode(reason)]
            case Mapping():
                return value.get("tag", {key: self.encode(each) for key, each in value.items()})
            case ["bad_return_value", returned] if not isinstance(returned, PLAIN):
                return ["bad_return_value", STRUCTURED]
            case list() | tuple():
                return [self.encode(each) for each in value]
            case otp.ProcessRef():
                return "@" + self.names.get(value, UNLABELLED)
        return STRUCTURED

    def _label_of_monitor(self, monitor: otp.MonitorRef) -> str:
        for label, each in self.monitors.items():
            if each is monitor:
                return f"#{label}"
        for label, task in self.tasks.items():
            if task.monitor_ref is monitor:
                return f"#{label}"
        raise LookupError(f"nobody knows {monitor}")

    @property
    def lends_turns(self) -> bool:
        return self.inline and not self._no_inline_turns

    @contextmanager
    def no_inline_turns(self) -> Iterator[None]:
        """Have all actors handle their messages themselves, as long as one is told to wait."""
        with self._lock:
            self._no_inline_turns += 1
        try:
            yield
        finally:
            with self._lock:
                self._no_inline_turns -= 1

    # -- who is who --------------------------------------------------------------------

    def enter(self, label: str, ref: Any) -> str:
        """Take down a new incarnation of a label. Gives what it is called in the trace."""
        with self._lock:
            refs = self.refs.setdefault(label, [])
            refs.append(ref)
            name = label if len(refs) == 1 else f"{label}#{len(refs)}"
            self.names[ref] = name
            return name

    def entered(self, label: str, ref: Any) -> Any:
        """`enter`, for something that may not have started. Gives it."""
        if ref is not None:
            self.enter(label, ref)
        return ref

    def incarnations(self, label: str) -> int:
        return len(self.refs.get(label, ()))

    def target(self, spelled: Any) -> Any:
        """What an operation is aimed at: a ref, a name, or a place in a registry."""
        if isinstance(spelled, list):
            if spelled[0] == "name":
                return spelled[1]
            return otp.via(self.registries[spelled[1]], spelled[2])
        if spelled == "self":
            return otp.self_()
        label, _, number = spelled.partition("#")
        return self.refs[label][int(number or 0) - 1]

    def name(self, spelled: Any) -> Any:
        """The name under which something is started."""
        return spelled if spelled is None or isinstance(spelled, str) else self.target(spelled)

    # -- waiting -----------------------------------------------------------------------

    def at_gate(self, action: str, gate: str) -> None:
        timeout = PATIENCE_SECONDS if action == "watch" else None
        otp.call(self.keeper, (action, gate), timeout)

    def until(self, what: str, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            if time.monotonic() > deadline:
                raise GaveUpError(f"gave up waiting until {what}")
            otp.sleep(0.001)

    def lives(self, spelled: str) -> bool:
        label, _, number = spelled.partition("#")
        if self.incarnations(label) < int(number or 1):
            return False
        return bool(self.target(spelled).is_alive())

    def come_to_rest(self) -> None:
        """Wait until nobody has anything left to do, so that all of it is in the trace."""
        looks: list[int | None] = [None]

        def nothing_happens() -> bool:
            looks.append(self._handled_when_at_rest())
            return looks[-1] is not None and looks[-1] == looks[-2]

        self.until("nobody has anything to do", nothing_happens)

    def _handled_when_at_rest(self) -> int | None:
        """How many messages have been handled so far; None while somebody is at work."""
        handled = 0
        for _, process in otp.observe().walk():
            if process.ref is self.keeper or process.ref not in self.names:
                continue
            idle = process.status is otp.Status.IDLE and process.mailbox == 0
            if process.ref is not otp.self_() and not idle and process.status != "waiting":
                return None
            handled += process.handled
        return handled if self._noting == 0 else None

    def end(self) -> None:
        """End whatever the scenario left running, those on top first."""
        for refs in list(self.refs.values()):
            for ref in refs:
                otp.exit_signal(ref, otp.KILL)
        otp.stop(self.keeper)


def spelling(error: BaseException) -> str:
    """The name that an exception has in the traces: that of the built-in one it is."""
    names = {"ValueError": "ArgumentError", "LookupError": "ArgumentError"}
    builtin = next(each for each in type(error).__mro__ if each.__module__ == "builtins")
    for each in type(error).__mro__:
        if each.__name__ in ("RuntimeError", *names):
            builtin = each
            break
    return names.get(builtin.__name__, builtin.__name__)


def reason(spelled: Any) -> Any:
    """A reason as the library has it: tuples for arrays."""
    return tuple(reason(each) for each in spelled) if isinstance(spelled, list) else spelled


@contextmanager
def noting_exit(world: World, who: str, *event: Any) -> Iterator[None]:
    """Note how a call failed. That we are ended ourselves is no such failure."""
    try:
        yield
    except otp.Cancelled:
        raise
    except otp.Exit as exit_:
        world.note(who, *event, "exit", exit_)


def is_quiet(message: Any) -> bool:
    return isinstance(message, Mapping) and bool(message.get("quiet"))
