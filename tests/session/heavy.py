"""Tools that run in a process: it finds them in this module."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import realtime_actors as ra
from realtime_actors.items import InputImage


@ra.tool(run_in="process")
def process_id() -> int:
    print("this is no answer")
    return os.getpid()


@ra.tool(run_in="process")
def add(one: int, other: int) -> int:
    return one + other


@ra.tool(run_in="process")
def fail() -> str:
    raise LookupError("no such thing")


@ra.tool(run_in="process")
def refuse() -> str:
    raise ra.ToolError("not today")


@ra.tool(run_in="process")
def vanish() -> str:
    os._exit(7)


@ra.tool(run_in="process")
def draw() -> list[object]:
    return ["a dot", InputImage(image_url="data:image/png;base64,AAAA", detail="low")]


@ra.tool(run_in="process", timeout=60)
def for_ever(started: str) -> str:
    """Run until somebody ends it. Args: started: the file that says so."""
    Path(started).write_text(str(os.getpid()))
    while True:
        time.sleep(0.01)


@ra.tool(run_in="process", timeout=60)
def wait_for(started: str, go: str) -> str:
    """Run until a file is there. Args: started: the file that says so. go: that one."""
    Path(started).touch()
    while not Path(go).exists():
        time.sleep(0.01)
    return "done"


@ra.tool(run_in="process")
def read_all() -> str:
    return f"{sys.stdin.read() or 'nothing'}, and {sys.stdin.readline() or 'no more'}"


@ra.tool(run_in="process")
def read_descriptor() -> str:
    return f"{os.read(0, 100).decode() or 'nothing'}, and {input_or('no more')}"


def input_or(default: str) -> str:
    try:
        return input()
    except EOFError:
        return default


@ra.tool(run_in="process")
def let_others_read() -> str:
    done = subprocess.run(["cat"], stdout=subprocess.PIPE, timeout=10, check=True)
    return f"{done.stdout.decode() or 'nothing'}, and {input_or('no more')}"


def double(arguments: dict[str, int]) -> int:
    return 2 * arguments["number"]


handmade = ra.Tool(
    name="twice",
    parameters={"type": "object", "properties": {"number": {"type": "integer"}}},
    invoke=double,
    run_in="process",
)


def plain(number: int) -> int:
    return -number


renamed = ra.tool(name="negative", run_in="process")(plain)


def subtract(one: int, other: int) -> int:
    return one - other
