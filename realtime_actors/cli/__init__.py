"""The command `realtime-actors`: a demo, and a server to talk to. Needs the extra `[cli]`."""

from __future__ import annotations

import sys
from collections.abc import Callable

from realtime_actors.errors import MissingExtraError, RealtimeError

__all__ = ["main"]


def main() -> None:
    """Run the command line. What the user can mend is told in a line, without a traceback."""
    try:
        run = _load()
        run()
    except RealtimeError as error:
        print(f"realtime-actors: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _load() -> Callable[[], None]:
    try:
        from realtime_actors.cli.app import app
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("realtime_actors"):
            raise
        raise MissingExtraError("The command line", "cli", missing=error.name) from error
    return app
