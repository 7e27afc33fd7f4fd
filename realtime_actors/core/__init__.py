"""The sans-I/O core of a session: `machine.handle(message, now) -> effects`.

No threads, clock, socket, randomness or logging: time and ids come in. Internal:
readable, tested, free to change.
"""

from __future__ import annotations
