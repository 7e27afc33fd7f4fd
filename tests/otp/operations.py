"""Operations of the vocabulary that concern supervisors, registries, tasks and subscribers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from attrs import evolve

from realtime_actors import otp
from tests.otp.world import UnknownOperationError, World, noting_exit, reason


class Participant:
    """Somebody who carries out operations, in whatever process it is in."""

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
        """A value of a scenario, with the state where it says `$state`."""
        if isinstance(value, list):
            return [self.filled_in(each) for each in value]
        return self.state if isinstance(value, str) and value == "$state" else value

    def _plain(
        self, label: str, operations: Sequence[Any], options: Any, value: Any
    ) -> Callable[[], Any]:
        """The life of a plain process: some operations, then a value."""
        world, participant = self.world, type(self)

        def play() -> Any:
            otp.trap_exit(bool(options and options.get("trap_exit")))
            participant(world, label).play(operations)
            return value

        return play

    @staticmethod
    def actor_class(script: Any) -> type[otp.GenServer]:
        """The class of the actors that follow a script."""
        raise NotImplementedError


class Supervising(Participant):
    """What is asked of supervisors."""

    def _spec(self, spelled: Any) -> otp.ChildSpec:
        world = self.world
        if "supervisor" in spelled:
            label = spelled.get("id")
            spec = otp.child_spec(
                otp.Supervisor,
                self._specs(spelled["supervisor"]),
                id=label,  # or else the name of its class
                **self._flags(spelled),
                **self._settings(spelled["supervisor"]),
            )
            if label is None:
                return spec
            return evolve(spec, start=lambda: world.entered(label, spec.start()))
        script = spelled.get("script", {})
        return otp.child_spec(
            self.actor_class(script),
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


class Registering(Participant):
    """What is asked of registries."""

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


class Tasking(Supervising):
    """What is asked of tasks."""

    def op_tasksup_start(self, label: str, options: Any = None) -> None:
        settings = self._settings(options or {})
        self.world.enter(label, otp.start_link(otp.TaskSupervisor, **settings))

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
        with noting_exit(self.world, self.who, "task_await", label), self._own("task_await", label):
            value = otp.Task.await_(self.world.tasks[label], self.world.seconds(timeout))
            self.note("task_await", label, ["ok", value])

    def op_task_yield(self, label: str, timeout: float = 5000) -> None:
        with self._own("task_yield", label):
            result = otp.Task.yield_(self.world.tasks[label], self.world.seconds(timeout))
            self.note("task_yield", label, result)

    def op_task_shutdown(self, label: str, timeout: Any = 5000) -> None:
        limit = otp.KILL if timeout == "brutal_kill" else self.world.seconds(timeout)
        with self._own("task_shutdown", label):
            self.note("task_shutdown", label, otp.Task.shutdown(self.world.tasks[label], limit))

    @contextmanager
    def _own(self, operation: str, label: str) -> Iterator[None]:
        """Note the error of asking for the task of another process."""
        try:
            yield
        except ValueError as error:
            self.note(operation, label, "raise", error)

    def op_task_children(self, label: str) -> None:
        listed = self.world.encode(self.world.target(label).children())
        self.note("task_children", label, sorted(listed))

    def op_task_terminate(self, label: str, task: str) -> None:
        outcome: Any = "ok"
        try:
            self.world.target(label).terminate_child(self.world.target(task))
        except otp.ChildError as error:
            outcome = ["error", error.reason]
        self.note("task_terminate", label, task, outcome)

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


class Publishing(Participant):
    """A small source of events, whose state is its subscribers."""

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
