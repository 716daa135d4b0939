"""The units of systemd are valid and strict, and the commands that they start do what they are for."""

from __future__ import annotations

import re
import shlex
import shutil
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from chatbooth_grpc.environment import SERVER_VARIABLES
from tests.acceptance.processes import environment
from tests.deploy.units import INSTALLED, UNITS, directives, settings, started, values
from tests.waiting import PATIENCE

SERVICES = ("chatbooth.service", "chatbooth-backup.service")
ALL = (*SERVICES, "chatbooth-backup.timer", "certificate.conf")
ANALYZE = shutil.which("systemd-analyze") or ""
WORST_EXPOSURE = {"chatbooth.service": 1.5, "chatbooth-backup.service": 0.6}
"""From 0 (best) to 10, as `systemd-analyze security` counts."""

SWITCHES = """
    NoNewPrivileges DynamicUser ProtectHome PrivateTmp PrivateDevices PrivateUsers ProtectControlGroups
    ProtectKernelLogs ProtectKernelModules ProtectKernelTunables RestrictNamespaces LockPersonality
    MemoryDenyWriteExecute
"""

# systemd ignores a directive that it does not know, with one line in its log.
KNOWN = {
    "Unit": "Description After Wants",
    "Install": "WantedBy",
    "Timer": "OnCalendar RandomizedDelaySec Persistent",
    "Service": """
        AmbientCapabilities CapabilityBoundingSet DevicePolicy DynamicUser Environment EnvironmentFile ExecReload
        ExecStart IPAddressDeny LimitNOFILE LoadCredential LockPersonality MemoryDenyWriteExecute Nice NoNewPrivileges
        PrivateDevices PrivateNetwork PrivateTmp PrivateUsers ProtectClock ProtectControlGroups ProtectHome
        ProtectHostname ProtectKernelLogs ProtectKernelModules ProtectKernelTunables ProtectProc ProtectSystem RemoveIPC
        Restart RestartPreventExitStatus RestartSec RestrictAddressFamilies RestrictNamespaces RestrictRealtime
        RestrictSUIDSGID RuntimeDirectory RuntimeDirectoryMode StateDirectory StateDirectoryMode SystemCallArchitectures
        SystemCallErrorNumber SystemCallFilter TimeoutStartSec TimeoutStopSec Type UMask User WatchdogSec
    """,
}


@pytest.mark.parametrize("unit", ALL)
def test_each_directive_is_one_that_systemd_knows(unit: str) -> None:
    assert [line for line in directives(unit) if line[1] not in KNOWN[line[0]].split()] == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_do_no_more_than_it_needs(service: str) -> None:
    strict = {
        **{name: ["yes"] for name in SWITCHES.split()},
        "ProtectSystem": ["strict"],
        "CapabilityBoundingSet": [""],
        "SystemCallFilter": ["@system-service", "~@privileged"],
        "StateDirectoryMode": ["0700"],
        "UMask": ["0077"],
    }
    assert {name: values(service, name) for name in strict} == strict


def test_both_services_have_one_user_and_one_folder() -> None:
    for name in ("User", "StateDirectory"):
        assert values(SERVICES[0], name) == values(SERVICES[1], name) != []


def installed(folder: Path) -> list[Path]:
    """Copy the units, with commands that exist, as systemd-analyze asks for."""
    for name in ("chatbooth-server", "chatbooth-admin"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    copies = []
    for unit in (*SERVICES, "chatbooth-backup.timer"):
        words = (UNITS / unit).read_text(encoding="utf-8")
        copies.append(folder / unit)
        copies[-1].write_text(words.replace(INSTALLED, f"{folder}/"))
    drop_in = folder / "chatbooth.service.d"
    drop_in.mkdir()
    shutil.copy(UNITS / "certificate.conf", drop_in)
    return copies


def analyze(*words: object) -> str:
    done = subprocess.run([ANALYZE, *map(str, words)], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.skipif(not ANALYZE, reason="systemd is not installed")
def test_systemd_finds_the_units_valid(tmp_path: Path) -> None:
    assert analyze("verify", *installed(tmp_path)) == ""


@pytest.mark.skipif(not ANALYZE, reason="systemd is not installed")
@pytest.mark.parametrize("service", SERVICES)
def test_systemd_finds_the_services_little_exposed(service: str, tmp_path: Path) -> None:
    installed(tmp_path)
    found = analyze("security", "--offline=true", "--no-pager", tmp_path / service)
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", found)
    assert exposure is not None
    assert float(exposure[1]) <= WORST_EXPOSURE[service]


def test_the_file_of_settings_names_variables_of_the_server() -> None:
    assert {*settings()} <= SERVER_VARIABLES
    names = re.findall(r"(CHATBOOTH_\w+)=", (UNITS / "certificate.conf").read_text(encoding="utf-8"))
    assert {*names} <= SERVER_VARIABLES


def words_of(unit: str, state: Path) -> list[str]:
    """Return the command of a unit, run by this Python on a folder of its own."""
    command, *words = started(unit, {"%S": str(state)})
    module = {"chatbooth-server": "chatbooth_grpc.server", "chatbooth-admin": "chatbooth_grpc.admin"}
    return [sys.executable, "-m", module[command.removeprefix(INSTALLED)], *words]


class Supervisor:
    """The part of systemd that starts a service of the type notify: it hears the messages of the server."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._socket.settimeout(PATIENCE)

    def hear(self, message: str) -> None:
        """Wait for a message."""
        while message not in self._socket.recv(4096).decode().splitlines():
            pass

    def close(self) -> None:
        self._socket.close()


def test_the_commands_of_the_units_serve_reload_and_back_up(tmp_path: Path) -> None:
    for name in values("chatbooth.service", "StateDirectory")[0].split():
        (tmp_path / name).mkdir(mode=0o700)
    supervisor = Supervisor(tmp_path)
    own = {"CHATBOOTH_HOST": "127.0.0.1", "CHATBOOTH_PORT": "0", "CHATBOOTH_METRICS": "127.0.0.1:0"}
    variables = {**environment(), **settings(), **own, "NOTIFY_SOCKET": supervisor.path}
    log = tmp_path / "log"
    with log.open("w") as stderr:
        server = subprocess.Popen(words_of("chatbooth.service", tmp_path), env=variables, stderr=stderr)
    try:
        supervisor.hear("READY=1")
        assert "TLS certificate: SHA256:" in log.read_text()
        url = re.search(r"metrics url=(\S+)", log.read_text())
        assert url is not None
        with urllib.request.urlopen(url[1], timeout=PATIENCE) as page:
            assert b"chatbooth_store_available 1.0" in page.read()
        [reload] = values("chatbooth.service", "ExecReload")
        subprocess.run(shlex.split(reload), env={"MAINPID": str(server.pid)}, check=True)
        supervisor.hear("RELOADING=1")
        supervisor.hear("READY=1")
        done = subprocess.run(
            words_of("chatbooth-backup.service", tmp_path),
            capture_output=True,
            env=environment(),
            timeout=PATIENCE,
            check=True,
        )
        assert b"checked." in done.stderr
        [backup] = (tmp_path / "chatbooth" / "backups").iterdir()
        assert re.fullmatch(r"chatbooth-\d{8}T\d{6}Z\.db", backup.name)
    finally:
        server.terminate()
        assert server.wait(PATIENCE) == 0
        supervisor.close()
