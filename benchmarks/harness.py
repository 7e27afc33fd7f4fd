"""What all benchmarks share: the command line, the processes, the turns, tables and results."""

from __future__ import annotations

import argparse
import json
import os
import platform
import select
import ssl
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode
from urllib.request import urlopen

from attrs import define, field, frozen
from rich.console import Console
from rich.table import Table

from benchmarks.targets import TARGETS

__all__ = [
    *("AGENTS", "ASYNCIO", "BARE", "DIRECT", "FLOOR", "NO_EXTRAS", "OURS", "PLAIN"),
    *("Bench", "Contender", "Runs"),
]

ROOT = Path(__file__).parent.parent

JOB_TIMEOUT = 180.0
WIDTH = 110

VERSIONS_OF = (
    *("attrs", "pykka", "websocket-client", "orjson", "pybase64", "websockets"),
    *("openai-agents", "openai", "pydantic"),
)


@frozen
class Contender:
    """Who is measured: a module of `contenders`, and how it is to do its jobs."""

    name: str
    module: str
    parameters: Mapping[str, object] = field(factory=dict, eq=False)
    without: tuple[str, ...] = ()
    """Packages that it has to do without."""


OURS = Contender("ours", "ours")
DIRECT = Contender("ours, no queue", "ours", {"direct": True})
ASYNCIO = Contender("ours, asyncio", "aio")
PLAIN = Contender("ours, plain transport", "ours", {"transport": "plain"})
NO_EXTRAS = Contender("ours, no extras", "ours", without=("orjson", "pybase64", "websockets"))
FLOOR = Contender("floor", "floor")
# Where wsaccel happens to be installed, websocket-client is another library.
BARE = Contender("websocket-client", "bare", without=("wsaccel",))
AGENTS = Contender("openai-agents", "agents")


class _Process:
    """A child that says a line when it is ready, and goes when we do."""

    def __init__(self, module: str, *arguments: str, **environment: str) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, **environment},
            text=True,
            bufsize=1,
        )
        self._name = " ".join((module, *arguments[:1]))

    def ask(self, line: str) -> str:
        assert self._child.stdin is not None
        self._child.stdin.write(line + "\n")
        return self.read()

    def read(self) -> str:
        assert self._child.stdout is not None
        ready, _, _ = select.select([self._child.stdout], [], [], JOB_TIMEOUT)
        line = self._child.stdout.readline() if ready else ""
        if not line:
            raise SystemExit(f"{self._name} gave no answer within {JOB_TIMEOUT:g} s")
        return line

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._child.kill()
        self._child.communicate()


class _Worker(_Process):
    def __init__(self, contender: Contender, **environment: str) -> None:
        super().__init__("benchmarks.worker", contender.module, *contender.without, **environment)
        self._contender = contender

    def do(self, job: str, parameters: Mapping[str, object]) -> dict[str, float]:
        whole = {"job": job, **parameters, **self._contender.parameters}
        answer: dict[str, Any] = json.loads(self.ask(json.dumps(whole)))
        if "error" in answer:
            raise SystemExit(f"{self._contender.name} failed at {job}:\n{answer['error']}")
        return answer


class Runs:
    """What every contender gave in every round."""

    def __init__(self) -> None:
        self.of: dict[Contender, list[dict[str, float]]] = {}

    def median(self, contender: Contender, key: str) -> float:
        return statistics.median(run[key] for run in self.of[contender])

    def ratio(self, one: Contender, other: Contender, key: str) -> float:
        """`one` / `other`: the median of each round's ratio, since they had the same weather."""
        pairs = zip(self.of[one], self.of[other], strict=True)
        return statistics.median(a[key] / b[key] for a, b in pairs)


