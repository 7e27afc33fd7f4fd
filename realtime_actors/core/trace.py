"""A conversation as the core saw it, to be played again: one JSON object a line.

    {"settings": {...}, "agent": "Desk", ...}             how the machine was made
    {"at": 0.031, "server": {"type": "session.created"}}  what the server said, as it came
    {"at": 0.032, "told": {"$": "Connected"}}             anything else that it was told
    {"settings": {...}, ...}                              its supervisor has started it again

The machine is deterministic, so the same lines give the same effects: that is how an
incident is looked into, and how it becomes a test. Agents, tools and handoffs are
known by name; what their code found out is in the lines.

A trace holds what was said. It is written where the program asks for it, nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import attrs

from realtime_actors import items
from realtime_actors.agent import Agent
from realtime_actors.core import messages as core_messages
from realtime_actors.core.contract import Phase
from realtime_actors.core.effects import (
    Answer,
    CallHook,
    CancelTimer,
    Effects,
    Publish,
    Refuse,
    Send,
    SetGate,
    SetTimer,
)
from realtime_actors.core.machine import SessionMachine
from realtime_actors.core.records import Cast, as_text, encode, heard, said
from realtime_actors.core.setup import Setup
from realtime_actors.errors import ConfigError
from realtime_actors.events import EventInfo
from realtime_actors.protocol import ServerEvent
from realtime_actors.snapshot import Snapshot
from realtime_actors.usage import SessionUsage

__all__ = ["TracedMachine", "as_text", "describe", "replay"]

_PLAIN: Final = (
    "session_type",
    "attached",
    "max_message_bytes",
    "playback_reported",
    "model",
    "seed",
)
"""What of a setup is plain data."""


class TracedMachine:
    """A machine that writes down all that it is told, and does what it always does."""

    def __init__(
        self, machine: SessionMachine, write: Callable[[Mapping[str, Any]], object]
    ) -> None:
        """`write` takes a line as plain data (`as_text` makes text of it), and never raises."""
        self._machine = machine
        self._write = write
        self._write(
            {
                "agent": encode(machine.setup.agent),
                "settings": encode(machine.setup.settings),
                # Of the settings it has what the program wrote: above is what came of it.
                "config": encode(attrs.evolve(machine.setup.config, model_settings={})),
                **{name: getattr(machine.setup, name) for name in _PLAIN},
            }
        )

    @property
    def phase(self) -> Phase:
        """See `SessionMachine.phase`."""
        return self._machine.phase

    @property
    def info(self) -> EventInfo:
        """See `SessionMachine.info`."""
        return self._machine.info

    @property
    def history(self) -> Snapshot[items.Item]:
        """See `SessionMachine.history`."""
        return self._machine.history

    @property
    def current_agent(self) -> Agent:
        """See `SessionMachine.current_agent`."""
        return self._machine.current_agent

    @property
    def usage(self) -> SessionUsage:
        """See `SessionMachine.usage`."""
        return self._machine.usage

    def handle(self, message: core_messages.Message | ServerEvent, now: float) -> Effects:
        """See `SessionMachine.handle`."""
        self._write(_line(message, now))
        return self._machine.handle(message, now)


def _line(message: object, now: float) -> Mapping[str, Any]:
    at = round(now, 6)
    try:
        if isinstance(message, ServerEvent):
            return {"at": at, "server": said(message)}
        return {"at": at, "told": encode(message)}
    except Exception as error:  # a program may say anything: a mapping that holds itself
        return {"at": at, "lost": f"{type(message).__name__}: {type(error).__name__}"}


def replay(lines: Iterable[str]) -> Iterator[tuple[float, object, Effects]]:
    """Play a trace again: each message with its time and what the core makes of it.

    Where the session was started again, the machine is. Raises `ConfigError` for what is
    no trace.
    """
    cast = Cast()
    machine: SessionMachine | None = None
    for number, text in enumerate(lines, 1):
        try:
            line = json.loads(text)
            if machine is None or "settings" in line:
                cast = Cast()
                machine = _machine(line, cast)
                continue
            at = float(line["at"])
            message = heard(line["server"]) if "server" in line else cast.decode(line["told"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(f"line {number} is not one of a trace: {error!r}") from error
        yield at, message, machine.handle(message, at)


def describe(effects: Effects) -> Iterator[str]:
    """What is to be done, a line each, without what was said."""
    for effect in effects:
        match effect:
            case Publish(event=event):
                yield f"publish {event.type} {_ids(event)}".rstrip()
            case Send(event=event):
                kind = event.type or str(getattr(event, "payload", {}).get("type"))
                yield f"send {kind} {_ids(event)}".rstrip()
            case Answer(caller=None) | Refuse(caller=None):
                yield type(effect).__name__.lower()
            case CallHook(method=method):
                yield f"hook {method}"
            case SetGate(gate=gate):
                yield "gate open" if gate.open else f"gate closed: {gate.reason}"
            case SetTimer(key=key, delay=delay):
                yield f"timer {key} {delay:g} s"
            case CancelTimer(key=key):
                yield f"no timer {key}"
            case _:
                yield f"{type(effect).__name__} {_ids(effect)}".rstrip()


def _ids(event: object) -> str:
    names = ("response_id", "item_id", "call_id", "status", "heard_ms", "audio_end_ms", "change")
    known = ((name, getattr(event, name, None)) for name in names)
    return " ".join(f"{name}={value}" for name, value in known if value is not None)


def _machine(header: Mapping[str, Any], cast: Cast) -> SessionMachine:
    setup = Setup(
        agent=cast.decode(header["agent"]),
        settings=cast.decode(header["settings"]),
        config=cast.decode(header["config"]),
        **{name: header[name] for name in _PLAIN if name in header},
    )
    return SessionMachine(setup)
