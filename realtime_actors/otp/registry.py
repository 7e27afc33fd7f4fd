"""Registries: find processes by any key. What a process registered goes when it ends."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final, Literal

from attrs import evolve, frozen

from realtime_actors.errors import RealtimeError
from realtime_actors.otp import fork
from realtime_actors.otp.kernel.calls import Place, Target, deliver, process_of
from realtime_actors.otp.kernel.exits import NoProcessError
from realtime_actors.otp.kernel.handle import Handle
from realtime_actors.otp.kernel.options import check_instance, check_key, wrong
from realtime_actors.otp.kernel.process import Process, me, signals

__all__ = ["AlreadyRegisteredError", "Registry", "Via", "via"]


class AlreadyRegisteredError(RealtimeError, ValueError):
    """A unique key has a holder already: `holder` is its ref."""

    def __init__(self, key: Hashable, holder: Any) -> None:
        super().__init__(f"{key!r} is registered by {holder}")
        self.holder = holder


@frozen(eq=False)
class _Entry:
    process: Process
    value: Any


class Registry(Handle):
    """A table of processes: from a key to those who hold it, each with a value.

    With `"unique"` keys there is one holder of each, with `"duplicate"` keys as many as
    like, and the same process more than once. A registry is asked from any thread and
    waits for nobody; it is no process. Entries of a process are gone before anybody is
    told of its end.
    """

    def __init__(self, keys: Literal["unique", "duplicate"] = "unique") -> None:
        if keys not in ("unique", "duplicate"):
            raise wrong(keys, "keys", "'unique' or 'duplicate'")
        self._unique: Final = keys == "unique"
        # Changed under the lock of all control blocks, by whole tuples: so a look-up
        # takes no lock.
        self._entries: dict[Hashable, tuple[_Entry, ...]] = {}
        self._keys: dict[Process, tuple[Hashable, ...]] = {}
        fork.each_in_child(self, Registry._begin)

    def _begin(self) -> None:
        self._entries.clear()
        self._keys.clear()

    def register(self, key: Hashable, value: object = None) -> None:
        """Register the calling process. Raises `AlreadyRegisteredError` for a unique key."""
        process = me("register")
        holder = self._add(key, process, value)
        if holder is not None:
            raise AlreadyRegisteredError(key, holder.ref)

    def unregister(self, key: Hashable) -> None:
        """Take back all that the calling process registered under this key, if anything."""
        process = me("unregister")
        with signals:
            if process not in self._keys:
                return  # else its first entry, later, would pass for one of many
            self._keep(key, [each for each in self._at(key) if each.process is not process])
            self._keys[process] = tuple(each for each in self._keys_of(process) if each != key)
            process.names = tuple(each for each in process.names if not self._is_place(each, key))

    def update_value(self, key: Hashable, change: Callable[[Any], object]) -> tuple[object, object]:
        """Change the value of the calling process's own unique key. Gives (new, old).

        Raises `KeyError` if the process does not hold the key.
        """
        process = me("update_value")
        with signals:
            for entry in self._at(key):
                if self._unique and entry.process is process:
                    changed = evolve(entry, value=change(entry.value))
                    self._keep(key, [changed])
                    return changed.value, entry.value
        raise KeyError(key)

    def lookup(self, key: Hashable) -> tuple[tuple[Any, Any], ...]:
        """(ref, value) of all holders of a key, in the order in which they registered."""
        return tuple((each.process.ref, each.value) for each in self._at(key))

    def whereis(self, key: Hashable) -> Any:
        """The ref of the first holder of a key; None if nobody holds it."""
        entries = self._at(key)
        return entries[0].process.ref if entries else None

    def keys(self, target: Target) -> tuple[Hashable, ...]:
        """The keys of a process, in the order in which it registered them."""
        process = process_of(target)
        return () if process is None else self._keys_of(process)

    def count(self) -> int:
        """How many entries there are."""
        return sum(len(each) for each in list(self._entries.values()))

    def dispatch(self, key: Hashable, message: object) -> int:
        """Send a plain message to all holders of a key. Gives how many there were."""
        entries = self._at(key)
        for each in entries:
            deliver(each.process, message)
        return len(entries)

    def via(self, key: Hashable, value: object = None) -> Via:
        """The place of a key, to be used as a name: `otp.start(Cls, name=registry.via(7))`."""
        return Via(self, key, value)

    def _at(self, key: Hashable) -> tuple[_Entry, ...]:
        return self._entries.get(key, ())

    def _keys_of(self, process: Process) -> tuple[Hashable, ...]:
        return self._keys.get(process, ())

    def _is_place(self, name: object, key: Hashable) -> bool:
        return isinstance(name, Via) and name.registry is self and name.key == key

    def _keep(self, key: Hashable, entries: list[_Entry]) -> None:
        if entries:
            self._entries[key] = tuple(entries)
        else:
            self._entries.pop(key, None)

    def _add(self, key: Hashable, process: Process, value: object) -> Process | None:
        """Register a process, or say who is registered."""
        with signals:
            if process.dead:
                raise NoProcessError(f"{process.label} has ended")
            there = self._at(key)
            if there and self._unique:
                return there[0].process
            self._entries[key] = (*there, _Entry(process, value))
            if process not in self._keys:
                process.farewell = (*process.farewell, lambda: self._forget(process))
            self._keys[process] = (*self._keys_of(process), key)
            return None

    def _forget(self, process: Process) -> None:
        with signals:
            for key in self._keys.pop(process, ()):
                self._keep(key, [each for each in self._at(key) if each.process is not process])


@frozen
class Via(Place):
    """A key of a registry, wherever a name may be given."""

    registry: Registry
    key: Hashable
    value: Any = None
    """What is registered with it, when a process is started under this name."""

    def __attrs_post_init__(self) -> None:
        check_instance(self.registry, "the registry", Registry)
        check_key(self.key, "the key")

    def __str__(self) -> str:
        """The key, as people read it."""
        return str(self.key)

    def find(self) -> Process | None:
        """The process that holds the key now."""
        entries = self.registry._at(self.key)
        return entries[0].process if entries else None

    def take(self, process: Process) -> Process | None:
        """Register a process under the key, or say who is."""
        return self.registry._add(self.key, process, self.value)


def via(registry: Registry, key: Hashable, value: object = None) -> Via:
    """The place of a key in a registry, to be used as a name."""
    return Via(registry, key, value)
