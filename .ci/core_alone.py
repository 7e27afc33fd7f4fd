"""Check an environment with the library and no extra: it imports, and says what it misses."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

OPTIONAL = ("numpy", "orjson", "rich", "typer", "websockets")


def main() -> str | None:
    """What is wrong, or None."""
    there = [name for name in OPTIONAL if importlib.util.find_spec(name)]
    if there:
        return f"not a bare environment: it has {', '.join(there)}"

    os.chdir("/")  # so that the installed package is imported, and not the checkout
    imported = subprocess.run(
        [sys.executable, "-c", "import realtime_actors; print(realtime_actors.__file__)"],
        capture_output=True,
        text=True,
        check=False,
    )
    if imported.returncode:
        return f"import realtime_actors failed:\n{imported.stderr}"

    command = Path(sys.executable).with_name("realtime-actors")
    told = subprocess.run([command, "demo"], capture_output=True, text=True, check=False)
    if told.returncode == 0 or "pip install '.[" not in told.stderr:
        return f"the command does not say what to install:\n{told.stdout}{told.stderr}"

    print(f"core alone: {imported.stdout.strip()}; the command says: {told.stderr.strip()}")
    return None


if __name__ == "__main__":
    sys.exit(main())
