"""``reverie studio`` on the command line: what it refuses, what it says, and how it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import tomllib

import pytest

from reverie.cli import main, studio
from reverie.recipe import merged
from tests.support.commands import refused


def test_what_cannot_be_is_said_before_anything_starts(capsys, tmp_path):
    assert "--port" in refused(capsys, 2, "studio", tmp_path, "--port", "0")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["studio", str(tmp_path / "a"), "--port", str(port), "--no-open"]) == 2
        assert "name another with --port" in capsys.readouterr().err
    assert main(["studio", str(tmp_path / "a"), "--host", "no.such.host.example.invalid", "--no-open"]) == 2
    (tmp_path / "file").write_text("")
    assert main(["studio", str(tmp_path / "file"), "--no-open"]) == 5
    assert "cannot be used" in capsys.readouterr().err


def test_without_its_extra_the_studio_says_how_to_get_it(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(studio.importlib.util, "find_spec", lambda name: None)
    assert "reverie[studio]" in refused(capsys, 4, "studio", tmp_path)


def test_the_default_folder_lies_among_the_users_pictures():
    assert studio.pictures().is_absolute()


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as a signal")
def test_ctrl_c_ends_it_quickly_and_a_token_guards_other_hosts(tmp_path):
    pytest.importorskip("fastapi")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "reverie",
        "studio",
        str(tmp_path / "s"),
        "--no-open",
        "--port",
        str(port),
        "--host",
        "0.0.0.0",
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    lines = [process.stderr.readline() for _ in range(4)]
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=90)[1]
    assert "token=" in lines[0] and "keep it secret" in lines[2] and "TLS" in lines[3]
    assert "Traceback" not in rest
    assert process.returncode in (0, 130, -2)


def test_a_preset_file_is_a_preset(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('title = "Mine"\nabout = "mine"\nobjective = "owl"\nmomentum = 0.1\n')
    made = merged(str(path), None, {"momentum": 0.2})
    assert (made.objective, made.momentum) == ("owl", 0.2)
    assert tomllib.loads(path.read_text())["title"] == "Mine"


def test_a_preset_file_that_cannot_be_read_is_refused(capsys, tmp_path):
    assert "cannot be read" in refused(capsys, 3, "dream", "noise", "--preset", tmp_path / "absent.toml")
    (tmp_path / "bad.toml").write_text("steps = = 3")
    assert "is no TOML" in refused(capsys, 3, "dream", "noise", "--preset", tmp_path / "bad.toml")
