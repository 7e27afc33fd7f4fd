"""Actors and `os.fork`: they stay with the parent.

A child of `os.fork` (and of multiprocessing's "fork") has one thread, a copy of the one
that forked. The threads of all actors, timers and connections are the parent's, and so is
what they work on. So the child begins anew: the tables are empty, what the handles of the
parent stand for is dead, and its copies of the parent's sockets are let go. Code that has
something to forget registers that here.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar
from weakref import WeakKeyDictionary

__all__ = ["Lock", "each_in_child", "hold_over_fork", "in_child", "lives_elsewhere"]

log = logging.getLogger("realtime_actors.otp")

T = TypeVar("T")


class Lock(Protocol):
    """A lock, as of `threading` or `_thread`."""

    def acquire(self) -> bool: ...

    def release(self) -> None: ...


_held: Final[list[Lock]] = []
_steps: Final[list[Callable[[], object]]] = []
_owners: Final[WeakKeyDictionary[Any, Callable[[Any], object]]] = WeakKeyDictionary()
_process_id = os.getpid()


def hold_over_fork(lock: Lock) -> None:
    """Hold a lock while the program forks, so that the child finds it free.

    For locks that are held for a moment only: the fork waits for them.
    """
    _held.append(lock)


def in_child(step: Callable[[], object]) -> None:
    """Call `step` first of all in a child of fork. In order, before those of `each_in_child`."""
    _steps.append(step)


def each_in_child(owner: T, step: Callable[[T], object]) -> None:
    """Call `step(owner)` in a child of fork, as long as the owner is in use.

    The owner is held weakly: what is no longer in use has nothing to forget.
    """
    _owners[owner] = step


def lives_elsewhere(what: str) -> str:
    """Return a sentence for errors in a child of fork: where a thing of its parent is."""
    return f"{what} lives in process {_process_id}, which forked this one ({os.getpid()})"


def _before() -> None:
    for lock in _held:
        lock.acquire()


def _after() -> None:
    for lock in reversed(_held):
        lock.release()


def _begin_anew() -> None:
    global _process_id
    try:
        for step in _steps:
            _try(step)
        for owner, forget in list(_owners.items()):
            _try(forget, owner)
        _owners.clear()
    finally:
        _process_id = os.getpid()
        _after()


def _try(step: Callable[..., object], *args: object) -> None:
    try:
        step(*args)
    except Exception:  # the others still have something to forget
        log.exception("a child of fork could not forget something of its parent")


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_begin_anew)
