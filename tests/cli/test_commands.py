from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import realtime_actors as ra

COMMAND = [sys.executable, "-c", "from realtime_actors.cli import main; main()"]
NO_ENGINES = ["--detector", "energy", "--recognizer", "none", "--brain", "scripted"]
NO_ENGINES += ["--voice", "tone"]


def run(*arguments: str, timeout: float = 30.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=timeout, check=False
    )


def test_the_command_says_which_version_it_is():
    assert run("--version").stdout == f"realtime-actors {ra.__version__}\n"


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server that runs in another process, and its address."""
    process = subprocess.Popen(
        [*COMMAND, "serve", "--port", "0", *NO_ENGINES, *arguments],
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            said = re.match(r"Serving (ws://\S+)", process.stdout.readline())
            assert said is not None
            yield process, said[1]
        finally:
            process.kill()


def test_a_server_that_others_reach_makes_a_key_and_prints_it():
    command = [*COMMAND, "serve", "--host", "0.0.0.0", "--port", "0", *NO_ENGINES]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = re.search(r":(\d+)/", process.stdout.readline())
            key = re.search(r"the key (\S+)", process.stdout.readline())
            assert port is not None
            assert key is not None
            url = f"ws://127.0.0.1:{port[1]}/v1/realtime"
            with pytest.raises(ra.StartError, match="wants a key"):
                ra.run(ra.agent(), model_config={"url": url})
            ra.run(ra.agent(), model_config={"url": url, "api_key": key[1]}).close()
        finally:
            process.send_signal(signal.SIGTERM)


def test_a_session_talks_to_a_served_server_until_that_is_told_to_stop() -> None:
    with serving() as (process, url):
        with ra.run(ra.agent(), model_config={"url": url}) as session:
            events = session.events(timeout=10, only=[ra.events.TranscriptDeltaEvent])
            session.send_message("Hello!")
            assert next(iter(events)).delta

        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0


def test_a_served_server_can_ask_for_a_key() -> None:
    with serving("--api-key", "secret") as (_, url):
        with pytest.raises(ra.StartError):
            ra.run(ra.agent(), model_config={"url": url, "api_key": "wrong"})
        ra.run(ra.agent(), model_config={"url": url, "api_key": "secret"}).close()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["serve", "--brain", "embeding"], "unknown brain 'embeding': did you mean 'embedding'?"),
        (["demo", "--wav", "missing.wav"], "cannot read missing.wav"),
        (["serve", "--host", "192.0.2.1", *NO_ENGINES], "cannot listen on 192.0.2.1:8765"),
    ],
)
def test_what_the_user_can_mend_is_told_in_one_line(arguments: list[str], told: str) -> None:
    result = run(*arguments)

    assert result.returncode == 1
    assert result.stderr.startswith("realtime-actors: ")
    assert told in result.stderr
    assert "Traceback" not in result.stderr


def test_a_taken_port_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        result = run("serve", "--port", port, *NO_ENGINES)

    assert f"cannot listen on 127.0.0.1:{port}: " in result.stderr


def test_without_a_command_the_help_is_shown() -> None:
    assert "demo" in run("--help").stdout
    assert "serve" in run().stdout + run().stderr


@pytest.mark.local
@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_demo_shows_a_tool_a_handoff_and_a_barge_in(tmp_path: Path) -> None:
    result = run("demo", "--no-open", "--output", str(tmp_path), timeout=150)

    assert result.returncode == 0, result.stdout + result.stderr
    for told in ("opening_hours(day='Saturday')", "Receptionist → Billing", "✂ barge-in"):
        assert told in result.stdout
    assert (tmp_path / "conversation.wav").stat().st_size > 1_000_000
    assert "Rosewood" in (tmp_path / "report.html").read_text("utf-8")
