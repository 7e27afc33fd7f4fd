"""Looking into a running program."""

from __future__ import annotations

import stat

import pytest
from typer.testing import CliRunner

from realtime_actors import console, otp
from realtime_actors.cli.app import app
from realtime_actors.errors import ConfigError


class Counter(otp.GenServer):
    def init(self) -> otp.Ok:
        return otp.Ok(0)

    def handle_call(self, message, from_, state) -> otp.Reply:
        return otp.Reply(state, state + 1)


@pytest.fixture
def counters():
    supervisor = otp.start(otp.Supervisor, [otp.child_spec(Counter, name="clicks")])
    otp.call("clicks", "next")
    yield supervisor
    supervisor.stop()


def test_a_look_shows_the_tree_and_what_it_does(tmp_path, counters):
    with console.listen(tmp_path / "window") as window:
        snapshot = console.look(window.path)

    root = next(each for each in snapshot["roots"] if each["children"])
    counter = root["children"][0]
    assert (root["kind"], counter["names"]) == ("supervisor", ["clicks"])
    assert counter["status"] == "idle"
    assert counter["handled"] >= 1


def test_the_window_is_the_users_alone_and_gone_afterwards(tmp_path):
    with console.listen(tmp_path / "window") as window:
        assert stat.S_IMODE(window.path.stat().st_mode) == 0o600
        with pytest.raises(ConfigError, match="cannot listen"):
            console.listen(tmp_path / "window")
    window.close()
    assert not window.path.exists()
    with pytest.raises(ConfigError, match=r"console\.listen"):
        console.look(window.path)


def test_a_socket_that_a_dead_program_left_is_no_obstacle(tmp_path):
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(tmp_path / "window"))
    with console.listen(tmp_path / "window") as window:
        assert console.look(window.path)["roots"] is not None


def test_the_command_prints_it(tmp_path, counters):
    with console.listen(tmp_path / "window") as window:
        result = CliRunner(env={"COLUMNS": "100"}).invoke(app, ["top", str(window.path), "--once"])

    assert result.exit_code == 0
    assert "clicks" in result.output
    assert "Counter" in result.output
