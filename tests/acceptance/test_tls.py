"""TLS as people use it: a server that makes its certificate, and a client that is shown its fingerprint once."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pexpect
import pytest

from tests.acceptance.held_ports import hold_ports
from tests.acceptance.processes import CLIENT, PASSWORD, CommandLine, environment
from tests.tls.issuing import Authority
from tests.waiting import wait_until

_PATIENCE = 60.0
FINGERPRINT = re.compile(r"TLS certificate: (SHA256:[0-9a-f]{64})")


class TlsProcess:
    """A server process with TLS over both protocols. `said` is what it has logged so far."""

    def __init__(self, folder: Path, *flags: str, ports: tuple[int, int] = (0, 0)) -> None:
        self._log = folder / "server.log"
        words = ["--port", str(ports[0]), "--wire-port", str(ports[1]), "--store", str(folder / "chat.db"), *flags]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "chatbooth_grpc.server", *words],
                stderr=log,
                env=environment(),
                start_new_session=True,
            )
        self.wait_for("stop:")
        self.ports = tuple(int(port) for port in re.findall(r"listening on 127\.0\.0\.1:(\d+)", self.said))
        self.addresses = re.findall(r"--server (\S+)", self.said)

    @property
    def said(self) -> str:
        return self._log.read_text()

    @property
    def fingerprint(self) -> str:
        found = FINGERPRINT.search(self.said)
        assert found, self.said
        return found[1]

    def wait_for(self, words: str) -> None:
        """Wait until the server has logged some words."""
        wait_until(lambda: words in self.said or self.process.poll() is not None)
        assert words in self.said

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(_PATIENCE)
        hold_ports(map(str, self.ports))


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def start(stack: ExitStack, folder: Path, *flags: str, ports: tuple[int, int] = (0, 0)) -> TlsProcess:
    server = TlsProcess(folder, *flags, ports=ports)
    stack.callback(server.end)
    return server


def test_a_made_certificate_is_shown_once_and_trusted_until_it_changes(stack: ExitStack, tmp_path: Path) -> None:
    server = start(stack, tmp_path, "--tls", "auto")
    assert [address.partition("://")[0] for address in server.addresses] == ["grpc+tls", "wire+tls"]
    for number, address in enumerate(server.addresses):
        chatbooth = CommandLine(address, tmp_path / "state")
        done = chatbooth("signup", f"user{number}")
        assert done.code == 7
        assert server.fingerprint in done.err
        assert chatbooth("--trust", server.fingerprint, "signup", f"user{number}").code == 0
        assert chatbooth("send", "user0", "hello").code == 0
        plain = address.removeprefix("grpc+tls://").replace("wire+tls", "wire")
        done = chatbooth("--server", plain, "whoami")
        assert (done.code, "in plain text. Nothing was sent." in done.err) == (7, True)
    assert len(CommandLine(server.addresses[0], tmp_path / "state")("deliver").out.splitlines()) == 2
    old, ports = server.fingerprint, (server.ports[0], server.ports[1])
    server.end()
    for suffix in (".tls.crt", ".tls.key"):
        (tmp_path / f"chat.db{suffix}").unlink()
    again = start(stack, tmp_path, "--tls", "auto", ports=ports)
    for address in again.addresses:
        chatbooth = CommandLine(address, tmp_path / "state")
        done = chatbooth("whoami")
        assert done.code == 7
        assert old in done.err
        [advised] = re.findall(r"trust --trust SHA256:[0-9a-f]{64}", done.err)
        assert advised.endswith(again.fingerprint)
        assert chatbooth(*advised.split()).code == 0
        assert chatbooth("whoami").code == 0


def test_a_person_is_asked_at_the_terminal(stack: ExitStack, tmp_path: Path) -> None:
    server = start(stack, tmp_path, "--tls", "auto")
    variables = CommandLine(server.addresses[1], tmp_path / "state").environment(CHATBOOTH_PASSWORD=PASSWORD)
    for answer, code in (("no", 7), ("yes", 0)):
        child = pexpect.spawn(CLIENT[0], [*CLIENT[1:], "signup", "ann"], env=variables, timeout=_PATIENCE)
        child.expect_exact(server.fingerprint)
        child.expect_exact("Trust this certificate from now on? Type yes, or the fingerprint: ")
        child.sendline(answer)
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == code
    assert CommandLine(server.addresses[1], tmp_path / "state")("whoami").out == "ann\n"


def test_a_replaced_certificate_is_served_after_sighup_and_a_bad_one_never(stack: ExitStack, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    files = authority.issue()
    server = start(stack, tmp_path, "--tls-cert", str(files.certificate), "--tls-key", str(files.key))
    chatbooth = CommandLine(server.addresses[0], tmp_path / "state")
    chatbooth.variables["SSL_CERT_FILE"] = str(authority.file)
    assert chatbooth("signup", "ann").code == 0
    files.key.write_text("broken")
    server.process.send_signal(signal.SIGHUP)
    server.wait_for("the new certificate is not taken, and the old one stays")
    assert chatbooth("whoami").code == 0
    authority.issue()
    server.process.send_signal(signal.SIGHUP)
    server.wait_for("new connections see the certificate that was just read")
    # The authorities vouch for the new one too, so nobody is asked.
    assert chatbooth("whoami").code == 0


def test_a_certificate_that_cannot_be_used_keeps_the_server_from_starting(tmp_path: Path) -> None:
    files = Authority(tmp_path).issue()
    words = ["--store", str(tmp_path / "chat.db"), "--tls-cert", str(files.certificate), "--tls-key", "/absent.key"]
    command = [sys.executable, "-m", "chatbooth_grpc.server", *words]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=_PATIENCE, check=False)
    assert done.returncode == 1
    assert done.stderr == "chatbooth: /absent.key: no such file or directory\n"
