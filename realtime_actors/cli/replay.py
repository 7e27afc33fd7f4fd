"""The command `replay`: what the core makes of a trace, message by message."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from realtime_actors.errors import ConfigError
from realtime_actors.protocol import ServerEvent
from realtime_actors.tracing import describe, replay

__all__ = ["replayed", "run_replay"]


def run_replay(path: Path) -> None:
    """Print a trace as it is played again."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    for line in replayed(lines):
        print(line)


def replayed(lines: list[str]) -> Iterator[str]:
    """Each message with its time, and below it what is to be done."""
    start: float | None = None
    for at, message, effects in replay(lines):
        start = at if start is None else start
        name = message.type if isinstance(message, ServerEvent) else _name(message)
        yield f"{at - start:9.3f}  {name}"
        for effect in describe(effects):
            yield f"           -> {effect}"


def _name(message: object) -> str:
    verb = getattr(message, "verb", message)
    keys = (getattr(verb, name, None) for name in ("call_id", "item_id", "key"))
    return " ".join([type(verb).__name__, *(str(key) for key in keys if key is not None)])
