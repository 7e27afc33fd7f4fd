"""The command `top`: the processes of a running program, as they are now."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from realtime_actors.console import look

__all__ = ["run_top"]

STATUS_STYLE = {"running": "green", "waiting": "yellow", "idle": "dim", "detached": "red"}


def run_top(path: Path, *, interval: float, once: bool) -> None:
    """Show the program's processes every `interval` seconds, until it or the user ends it."""
    console = Console()
    table = _table(look(path), {})
    if once:
        console.print(table)
        return
    with Live(table, console=console, screen=True, auto_refresh=False) as live:
        before: dict[str, tuple[float, int]] = {}
        while True:
            snapshot = look(path)
            live.update(_table(snapshot, before), refresh=True)
            before = {row["label"]: (snapshot["at"], row["handled"]) for _, row in _walk(snapshot)}
            time.sleep(interval)


def _table(snapshot: Mapping[str, Any], before: Mapping[str, tuple[float, int]]) -> Table:
    rows = list(_walk(snapshot))
    at = datetime.datetime.fromtimestamp(snapshot["at"]).strftime("%H:%M:%S")
    detached = snapshot["detached"]
    title = f"{at}   {len(rows)} processes, {len(detached)} detached"
    table = Table(title=title, title_justify="left", box=None, header_style="bold", expand=True)
    table.add_column("process", no_wrap=True, ratio=2, min_width=22)
    table.add_column("kind")
    table.add_column("names", no_wrap=True, ratio=1, min_width=10)
    table.add_column("status")
    for name in ("mailbox", "handled", "per s", "dropped", "restarts", "age"):
        table.add_column(name, justify="right")
    for depth, row in (*rows, *((0, row) for row in detached)):
        table.add_row(
            "  " * depth + row["label"],
            row["kind"],
            ", ".join(row["names"]),
            f"[{STATUS_STYLE.get(row['status'], '')}]{row['status']}[/]",
            str(row["mailbox"]),
            str(row["handled"]),
            _rate(row, snapshot["at"], before),
            str(row["dropped"] or ""),
            str(row["restarts"] or ""),
            _age(snapshot["at"] - row["since"]),
        )
    return table


def _walk(snapshot: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    todo = [(0, row) for row in reversed(snapshot["roots"])]
    while todo:
        depth, row = todo.pop()
        yield depth, row
        todo.extend((depth + 1, child) for child in reversed(row["children"]))


def _rate(row: Mapping[str, Any], at: float, before: Mapping[str, tuple[float, int]]) -> str:
    then, handled = before.get(row["label"], (at, 0))
    return f"{(row['handled'] - handled) / (at - then):.0f}" if at > then else ""


def _age(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