@define
class Bench:
    """A run of one benchmark: `with Bench(__doc__) as bench: ...`.

    Prints as it goes; at the end it writes `<name>.json`.
    """

    doc: str
    rounds: int = 5
    quick_rounds: int = 3
    options: Callable[[argparse.ArgumentParser], object] = lambda parser: None
    """Adds what this benchmark takes on its command line: `bench.arguments` has it."""
    arguments: argparse.Namespace = field(init=False)
    tls: bool = field(default=False, init=False)
    _name: str = field(init=False)
    _results: dict[str, Any] = field(factory=dict, init=False)
    _stack: ExitStack = field(factory=ExitStack, init=False)
    _console: Console = field(factory=lambda: Console(width=WIDTH, highlight=False), init=False)
    _port: int = field(default=0, init=False)
    _environment: dict[str, str] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self._name = Path(sys.argv[0]).stem
        parser = argparse.ArgumentParser(
            prog=f"python -m benchmarks.{self._name}", description=self.doc.splitlines()[0]
        )
        parser.add_argument("--rounds", type=int, help="turns that each contender gets")
        parser.add_argument("--quick", action="store_true", help="less of everything")
        parser.add_argument("--output", type=Path, default=Path("benchmark-results"))
        self.options(parser)
        self.arguments = parser.parse_args()
        self.rounds = self.arguments.rounds or (self.quick_rounds if self.quick else self.rounds)

    @property
    def quick(self) -> bool:
        return bool(self.arguments.quick)

    def __enter__(self) -> Self:
        self._results = {
            "benchmark": self._name,
            "about": self.doc.strip(),
            "command": f"python -m benchmarks.{self._name}",
            "rounds": self.rounds,
            "quick": self.quick,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            **_circumstances(),
            "tables": [],
            "targets": {},
            "floors": {},
            "runs": [],
        }
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._stack.close()
        if kind is None:
            self._show_targets()
            folder: Path = self.arguments.output
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{self._name}.json"
            path.write_text(json.dumps(self._results, indent=1, ensure_ascii=False) + "\n")
            self._console.print(f"written to {path}")

    def named(self, name: str) -> None:
        """Keep the results under another name: of a benchmark that has options."""
        self._name = self._results["benchmark"] = name

    def serve(self, *, tls: bool = False) -> None:
        """Start the load server."""
        self.tls = tls
        certificate = [self._make_certificate()] if tls else []
        server = self._stack.enter_context(_Process("benchmarks.load_server", *certificate))
        self._port = int(server.read())

    def take_turns(
        self,
        job: str,
        contenders: Mapping[Contender, Mapping[str, object]],
        *,
        query: Mapping[str, object] | None = None,
        rounds: int | None = None,
        fresh: bool = False,
    ) -> Runs:
        """Have each contender do the job in each round, with its parameters.

        `query` tells the load server what to do, beside those parameters. Between two
        turns a contender's process lives on, unless `fresh`.
        """
        runs = Runs()
        rounds = self.rounds if rounds is None else rounds
        with ExitStack() as stack, self._console.status(job) as status:
            workers: dict[Contender, _Worker] = {}
            for number in range(rounds):
                for contender, parameters in contenders.items():
                    status.update(f"{job} {number + 1}/{rounds}: {contender.name}")
                    if query is not None:
                        url = self._url({**query, **parameters})
                        parameters = {**parameters, "url": url}
                    if fresh:
                        with _Worker(contender, **self._environment) as worker:
                            answer = worker.do(job, parameters)
                    else:
                        if contender not in workers:
                            workers[contender] = stack.enter_context(
                                _Worker(contender, **self._environment)
                            )
                        answer = workers[contender].do(job, parameters)
                    runs.of.setdefault(contender, []).append(answer)
        self._results["runs"] += [
            {
                "job": job,
                "contender": each.name,
                "results": got,
                "parameters": _short(contenders[each]),
            }
            for each, got in runs.of.items()
        ]
        return runs

    def server_stats(self) -> dict[str, float]:
        """How the load server did since the last time. It is not what is to be measured."""
        trust, scheme = None, "http"
        if self.tls:
            trust = ssl.create_default_context(cafile=self._environment["SSL_CERT_FILE"])
            scheme = "https"
        with urlopen(f"{scheme}://127.0.0.1:{self._port}/stats", context=trust) as answer:
            stats: dict[str, float] = json.load(answer)
        return stats

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print a table, and keep it for the page."""
        shown = [[_show(value) for value in row] for row in rows]
        table = Table(title=title, title_justify="left")
        for number, column in enumerate(columns):
            table.add_column(column, justify="right" if number else "left")
        for row in shown:
            table.add_row(*row)
        self._console.print(table)
        self._results["tables"].append({"title": title, "columns": [*columns], "rows": shown})

    def target(self, key: str, value: float, *, floor: float | None = None) -> None:
        """Hold a value against its target. `floor`: the same, if the floor were ours."""
        self._results["targets"][key] = value
        if floor is not None:
            self._results["floors"][key] = floor

    def note(self, text: str) -> None:
        """Print a line, and keep it for the page."""
        self._console.print(text)
        self._results.setdefault("notes", []).append(text)

    def _show_targets(self) -> None:
        for key, value in self._results["targets"].items():
            target = TARGETS[key]
            colour = "green" if target.is_met(value) else "red"
            floor = self._results["floors"].get(key)
            beside = f"; the floor: {target.show(floor)}" if floor is not None else ""
            self._console.print(
                f"[{colour}]{target.what}: {target.show(value)} (target {target.wanted()}):"
                f" {target.distance(value)}{beside}[/]"
            )

    def _url(self, query: Mapping[str, object]) -> str:
        scheme = "wss" if self.tls else "ws"
        return f"{scheme}://127.0.0.1:{self._port}/?{urlencode(query)}"

    def _make_certificate(self) -> str:
        import trustme

        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        certificate = authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem
        certificate.write_to_path(str(folder / "server.pem"))
        self._environment["SSL_CERT_FILE"] = str(folder / "ca.pem")
        return str(folder / "server.pem")


def _short(parameters: Mapping[str, object]) -> dict[str, object]:
    """Without what is data rather than a setting."""
    return {name: value for name, value in parameters.items() if not isinstance(value, list)}


def _show(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    if value != value:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:#.3g}".rstrip(".")


def _circumstances() -> dict[str, Any]:
    return {
        "machine": {
            "cpu": _cpu(),
            "cores": len(os.sched_getaffinity(0)),
            "system": platform.system(),
            "load_before": round(os.getloadavg()[0], 2),
        },
        "python": platform.python_version(),
        "versions": {name: found for name in VERSIONS_OF if (found := _version(name))},
        "commit": _commit(),
    }


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude", "*"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
