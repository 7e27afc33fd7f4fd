"""The command `serve`: a Realtime server in the foreground, until it is interrupted."""

from __future__ import annotations

import logging
import secrets
import signal
import threading
from pathlib import Path

from rich.console import Console
from rich.logging import RichHandler

from realtime_actors.errors import ConfigError
from realtime_actors.server.engines import load_engines

__all__ = ["run_server"]


def run_server(
    *,
    host: str,
    port: int,
    beta: bool,
    api_key: str | None,
    origins: tuple[str, ...],
    detector: str,
    recognizer: str,
    recognizer_model: Path | None,
    brain: str,
    brain_url: str | None,
    brain_model: str | None,
    brain_key: str | None,
    voice: str,
    verbose: bool,
) -> None:
    """Serve until SIGINT or SIGTERM comes."""
    console = Console(highlight=False)
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(name)s: %(message)s",
        handlers=[RichHandler(console=console, show_path=False)],
    )
    with console.status("Loading the speech engines"):
        engines = load_engines(
            detector=detector,
            recognizer=recognizer,
            recognizer_model=recognizer_model,
            brain=brain,
            brain_url=brain_url,
            brain_model=brain_model,
            brain_key=brain_key,
            voice=voice,
        )
    # Only now: of all that can be missing, the engines' extra brings the most.
    from realtime_actors.server import RealtimeServer, is_this_machine

    made_key = None if api_key or is_this_machine(host) else secrets.token_urlsafe(24)
    server = RealtimeServer(
        host,
        port,
        engines=engines,
        api_key=api_key or made_key,
        origins=origins,
        beta="serve" if beta else "retired",
    )
    try:
        server.start()
    except OSError as error:
        raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        console.print(f"Serving [bold]{server.url}[/]  (Ctrl+C ends it)")
        if made_key is not None:
            console.print(f"Clients have to show the key [bold]{made_key}[/] (--api-key sets one)")
        stop.wait()
    finally:
        server.stop()
