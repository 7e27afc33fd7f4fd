"""Drives the library through the operations of `otp_traces.json`, and notes what happens.

The vocabulary is described in the file itself, under `about.vocabulary`. Only what is
public is used: what a scenario sees is what a user would see.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pykka.messages
from attrs import define, field

from realtime_actors import otp

Event = list[Any]
PATIENCE_SECONDS = 20.0
"""How long the driver waits for something that has to happen."""


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

    def __init__(self, *, scale: float = 1.0, jitter_ms: float = 0.0, seed: int = 0) -> None:
        self.scale = scale
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

    def seconds(self, milliseconds: float | None) -> float | None:
        return None if milliseconds is None else milliseconds / 1000 * self.scale

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
                return value.get("tag", value)
            case list() | tuple():
                return [self.encode(each) for each in value]
        return "@" + self.names[value] if value in self.names else "structured"

    def _label_of_monitor(self, monitor: otp.MonitorRef) -> str:
        for label, each in self.monitors.items():
            if each is monitor:
                return f"#{label}"
        for label, task in self.tasks.items():
            if task.monitor_ref is monitor:
                return f"#{label}"
        raise LookupError(f"nobody knows {monitor}")

    # -- who is who --------------------------------------------------------------------

    def enter(self, label: str, ref: Any) -> str:
        """Take down a new incarnation of a label. Gives what it is called in the trace."""
        with self._lock:
            refs = self.refs.setdefault(label, [])
            refs.append(ref)
            name = label if len(refs) == 1 else f"{label}#{len(refs)}"
            self.names[ref] = name
            return name

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


class Player:
    """A participant: carries out operations, in whatever process it is in."""

    def __init__(
        self,
        world: World,
        who: str,
        *,
        state: Any = None,
        message: Any = None,
        from_: otp.From | None = None,
    ) -> None:
        self.world = world
        self.who = who
        self.state = state
        self.message = message
        self.from_ = from_

    def play(self, operations: Sequence[Any]) -> None:
        for name, *arguments in operations:
            method = getattr(self, "op_" + name.replace("!", "_loudly"), None)
            if method is None:
                raise UnknownOperationError(name)
            method(*arguments)

    def note(self, *event: Any) -> None:
        self.world.note(self.who, *event)

    def filled_in(self, value: Any) -> Any:
        return self.state if value == "$state" else value

    # -- actors and messages -----------------------------------------------------------

    def op_start(self, label: str, script: Any, options: Any = None) -> None:
        options = options or {}
        start = otp.start_link if options.get("link") else otp.start
        try:
            ref = start(
                actor_class(script),
                self.world,
                label,
                script,
                name=self.world.name(options.get("name")),
                timeout=self.world.seconds(options.get("timeout")),
            )
        except otp.StartFailed as failed:
            self.note("start", label, ["error", failed.reason])
        else:
            self.note("start", label, "ignore" if ref is None else ["ok", ref])

    def op_spawn(self, label: str, operations: Sequence[Any], options: Any = None) -> None:
        self.world.enter(label, otp.Task.start(self._plain(label, operations, options, None)))

    def _plain(
        self, label: str, operations: Sequence[Any], options: Any, value: Any
    ) -> Callable[[], Any]:
        """The life of a plain process: some operations, then a value."""
        world = self.world

        def play() -> Any:
            otp.trap_exit(bool(options and options.get("trap_exit")))
            player = Player(world, label)
            player.play(operations)
            return value

        return play

    def op_call(self, target: Any, message: Any, timeout: float = 3000) -> None:
        with noting_exit(self.world, self.who, "call", message):
            self._call(target, message, timeout)

    def op_call_loudly(self, target: Any, message: Any, timeout: float = 3000) -> None:
        self._call(target, message, timeout)

    def _call(self, target: Any, message: Any, timeout: float) -> None:
        seconds = self.world.seconds(timeout)
        answer = otp.call(self.world.target(target), message, seconds)
        if not is_quiet(message):
            self.note("call", message, "reply", answer)

    def op_cast(self, target: Any, message: Any) -> None:
        otp.cast(self.world.target(target), message)
        if not is_quiet(message):
            self.note("cast", message, "ok")

    def op_send(self, target: Any, message: Any) -> None:
        try:
            otp.send(self.world.target(target), message)
        except otp.NoProcessError:
            self.note("send", message, "raise", {"raised": "ArgumentError"})
        else:
            if not is_quiet(message):
                self.note("send", message, "ok")

    def op_save_from(self, label: str) -> None:
        assert self.from_ is not None
        self.world.froms[label] = self.from_

    def op_reply(self, label: str, value: Any) -> None:
        otp.reply(self.world.froms[label], value)
        self.note("reply", label, value)

    def op_stop(self, target: Any, why: Any = "normal", timeout: Any = None) -> None:
        seconds = None if timeout == "infinity" else self.world.seconds(timeout)
        with noting_exit(self.world, self.who, "stop", target, why):
            otp.stop(self.world.target(target), reason(why), seconds)
            self.note("stop", target, why, "ok")

    # -- monitors, links, signals ------------------------------------------------------

    def op_trap_exit(self, flag: bool) -> None:
        otp.trap_exit(flag)

    def op_link(self, target: Any) -> None:
        try:
            linked = otp.link(self.world.target(target))
        except otp.NoProcessError:
            self.note("link", target, "raise", {"raised": "ErlangError", "original": "noproc"})
        else:
            self.note("link", target, linked)

    def op_unlink(self, target: Any) -> None:
        self.note("unlink", target, otp.unlink(self.world.target(target)))

    def op_monitor(self, target: Any, label: str) -> None:
        self.world.monitors[label] = otp.monitor(self.world.target(target))

    def op_demonitor(self, label: str, options: Sequence[str] = ()) -> None:
        monitor = self.world.monitors.get(label) or self.world.tasks[label].monitor_ref
        assert monitor is not None
        self.note("demonitor", label, otp.demonitor(monitor, flush="flush" in options))

    def op_exit_signal(self, target: Any, why: Any) -> None:
        sent = otp.exit_signal(self.world.target(target), reason(why))
        self.note("exit_signal", target, why, sent)

    # -- timers ------------------------------------------------------------------------

    def op_send_after(self, target: Any, message: Any, delay: float, label: str) -> None:
        seconds = delay / 1000 * self.world.scale
        self.world.timers[label] = otp.send_after(self.world.target(target), message, seconds)

    def op_cancel_timer(self, label: str) -> None:
        left = otp.cancel_timer(self.world.timers[label])
        self.note("cancel_timer", label, left if left is False else "remaining")

    def op_read_timer(self, label: str) -> None:
        left = otp.read_timer(self.world.timers[label])
        self.note("read_timer", label, left if left is False else "remaining")

    # -- the own mailbox ---------------------------------------------------------------

    def op_recv(self, timeout: float) -> None:
        try:
            message = otp.receive(self.world.seconds(timeout))
        except TimeoutError:
            self.note("got_nothing")
        else:
            self.note("got", message)

    def op_recv_set(self, count: int, timeout: float) -> None:
        messages = [otp.receive(self.world.seconds(timeout)) for _ in range(count)]
        self.note("got_set", messages)

    def op_mailbox(self) -> None:
        self.note("mailbox", otp.messages())

    # -- inside a handler --------------------------------------------------------------

    def op_log(self, what: Any) -> None:
        self.note("log", what)

    def op_log_state(self) -> None:
        self.note("state", self.state)

    def op_put(self, value: Any) -> None:
        self.state = value

    def op_add(self, value: Any) -> None:
        self.state = [*self.state, value]

    def op_raise(self, text: str) -> None:
        raise RuntimeError(text)

    def op_exit(self, why: Any) -> None:
        raise otp.Exit(reason(why))

    def op_sleep(self, milliseconds: float) -> None:
        otp.sleep(milliseconds / 1000 * self.world.scale)

    # -- gates and other waits of the driver -------------------------------------------

    def op_gate(self, gate: str) -> None:
        self.world.at_gate("wait", gate)

    def op_open(self, gate: str) -> None:
        self.world.at_gate("open", gate)

    def op_await_gate(self, gate: str) -> None:
        self.world.at_gate("watch", gate)

    def op_await_dead(self, target: str) -> None:
        world = self.world
        world.until(
            f"{target} is dead",
            lambda: world.incarnations(target.partition("#")[0]) > 0 and not world.lives(target),
        )

    def op_await_alive(self, target: str) -> None:
        self.world.until(f"{target} is alive", lambda: self.world.lives(target))

    def op_await_queue(self, target: Any, count: int) -> None:
        mailbox = self.world.target(target).actor_inbox
        self.world.until(f"{count} messages wait for {target}", lambda: len(mailbox) >= count)

    def op_join(self, label: str) -> None:
        self.op_await_dead(label)

    def op_settle(self, target: Any) -> None:
        """Wait for the answer to a question that its handlers don't see."""
        question = pykka.messages.ProxyGetAttr(("actor_urn",))
        otp.call(self.world.target(target), question, PATIENCE_SECONDS)

    def op_settle_sup(self, target: Any) -> None:
        # Twice: what it has queued meanwhile for itself is before the second question.
        for _ in range(2):
            self.world.target(target).count_children()

    def op_await_no_tasks(self, target: Any) -> None:
        supervisor = self.world.target(target)
        self.world.until(f"{target} has no tasks", lambda: not supervisor.children())

    def op_reg_await(self, registry: str, key: str, count: int) -> None:
        table = self.world.registries[registry]
        self.world.until(f"{key} has {count} entries", lambda: len(table.lookup(key)) == count)

    def op_reg_await_count(self, registry: str, count: int) -> None:
        table = self.world.registries[registry]
        self.world.until(f"{registry} has {count} entries", lambda: table.count() == count)

    # -- names -------------------------------------------------------------------------

    def op_alive(self, target: str) -> None:
        self.note("alive", target, self.world.lives(target))

    def op_whereis(self, target: Any) -> None:
        self.note("whereis", target[1], otp.whereis(self.world.target(target)))

    def op_register(self, name: str) -> None:
        otp.register(name)
        self.note("register", name, True)

    # -- supervisors -------------------------------------------------------------------

    def _spec(self, spelled: Any) -> otp.ChildSpec:
        world = self.world
        if "supervisor" in spelled:
            return otp.child_spec(
                otp.Supervisor,
                self._specs(spelled["supervisor"]),
                id=spelled["id"],
                **self._flags(spelled),
                **self._settings(spelled["supervisor"]),
            )
        script = spelled.get("script", {})
        return otp.child_spec(
            actor_class(script),
            world,
            spelled["id"],
            script,
            id=spelled["id"],
            name=world.name(spelled.get("name")),
            **self._flags(spelled),
        )

    def _flags(self, spelled: Any) -> dict[str, Any]:
        flags: dict[str, Any] = {
            key: spelled[key] for key in ("restart", "significant") if key in spelled
        }
        if "shutdown" in spelled:
            shutdown = spelled["shutdown"]
            words = {"brutal_kill": otp.KILL, "infinity": None}
            flags["shutdown"] = (
                words[shutdown] if isinstance(shutdown, str) else self.world.seconds(shutdown)
            )
        return flags

    def _specs(self, spelled: Any) -> list[otp.ChildSpec]:
        return [self._spec(each) for each in spelled.get("children", ())]

    def _settings(self, spelled: Any) -> dict[str, Any]:
        known = ("strategy", "max_restarts", "auto_shutdown", "max_children")
        settings = {key: spelled[key] for key in known if key in spelled}
        if "max_seconds" in spelled:
            settings["max_seconds"] = spelled["max_seconds"] * self.world.scale
        return settings

    def _start_supervisor(self, event: str, label: str, cls: Any, *args: Any, **kw: Any) -> None:
        try:
            ref = otp.start_link(cls, *args, **kw)
        except otp.StartFailed as failed:
            self.note(event, label, ["error", failed.reason])
        else:
            self.world.enter(label, ref)
            self.note(event, label, ["ok", ref])

    def op_sup_start(self, label: str, spelled: Any) -> None:
        settings = self._settings(spelled)
        self._start_supervisor("sup_start", label, otp.Supervisor, self._specs(spelled), **settings)

    def op_sup_children(self, label: str) -> None:
        self.note("sup_children", label, self.world.target(label).children())

    def op_sup_children_set(self, label: str) -> None:
        self._children_set("sup_children", label)

    def _children_set(self, event: str, label: str) -> None:
        listed = self.world.encode(self.world.target(label).children())
        self.note(event, label, sorted(listed, key=json.dumps))

    def op_sup_count(self, label: str) -> None:
        self.note("sup_count", label, self.world.target(label).count_children())

    def op_sup_start_child(self, label: str, spelled: Any) -> None:
        try:
            ref = self.world.target(label).start_child(self._spec(spelled))
        except otp.StartFailed as failed:
            outcome = ["error", failed.reason]
        else:
            outcome = ["ok", "undefined" if ref is None else ref]
        self.note("sup_start_child", label, spelled["id"], outcome)

    def op_sup_terminate_child(self, label: str, child: str) -> None:
        self._about_child("sup_terminate_child", label, child, "terminate_child")

    def op_sup_delete_child(self, label: str, child: str) -> None:
        self._about_child("sup_delete_child", label, child, "delete_child")

    def op_sup_restart_child(self, label: str, child: str) -> None:
        self._about_child("sup_restart_child", label, child, "restart_child")

    def _about_child(self, event: str, label: str, child: str, verb: str) -> None:
        outcome: Any = "ok"
        try:
            ref = getattr(self.world.target(label), verb)(child)
            if ref is not None:
                outcome = ["ok", ref]
        except (otp.ChildError, otp.StartFailed) as error:
            outcome = ["error", error.reason]
        self.note(event, label, child, outcome)

    def op_dyn_start(self, label: str, spelled: Any) -> None:
        settings = self._settings(spelled)
        self._start_supervisor("dyn_start", label, otp.DynamicSupervisor, **settings)

    def op_dyn_start_child(self, label: str, spelled: Any) -> None:
        try:
            ref = self.world.target(label).start_child(self._spec(spelled))
        except otp.StartFailed as failed:
            outcome: Any = ["error", failed.reason]
        else:
            outcome = "ignore" if ref is None else ["ok", ref]
        self.note("dyn_start_child", label, spelled["id"], outcome)

    def op_dyn_terminate_child(self, label: str, child: str) -> None:
        outcome: Any = "ok"
        try:
            self.world.target(label).terminate_child(self.world.target(child))
        except otp.ChildError as error:
            outcome = ["error", error.reason]
        self.note("dyn_terminate_child", label, child, outcome)

    def op_dyn_children(self, label: str) -> None:
        self._children_set("dyn_children", label)

    def op_dyn_count(self, label: str) -> None:
        self.note("dyn_count", label, self.world.target(label).count_children())

    # -- registries --------------------------------------------------------------------

    def op_reg_start(self, label: str, keys: Any) -> None:
        self.world.registries[label] = otp.Registry(keys)

    def op_reg_register(self, label: str, key: str, value: Any) -> None:
        outcome: Any = "ok"
        try:
            self.world.registries[label].register(key, value)
        except otp.AlreadyRegisteredError as error:
            outcome = ["error", ["already_registered", error.holder]]
        self.note("reg_register", label, key, outcome)

    def op_reg_lookup(self, label: str, key: str) -> None:
        self.note("reg_lookup", label, key, self.world.registries[label].lookup(key))

    def op_reg_unregister(self, label: str, key: str) -> None:
        self.world.registries[label].unregister(key)
        self.note("reg_unregister", label, key, "ok")

    def op_reg_keys(self, label: str, target: Any) -> None:
        keys = self.world.registries[label].keys(self.world.target(target))
        self.note("reg_keys", label, target, sorted(map(str, keys)))

    def op_reg_count(self, label: str) -> None:
        self.note("reg_count", label, self.world.registries[label].count())

    def op_reg_update(self, label: str, key: str, value: Any) -> None:
        outcome: Any
        try:
            outcome = self.world.registries[label].update_value(key, lambda _: value)
        except KeyError:
            outcome = "error"
        self.note("reg_update", label, key, outcome)

    def op_reg_dispatch(self, label: str, key: str, message: Any) -> None:
        self.world.registries[label].dispatch(key, message)
        self.note("reg_dispatch", label, key, message, "ok")

    # -- tasks -------------------------------------------------------------------------

    def op_tasksup_start(self, label: str, options: Any = None) -> None:
        self.world.enter(label, otp.start_link(otp.TaskSupervisor, **(options or {})))

    def op_task(
        self, label: str, how: Any, operations: Sequence[Any], value: Any, options: Any = None
    ) -> None:
        known, play = threading.Event(), self._plain(label, operations, options, value)

        def start() -> Any:
            known.wait()  # or it could be heard of before anybody knows its name
            return play()

        try:
            if how == "async":
                task = otp.Task.async_(start)
            elif how[0] == "nolink":
                task = self.world.target(how[1]).async_nolink(start)
            else:
                task = self.world.target(how[1]).start_child(start)
        except otp.TooManyChildrenError as error:
            self.note("task", label, "raise", error)
            return
        except otp.StartFailed as failed:
            self.note("task", label, ["error", failed.reason])
            return
        self.world.tasks[label] = task
        self.world.enter(label, task)
        known.set()
        self.note("task", label, "started")

    def op_task_await(self, label: str, timeout: float = 5000) -> None:
        with noting_exit(self.world, self.who, "task_await", label):
            value = otp.Task.await_(self.world.tasks[label], self.world.seconds(timeout))
            self.note("task_await", label, ["ok", value])

    def op_task_yield(self, label: str, timeout: float) -> None:
        result = otp.Task.yield_(self.world.tasks[label], self.world.seconds(timeout))
        self.note("task_yield", label, result)

    def op_task_shutdown(self, label: str, timeout: Any) -> None:
        limit = otp.KILL if timeout == "brutal_kill" else self.world.seconds(timeout)
        self.note("task_shutdown", label, otp.Task.shutdown(self.world.tasks[label], limit))

    def op_task_stream(self, label: str, items: Sequence[Any], options: Any) -> None:
        options = dict(options)
        if "timeout" in options:
            options["timeout"] = self.world.seconds(options["timeout"])
        scale = self.world.scale

        def run(item: Any) -> Any:
            match item:
                case ["sleep", milliseconds, value]:
                    otp.sleep(milliseconds / 1000 * scale)
                    return value
                case ["val", value]:
                    return value
                case ["raise", text]:
                    raise RuntimeError(text)
                case ["exit", why]:
                    raise otp.Exit(reason(why))
            raise UnknownOperationError(item)

        with noting_exit(self.world, self.who, "task_stream"):
            stream = self.world.target(label).stream(run, items, **options)
            self.note("task_stream", list(stream))

    # -- a small source of events ------------------------------------------------------

    def op_sub_add(self, label: str) -> None:
        if any(each == label for each, _ in self.state):
            self.note("sub_add", label, "already")
            return
        monitor = otp.monitor(self.world.target(label))
        self.world.monitors[f"sub_{label}"] = monitor
        self.state = [*self.state, (label, monitor)]
        self.note("sub_add", label, "added")

    def op_sub_remove(self, label: str) -> None:
        found = [monitor for each, monitor in self.state if each == label]
        for monitor in found:
            otp.demonitor(monitor, flush=True)
        self.state = [entry for entry in self.state if entry[0] != label]
        self.note("sub_remove", label, "removed" if found else "absent")

    def op_sub_drop_down(self) -> None:
        gone = self.message.monitor_ref
        self.state = [entry for entry in self.state if entry[1] is not gone]

    def op_sub_emit(self, event: Any) -> None:
        for label, _ in self.state:
            otp.send(self.world.target(label), ["event", event])
        self.note("sub_emit", event, len(self.state))


