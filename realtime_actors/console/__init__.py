"""Looking into a running program from outside: `realtime-actors top`.

    from realtime_actors import console

    with console.listen("/tmp/calls.sock"):
        ...

and in another terminal: `realtime-actors top /tmp/calls.sock`.
"""

from __future__ import annotations

from realtime_actors.console.window import Window, listen, look

__all__ = ["Window", "listen", "look"]
