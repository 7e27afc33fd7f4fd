"""A window into a program: whoever connects to its Unix socket gets one snapshot as JSON.

The socket's file belongs to the user alone (mode 600). Nothing can be changed through
it, and no message, state or transcript is shown: only names, counts and times.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from realtime_actors import otp
from realtime_actors.errors import ConfigError
from realtime_actors.otp import fork

__all__ = ["Window", "listen", "look"]

LOOK_TIMEOUT: Final = 5.0
"""Seconds for a snapshot to come: a program that is that busy has no time for us."""


class Window:
    """An open window. Close it, or use it in a `with` block."""

    def __init__(self, path: Path, listener: socket.socket) -> None:
        self.path = path
        self._listener = listener
        fork.each_in_child(self, Window._leave_to_parent)
        self._thread = threading.Thread(target=self._serve, name="window", daemon=True)
        self._thread.start()

    def _leave_to_parent(self) -> None:
        self._listener.close()

    def close(self) -> None:
        """Show nothing any more. Closing a closed window does nothing."""
        try:
            # Wakes the thread; closing alone would leave it waiting.
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            return
        self._thread.join()
        self._listener.close()
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _serve(self) -> None:
        while True:
            try:
                looker, _ = self._listener.accept()
            except OSError:
                return
            with looker:
                looker.settimeout(LOOK_TIMEOUT)
                try:
                    looker.sendall(json.dumps(_as_json(otp.observe())).encode())
                except OSError:
                    continue  # it went away, or does not read


def listen(path: str | os.PathLike[str]) -> Window:
    """Let `realtime-actors top PATH` look into this program.

    Raises `ConfigError` when no socket can be made there.
    """
    place = Path(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if _is_abandoned(place):
            place.unlink()
        before = os.umask(0o177)
        try:
            listener.bind(str(place))
        finally:
            os.umask(before)
        listener.listen()
    except OSError as error:
        listener.close()
        raise ConfigError(f"cannot listen at {place}: {error.strerror or error}") from error
    return Window(place, listener)


def look(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Take one look into a program: `otp.Snapshot` as JSON. Raises `ConfigError`."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as window:
            window.settimeout(LOOK_TIMEOUT)
            window.connect(str(path))
            pieces = []
            while piece := window.recv(65536):
                pieces.append(piece)
        snapshot: dict[str, Any] = json.loads(b"".join(pieces))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"no program to look into at {path}: {why} (it has to call console.listen)"
        ) from error
    return snapshot


def _is_abandoned(place: Path) -> bool:
    """Whether a program that is gone has left its socket there."""
    if not place.is_socket():
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(place))
        except ConnectionRefusedError:
            return True
    return False


def _as_json(snapshot: otp.Snapshot) -> dict[str, Any]:
    return {
        "at": snapshot.at,
        "detached": [_process(each) for each in snapshot.detached],
        "roots": [_process(each) for each in snapshot.roots],
    }


def _process(info: otp.ProcessInfo) -> dict[str, Any]:
    return {
        "label": info.label,
        "kind": info.kind,
        "names": info.names,
        "status": info.status.value,
        "mailbox": info.mailbox,
        "handled": info.handled,
        "dropped": info.dropped,
        "restarts": info.restarts,
        "since": info.since,
        "links": info.links,
        "monitored_by": info.monitored_by,
        "children": [_process(each) for each in info.children],
    }
