"""Drives the library through the operations of `otp_traces.json`, and notes what happens.

The vocabulary is described in the file itself, under `about.vocabulary`. Only what is
public is used: what a scenario sees is what a user would see.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import Any, Final

import pykka.messages

from realtime_actors import otp
from realtime_actors.otp.kernel.calls import deliver, deliver_inline, process_of
from realtime_actors.otp.kernel.mailbox import CAST
from tests.otp.operations import Publishing, Registering, Tasking
from tests.otp.world import PATIENCE_SECONDS, World, is_quiet, noting_exit, reason

__all__ = ["Actor", "BareActor", "Player"]


class Player(Registering, Tasking, Publishing):
    """A participant that knows the whole vocabulary."""

    @staticmethod
    def actor_class(script: Any) -> type[otp.GenServer]:
        return BareActor if script == "bare" else Actor

    # -- actors and messages -----------------------------------------------------------

    def op_start(self, label: str, script: Any, options: Any = None) -> None:
        options = options or {}
        start = otp.start_link if options.get("link") else otp.start
        try:
            ref = start(
                self.actor_class(script),
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

    def op_call(self, target: Any, message: Any, timeout: float = 3000) -> None:
        with noting_exit(self.world, self.who, "call", message):
            self._call(target, message, timeout)

    def op_call_loudly(self, target: Any, message: Any, timeout: float = 3000) -> None:
        self._call(target, message, timeout)

    def _call(self, target: Any, message: Any, timeout: float) -> None:
        seconds = self.world.seconds(timeout)
        with self.world.no_inline_turns() if waits(message) else nullcontext():
            answer = otp.call(self.world.target(target), message, seconds)
        if not is_quiet(message):
            self.note("call", message, "reply", answer)

    def op_cast(self, target: Any, message: Any) -> None:
        process = process_of(self.world.target(target))
        if process is not None:
            self._deliver(message)(process, (CAST, message))
        if not is_quiet(message):
            self.note("cast", message, "ok")

    def op_send(self, target: Any, message: Any) -> None:
        try:
            send = otp.send if self._deliver(message) is deliver else otp.send_inline
            send(self.world.target(target), message)
        except otp.NoProcessError:
            self.note("send", message, "raise", {"raised": "ArgumentError"})
        else:
            if not is_quiet(message):
                self.note("send", message, "ok")

    def _deliver(self, message: Any) -> Callable[[Any, Any], None]:
        """How a message is brought to an actor: what has to wait for something is not inline."""
        return deliver_inline if self.world.inline and not waits(message) else deliver

    def op_save_from(self, label: str) -> None:
        assert self.from_ is not None
        self.world.froms[label] = self.from_

    def op_reply(self, label: str, value: Any) -> None:
        value = self.filled_in(value)
        otp.reply(self.world.froms[label], value)
        self.note("reply", label, value)

    def op_stop(self, target: Any, why: Any = "normal", timeout: Any = None) -> None:
        seconds = self.world.seconds(timeout)
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
        flags = dict.fromkeys(options, True)  # flush, info
        self.note("demonitor", label, otp.demonitor(monitor, **flags))

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
        messages: list[Any] = []
        with suppress(TimeoutError):
            for _ in range(count):
                messages.append(otp.receive(self.world.seconds(timeout)))
        self.note("got_set", messages)

    def op_mailbox(self) -> None:
        self.note("mailbox", otp.messages())

    # -- inside a handler --------------------------------------------------------------

    def op_log(self, what: Any) -> None:
        self.note("log", self.filled_in(what))

    def op_log_state(self) -> None:
        self.note("state", self.state)

    def op_log_where(self, prefix: str) -> None:
        self.note("log", prefix, otp.self_())

    def op_put(self, value: Any) -> None:
        self.state = self.filled_in(value)

    def op_add(self, value: Any) -> None:
        self.state = [*self.state, self.filled_in(value)]

    def op_raise(self, text: str) -> None:
        raise RuntimeError(text)

    def op_exit(self, why: Any) -> None:
        raise otp.Exit(reason(self.filled_in(why)))

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
        ref = self.world.target(target)

        def waiting() -> int:
            found = (info for _, info in otp.observe().walk() if info.ref is ref)
            return sum(info.mailbox for info in found)

        self.world.until(f"{count} messages wait for {target}", lambda: waiting() >= count)

    def op_join(self, label: str) -> None:
        self.op_await_dead(label)

    def op_settle(self, target: Any) -> None:
        """Wait for the answer to a question that its handlers don't see."""
        question = pykka.messages.ProxyGetAttr(("actor_urn",))
        otp.call(self.world.target(target), question, PATIENCE_SECONDS)

    def op_settle_sup(self, target: Any) -> None:
        # Twice: what it has queued meanwhile for itself is before the second question.
        for _ in range(2):
            self.world.target(target).children()

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
        try:
            otp.register(name)
        except ValueError as error:
            self.note("register", name, "raise", error)
        else:
            self.note("register", name, True)


NEVER_WAIT: Final = frozenset(
    {
        *("add", "alive", "cancel_timer", "cast", "demonitor", "exit", "exit_signal", "link"),
        *("log", "log_state", "log_where", "monitor", "put", "raise", "read_timer", "register"),
        *("reply", "save_from", "send", "send_after", "sub_add", "sub_drop_down", "sub_emit"),
        *("sub_remove", "trap_exit", "unlink", "whereis"),
    }
)
"""Operations that wait for nothing: handlers of these may run in any thread."""


def waits(message: Any) -> bool:
    """Whether what a message, or a script, tells an actor to do includes waiting."""
    todo = message.get("do", ()) if isinstance(message, Mapping) else ()
    return any(name not in NEVER_WAIT for name, *_ in todo)


class BareActor(otp.GenServer):
    """An actor with nothing but the library's own callbacks."""

    inline = True

    def init(self, world: World, label: str, script: Any) -> otp.Ok:
        world.note(world.enter(label, self.actor_ref), "init")
        return otp.Ok()


class Actor(otp.GenServer):
    """An actor that does what its messages say."""

    inline = True  # nothing is sent inline unless the world says so

    def init(self, world: World, label: str, script: Any) -> Any:
        self._world = world
        self._own_thread = threading.get_ident()
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

    def lends_turn(self) -> bool:
        return self._world.lends_turns and not any(map(waits, self._script.get("on", {}).values()))

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
        self._world.inline_turns += threading.get_ident() != self._own_thread
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
                return otp.Stop(reason(player.filled_in(why)), player.state)
            case ["stop", why, value]:
                why = reason(player.filled_in(why))
                return otp.Stop(why, player.state, player.filled_in(value))
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