def is_quiet(message: Any) -> bool:
    return isinstance(message, Mapping) and bool(message.get("quiet"))


def actor_class(script: Any) -> type[otp.GenServer]:
    return BareActor if script == "bare" else Actor


class BareActor(otp.GenServer):
    """An actor with nothing but the library's own callbacks."""

    def init(self, world: World, label: str, script: Any) -> otp.Ok:
        world.note(world.enter(label, self.actor_ref), "init")
        return otp.Ok()


class Actor(otp.GenServer):
    """An actor that does what its messages say."""

    def init(self, world: World, label: str, script: Any) -> Any:
        self._world = world
        self._script = script
        self._who = world.enter(label, self.actor_ref)
        otp.trap_exit(bool(script.get("trap_exit")))
        world.note(self._who, "init")
        todo = script.get("init", {})
        if isinstance(todo, list):
            todo = todo[min(world.incarnations(label), len(todo)) - 1]
        player = Player(world, self._who, state=script.get("state", []))
        player.play(todo.get("do", ()))
        match todo.get("ret", ["ok"]):
            case ["ok"]:
                return otp.Ok(player.state)
            case ["ok", extra]:
                return otp.Ok(player.state, **self._extra(extra))
            case ["stop", why]:
                return otp.Stop(reason(why))
            case ["ignore"]:
                return otp.Ignore()
            case ["bad", value]:
                return value

    def handle_continue(self, message: Any, state: Any) -> Any:
        return self._handle("handle_continue", message, state)

    def handle_call(self, message: Any, from_: otp.From, state: Any) -> Any:
        return self._handle("handle_call", message, state, from_)

    def handle_cast(self, message: Any, state: Any) -> Any:
        return self._handle("handle_cast", message, state)

    def handle_info(self, message: Any, state: Any) -> Any:
        return self._handle("handle_info", message, state)

    def terminate(self, reason: Any, state: Any) -> None:
        self._world.note(self._who, "terminate", reason)
        Player(self._world, self._who, state=state).play(self._script.get("terminate", ()))

    def _handle(
        self, callback: str, message: Any, state: Any, from_: otp.From | None = None
    ) -> Any:
        if not is_quiet(message):
            self._world.note(self._who, callback, message)
        todo = message if isinstance(message, Mapping) else self._script_for(message)
        player = Player(self._world, self._who, state=state, message=message, from_=from_)
        player.play(todo.get("do", ()))
        default = ["noreply"] if from_ is None else ["reply", "ok"]
        match todo.get("ret", default):
            case ["reply", value]:
                return otp.Reply(player.filled_in(value), player.state)
            case ["reply", value, extra]:
                return otp.Reply(player.filled_in(value), player.state, **self._extra(extra))
            case ["noreply"]:
                return otp.NoReply(player.state)
            case ["noreply", extra]:
                return otp.NoReply(player.state, **self._extra(extra))
            case ["stop", why]:
                return otp.Stop(reason(why), player.state)
            case ["stop", why, value]:
                return otp.Stop(reason(why), player.state, player.filled_in(value))
            case ["bad", value]:
                return value

    def _script_for(self, message: Any) -> Any:
        match message:
            case otp.Down():
                word = "DOWN"
            case otp.ExitMessage():
                word = "EXIT"
            case otp.TaskReply():
                word = "task_reply"
            case [str() as first, *_]:
                word = first
            case _:
                word = message
        return self._script.get("on", {}).get(word, {}) if isinstance(word, str) else {}

    def _extra(self, spelled: Any) -> dict[str, Any]:
        if spelled == "hibernate":
            return {"hibernate": True}
        if "timeout" in spelled:
            return {"timeout": self._world.seconds(spelled["timeout"])}
        return {"continue_": spelled["continue"]}
