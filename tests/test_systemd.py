"""The unit: systemd understands it, and finds little to attack."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from transports.bridges.irc import identd

UNIT = Path(__file__).parents[1] / "systemd" / "transports.service"
SOCKET = UNIT.with_name("transports-identd.socket")

#: systemd's own scale: 0 is nothing to attack, 100 everything; times ten of what it prints.
EXPOSURE = 12

pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="wants Debian's package systemd")


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", "--no-pager", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_little_to_attack() -> None:
    done = analyze("security", "--offline=true", f"--threshold={EXPOSURE}", str(UNIT))
    assert done.returncode == 0, done.stdout


def test_systemd_understands_the_units(tmp_path: Path) -> None:
    copy, socket = tmp_path / UNIT.name, tmp_path / SOCKET.name
    copy.write_text(re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={shutil.which('true')}", UNIT.read_text()))
    socket.write_text(SOCKET.read_text())
    done = analyze("verify", "--man=no", str(copy), str(socket))
    assert (done.returncode, done.stderr) == (0, "")


def test_the_socket_of_identd_is_found_by_its_name() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(SOCKET)
    assert dict(unit["Socket"]) == {"ListenStream": "113", "FileDescriptorName": identd.NAME, "Service": UNIT.name}


def test_the_promises_of_the_unit() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNIT)
    service = unit["Service"]
    assert (service["Type"], service["DynamicUser"], service["StateDirectory"]) == ("notify", "yes", "transports")
    assert int(service["WatchdogSec"]) > 0
    assert int(service["TimeoutStopSec"]) > 10  # the drain's own limit
    assert service["RestartPreventExitStatus"] == "2"
    assert service["LoadCredential"] == "transports:/etc/transports/secrets"
