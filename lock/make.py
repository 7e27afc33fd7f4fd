"""Write lock/requirements.txt and lock/wheels.json: what `make install` installs, to the byte.

    python lock/make.py [--upgrade]      (`make lock` gives it an environment with uv)

One resolution serves every supported Python and platform: what differs carries a marker.
Without `--upgrade`, versions stay as long as pyproject.toml allows them.
`wheels.json` names the wheels of each release, so that a test can tell, without a network,
whether a machine would need a compiler.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

LOCK = Path(__file__).parent
PYPROJECT = LOCK.parent / "pyproject.toml"
REQUIREMENTS = LOCK / "requirements.txt"
WHEELS = LOCK / "wheels.json"
OLDEST_PYTHON = "3.11"


def main(arguments: list[str]) -> None:
    """Resolve, and write both files."""
    resolve = (
        *(sys.executable, "-m", "uv", "pip", "compile", "--quiet"),
        *("--universal", "--python-version", OLDEST_PYTHON, "--no-emit-index-url"),
        *("--extra", "dev", "--extra", "docs", "--group", f"{PYPROJECT}:build"),
        str(PYPROJECT),
    )
    subprocess.run(
        [
            *resolve,
            *("--generate-hashes", "--custom-compile-command", "make lock"),
            *("--output-file", str(REQUIREMENTS)),
            *arguments,
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    # The same versions again, in the form that names files.
    told = subprocess.run(
        [*resolve, "--constraint", str(REQUIREMENTS), "--format", "pylock.toml"],
        check=True,
        capture_output=True,
        text=True,
    )
    packages = tomllib.loads(told.stdout)["packages"]
    wheels = {f"{each['name']}=={each['version']}": _wheels(each) for each in packages}
    WHEELS.write_text(json.dumps(wheels, indent=1, sort_keys=True) + "\n")
    print(f"{len(wheels)} packages: {REQUIREMENTS.name}, {WHEELS.name}")


def _wheels(package: dict[str, Any]) -> list[str]:
    files = (wheel.get("name") or _last(wheel["url"]) for wheel in package.get("wheels", ()))
    return sorted(file for file in files if "-win" not in file and "musllinux" not in file)


def _last(url: str) -> str:
    return unquote(urlsplit(url).path.rpartition("/")[2])


if __name__ == "__main__":
    main(sys.argv[1:])
