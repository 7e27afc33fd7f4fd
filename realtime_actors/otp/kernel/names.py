"""Names: one table for the whole program, from a word to a process."""

from __future__ import annotations

from realtime_actors.otp.kernel.calls import Name, Place, Target, process_of
from realtime_actors.otp.kernel.exits import NoProcessError
from realtime_actors.otp.kernel.options import wrong
from realtime_actors.otp.kernel.process import Process, me, names, signals

__all__ = ["check_name", "claim", "register", "registered", "unregister"]


def check_name(name: object) -> None:
    """Refuse what is neither a name nor None."""
    if name is not None and (name == "" or not isinstance(name, str | Place)):
        raise wrong(name, "name", "a text, a place in a registry (otp.via), or None")


def claim(name: Name, process: Process) -> Process | None:
    """Take a name for a process. Gives the holder if there is one already."""
    with signals:
        if not isinstance(name, str):
            holder = name.take(process)
            if holder is None:
                process.names = (*process.names, name)
            return holder
        holder = names.setdefault(name, process)
        if holder is not process:
            return holder
        process.names = (*process.names, name)
        return None


def register(name: str, target: Target | None = None) -> None:
    """Give a process (None: the caller's own) a name, until it ends.

    Raises `ValueError` if another process has that name, `NoProcessError` if the process is gone.
    """
    if not name or not isinstance(name, str):
        raise wrong(name, "name", "a text")
    process = me("register") if target is None else process_of(target)
    with signals:
        if process is None or process.dead:
            raise NoProcessError(f"{target!r} has ended")
        holder = names.get(name)
        if holder is not None:
            raise ValueError(f"{name!r} is the name of {holder.label}")
        claim(name, process)


def unregister(name: str) -> None:
    """Free a name. Does nothing if nobody has it."""
    with signals:
        process = names.pop(name, None)
        if process is not None:
            process.names = tuple(each for each in process.names if each != name)


def registered() -> tuple[str, ...]:
    """All names that are taken now."""
    return tuple(names)
