"""The conversation in the terminal: finished lines above, who is speaking now below."""

from __future__ import annotations

import audioop
import json
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from realtime_actors.cli.demo.script import Check
from realtime_actors.recording import Handoff, Note, Problem, Timeline, ToolCall, Turn

__all__ = ["View", "show_checks"]

METER = " ▁▂▃▄▅▆▇█"
NAME_WIDTH = 13
LONGEST_OUTPUT = 110
"""Characters of a tool's output: the agent will say it anyway."""


class View:
    """Shows a conversation as it happens. Without a terminal, only the finished lines."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=12, transient=True)
        self._level = 0.0
        self._shown: set[object] = set()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    def update(self, timeline: Timeline, frame: bytes = b"") -> None:
        """Show what is new in a conversation that has come so far.

        `frame` is what the caller is saying at this moment.
        """
        over = [
            turn for turn in timeline.turns if turn.complete and turn.ends_at <= timeline.length
        ]
        lines: list[tuple[float, object]] = [
            *((turn.starts_at, turn) for turn in over),
            *((call.starts_at, call) for call in timeline.tool_calls),
            *((handoff.at, handoff) for handoff in timeline.handoffs),
            *((note.at, note) for note in timeline.notes),
            *((problem.at, problem) for problem in timeline.problems),
        ]
        for at, line in sorted(lines, key=lambda entry: entry[0]):
            # A turn's text can still change after it was shown: its id can't.
            key = line.id if isinstance(line, Turn) else line
            if key not in self._shown:
                self._shown.add(key)
                self._line(at, line)
        self._now(timeline, frame)

    def _line(self, at: float, line: object) -> None:
        name, color, text = _described(line)
        # A grid of its own for each line keeps the columns, and wraps long texts in theirs.
        grid = Table.grid(padding=(0, 2))
        grid.add_column(width=6, justify="right", style="dim")
        grid.add_column(width=NAME_WIDTH, style=f"bold {color}", no_wrap=True)
        grid.add_column(ratio=1)
        grid.add_row(f"{int(at) // 60}:{at % 60:04.1f}", escape(name), text)
        self._console.print(grid)

    def _now(self, timeline: Timeline, frame: bytes) -> None:
        level = (audioop.rms(frame, 2) / 8192) ** 0.5 if frame else 0.0
        self._level = max(level, 0.7 * self._level)
        status = Text(f"  {timeline.length:6.1f}  ", style="dim")
        status.append("Caller ", style="dim blue")
        status.append(METER[min(len(METER) - 1, int(self._level * len(METER)))] * 3, style="blue")
        now = timeline.length
        for turn in timeline.turns_of("agent"):
            if turn.starts_at <= now < turn.ends_at:
                status.append(f"  {turn.name} ", style="bold green")
                status.append(turn.text, style="dim italic")
        status.truncate(self._console.width - 1, overflow="ellipsis")
        self._live.update(status)


def _is_over(turn: Turn, now: float) -> bool:
    return turn.complete and turn.ends_at <= now


def _described(line: object) -> tuple[str, str, Text]:
    """Name, colour and text of a line."""
    match line:
        case Turn():
            text = Text(line.heard_text or "(nothing recognised)")
            if line.cut_short:
                text.append("…  ✂ barge-in", style="bold red")
            if line.latency_ms is not None:
                text.append(f"  {line.latency_ms / 1000:.2f} s", style="dim")
            return line.name, "blue" if line.speaker == "caller" else "green", text
        case ToolCall():
            text = Text(f"{line.name}({_arguments(line)}) → ", style="yellow")
            text.append(_short(line.error or line.output), style="red" if line.error else "dim")
            return "tool", "yellow", text
        case Handoff():
            text = Text(f"{line.from_agent} → {line.to_agent}", style="magenta")
            return "handoff", "magenta", text
        case Note():
            return line.kind, "cyan", Text(line.text)
        case Problem():
            return "problem", "red", Text(line.message)
        case _:
            raise TypeError(f"no line for {line!r}")


def _arguments(call: ToolCall) -> str:
    """A call's arguments as Python would write them; as they came, if they are no object."""
    try:
        members = json.loads(call.arguments or "{}")
    except ValueError:
        return call.arguments
    if not isinstance(members, dict):
        return call.arguments
    return ", ".join(f"{name}={value!r}" for name, value in members.items())


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_OUTPUT else text[: LONGEST_OUTPUT - 1].rstrip() + "…"


def show_checks(console: Console, checks: tuple[Check, ...]) -> None:
    """What had to happen, and whether it did."""
    for check in checks:
        mark = "[green]✓[/]" if check.passed else "[bold red]✗[/]"
        console.print(f"  {mark} {escape(check.what)}: [dim]{escape(check.detail)}[/]")
