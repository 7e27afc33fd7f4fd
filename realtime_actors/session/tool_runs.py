"""A tool call that is running, and how to end it; and calls that run in a process.

The other process is told where to find the function and what the model wrote, as a line
of JSON, and answers with a line of JSON: nothing is pickled. It is made for one call, so
that ending it harms no other, and nothing of it stays.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from attrs import asdict

from realtime_actors.errors import ToolError
from realtime_actors.items import InputImage
from realtime_actors.tools import Tool, ToolOutput, tool

if TYPE_CHECKING:
    from subprocess import Popen

    from realtime_actors import otp

__all__ = ["ToolRun", "serve"]

_PROGRAM: Final = """\
import json, sys
request = json.loads(sys.stdin.buffer.readline())
sys.path[:] = request["path"]
from realtime_actors.session.tool_runs import serve
serve(request)
"""


class ToolRun:
    """One running call, as the session and the task that runs it share it."""

    def __init__(self) -> None:
        self.task: otp.TaskRef | None = None
        self.cancelled = False
        """Nobody waits for it any more."""
        # Each of these is written by one thread: the tool's, and the session's.
        self.progress_told = 0
        self.progress_heard = 0
        self._process: Popen[bytes] | None = None

    def cancel(self) -> None:
        """End the call as far as that can be done: a thread is told, a process is killed."""
        self.cancelled = True
        if self._process is not None:
            self._process.kill()
        if self.task is not None:
            # Here, because the other process needs no actors. Not `task.kill()`, which a
            # session that was killed itself may not do any more.
            from realtime_actors.otp.kernel.ends import kill

            kill(self.task._process)

    def in_process(self, tool: Tool, arguments: str) -> ToolOutput:
        """Run a tool in a process of its own. Raises like `Tool.run`."""
        import subprocess  # here, because few programs need it and it costs some milliseconds

        tool.bind(arguments)  # what doesn't fit needs no process
        if getattr(sys, "frozen", False) or not sys.executable:
            raise ToolError("no Python to start: this program is frozen, or embeds its Python")
        request = {
            "path": sys.path,
            "module": tool.function.__module__,
            "function": tool.function.__name__,
            "by_name": tool.is_described_by_signature,
            "arguments": arguments,
        }
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        if self.cancelled:  # before there was a process to kill
            process.kill()
        try:
            with contextlib.suppress(BrokenPipeError):  # what it ended with says why
                process.stdin.write(json.dumps(request).encode() + b"\n")
                process.stdin.flush()
            answer = process.stdout.read()
        finally:
            process.stdout.close()
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()  # which ends it, whatever it may still be doing
            status = process.wait()
        if not answer:
            raise ToolError(f"the process of the tool ended with status {status}")
        return _output(json.loads(answer))


def serve(request: Mapping[str, Any]) -> None:
    """Be the other process: run one call, and answer it."""
    # Ctrl-C and the like are for the program, which ends us, or lets us finish. A function, since
    # what is ignored would be so by the programs that the tool starts, too.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda number, frame: None)
    session, answers = os.dup(0), os.dup(1)
    os.dup2(2, 1)  # what the tool prints is no answer
    # What the tool reads, or a program that it starts, is at its end: the session has no more
    # to say, and is waited for by us alone.
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as we live
    threading.Thread(target=_end_with_the_session, args=(session,), daemon=True).start()
    try:
        output = _find(request).run(request["arguments"])
        answer: dict[str, object] = {
            "text": output.text,
            "images": [asdict(each) for each in output.images],
        }
    except Exception as error:
        said = str(error) or type(error).__name__
        answer = {"error": said, "is_told": isinstance(error, ToolError)}
    with open(answers, "wb") as out:
        out.write(json.dumps(answer).encode())


def _end_with_the_session(session: int) -> None:
    # Nobody writes to us again: this returns when the other side closes, or is gone.
    os.read(session, 1)
    os._exit(1)


def _find(request: Mapping[str, Any]) -> Tool:
    module = importlib.import_module(request["module"])
    found = getattr(module, request["function"])
    if isinstance(found, Tool):
        return found
    if request["by_name"]:
        return tool(found)  # decorated under another name
    return Tool(name=request["function"], invoke=found)


def _output(answer: Mapping[str, Any]) -> ToolOutput:
    if "error" in answer:
        raise (ToolError if answer["is_told"] else RuntimeError)(answer["error"])
    images = tuple(InputImage(**each) for each in answer["images"])
    return ToolOutput(text=answer["text"], images=images)
