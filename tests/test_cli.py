"""The command line: what it prints, where, and with which exit code."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from transports.cli import main

ROOT = Path(__file__).parents[1]
CANARY = "canary-9b2e40f1c7aa"

GOOD = f"""
[xmpp]
secret = "{CANARY}"
[irc]
domain = "irc.example.org"
[irc.networks."irc.libera.chat"]
password = "{CANARY}"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(GOOD)
    return path


def test_check_says_what_a_good_configuration_means(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--config", str(config)]) == 0
    out, err = capsys.readouterr()
    assert "irc: irc.example.org, component of 127.0.0.1 port 5347; for example.org" in out
    assert "irc: network irc.libera.chat at irc.libera.chat" in out
    assert f"store: {config.parent}/transports.db" in out
    assert "note: [store] the key that protects secrets will be made at the first start" in out
    assert out.endswith("no errors\n")
    assert err == ""
    assert CANARY not in out


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_bad_configuration_is_exit_code_2(command: str, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(GOOD.replace("[xmpp]", "[xmpp]\nprot = 5347").replace("[irc]", '[irc]\ntls = "yes"'))
    assert main([command, "--config", str(config)]) == 2
    out, err = capsys.readouterr()
    assert err.splitlines() == [
        'config.toml: [xmpp] prot: unknown key; did you mean "port"?',
        'config.toml: [irc] tls: got "yes", wanted one of require, prefer, off',
    ]
    assert out == ""
    assert CANARY not in err


def test_a_configuration_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--config", str(tmp_path / "none.toml")]) == 2
    assert capsys.readouterr().err == "none.toml: cannot read it: No such file or directory\n"


def test_control_characters_of_a_name_do_not_reach_the_terminal(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(GOOD + '["\\u001b[2J"]\nx = 1\n')
    assert main(["check", "--config", str(config)]) == 2
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["dance"], ["check", "--confg", "x"], ["run", "--log-level", "all"]])
def test_a_wrong_command_line_is_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage: transports" in capsys.readouterr().err


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.startswith("transports ")


def test_the_usual_places(config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(config.parent)
    assert main(["check"]) == 0
    assert capsys.readouterr().out.endswith("config.toml: no errors\n")


def test_check_loads_none_of_what_runs_the_gateway(config: Path) -> None:
    """It stays quick, and works where a library of a bridge is missing."""
    code = (
        "import sys; from transports.cli import main; main(sys.argv[1:]);"
        "sys.exit(len({'slixmpp', 'irc', 'sqlalchemy', 'alembic', 'asyncio'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, "check", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, cwd=ROOT, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_as_a_module(config: Path) -> None:
    command = [sys.executable, "-m", "transports", "check", "--config", str(config)]
    environ = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": ""}
    done = subprocess.run(command, capture_output=True, cwd=ROOT, env=environ, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_something_unforeseen_is_one_line_and_exit_code_1(config: Path) -> None:
    """A bridge's module without a `build`, here."""
    config.write_text(GOOD + '[bridges.x]\nmodule = "email"\ndomain = "x.example.org"\n')
    command = [sys.executable, "-m", "transports", "run", "--config", str(config)]
    environ = {**os.environ, "JOURNAL_STREAM": "8:1"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environ, timeout=60, check=False)
    assert done.returncode == 1
    [line] = [line for line in done.stderr.splitlines() if line.startswith("<2>")]
    assert "stopped error=\"AttributeError: module 'email' has no attribute 'build'\" at=" in line
    assert "Traceback" not in done.stderr
    assert CANARY not in done.stderr


def test_run_tells_systemd_and_ends_when_asked(config: Path) -> None:
    """Without an XMPP server: READY=1 comes when the retries run, SIGTERM is exit code 0."""
    config.write_text(GOOD.replace("[xmpp]", "[xmpp]\nport = 1"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(config.parent / "notify"))
        systemd.settimeout(30)
        environ = {**os.environ, "NOTIFY_SOCKET": str(config.parent / "notify")}
        command = [sys.executable, "-m", "transports", "run", "--config", str(config)]
        with subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True) as gateway:
            try:
                while b"READY=1" not in systemd.recv(1000):
                    pass
                gateway.terminate()
                _, err = gateway.communicate(timeout=30)
            finally:
                gateway.kill()
    assert gateway.returncode == 0
    assert "cannot connect" in err
    assert CANARY not in err
