"""Run all benchmarks, one after the other: `python -m benchmarks [--quick] [--output DIR]`."""

from __future__ import annotations

import subprocess
import sys
import time

BENCHMARKS = (
    ("import_time",),
    ("otp",),
    ("decode",),
    ("recv_flood",),
    ("recv_paced",),
    ("send",),
    ("barge_in",),
    ("gil_noise",),
    ("memory",),
    ("long_call",),
    ("scale",),
    ("scale", "--tls"),
)


def main() -> None:
    for name, *arguments in BENCHMARKS:
        start = time.monotonic()
        print(f"\n== {name} {' '.join(arguments)}", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}", *arguments, *sys.argv[1:]]
        if subprocess.run(command, check=False).returncode:
            sys.exit(f"{name} failed")
        print(f"took {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
