"""A known server stays known, privately, and a damaged file never counts as an unknown server."""

from __future__ import annotations

import json
import ssl
import stat
from pathlib import Path

import pytest

from chatbooth_grpc.client.state.known_servers import KnownServer, KnownServers
from chatbooth_grpc.tls.fingerprints import fingerprint_of

PINNED = KnownServer(ssl.DER_cert_to_PEM_cert(b"one"), fingerprint_of(b"one"), "chat.example")


@pytest.fixture
def servers(tmp_path: Path) -> KnownServers:
    return KnownServers(tmp_path / "state" / "servers")


def test_a_server_is_known_after_it_was_kept(servers: KnownServers) -> None:
    assert servers.load("grpc+tls://chat.example:1") is None
    servers.keep("grpc+tls://chat.example:1", PINNED)
    assert servers.load("grpc+tls://chat.example:1") == PINNED
    assert servers.load("grpc+tls://chat.example:2") is None
    servers.keep("grpc+tls://chat.example:1", KnownServer())
    assert servers.load("grpc+tls://chat.example:1") == KnownServer()


@pytest.mark.parametrize("other", ["chat.example:1", "wire+tls://chat.example.:1", "wire://chat.example:1"])
def test_the_same_port_is_the_same_server_with_and_without_tls(servers: KnownServers, other: str) -> None:
    servers.keep("grpc+tls://chat.example:1", PINNED)
    assert servers.load(other) == PINNED


def test_the_names_of_this_machine_are_one_server(servers: KnownServers) -> None:
    servers.keep("grpc+tls://localhost:1", PINNED)
    assert servers.load("127.0.0.1:1") == PINNED


def test_a_forgotten_server_is_unknown(servers: KnownServers) -> None:
    servers.keep("chat.example:1", PINNED)
    assert servers.forget("chat.example:1")
    assert not servers.forget("chat.example:1")
    assert servers.load("chat.example:1") is None


def test_its_owner_alone_can_read_it(servers: KnownServers, tmp_path: Path) -> None:
    servers.keep("chat.example:1", PINNED)
    folder = tmp_path / "state" / "servers"
    [file] = folder.iterdir()
    assert file.name == "chat.example:1.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_a_damaged_file_is_named(servers: KnownServers, tmp_path: Path, content: bytes) -> None:
    servers.keep("chat.example:1", PINNED)
    [file] = (tmp_path / "state" / "servers").iterdir()
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"chat\.example:1\.json is damaged"):
        servers.load("chat.example:1")


@pytest.mark.parametrize(
    "wrong",
    [
        {"certificate": "garbage"},
        {"certificate": "é"},
        {"certificate": None},
        {"certificate": PINNED.certificate[:-30]},
        {"certificate": ssl.DER_cert_to_PEM_cert(b"another")},
        {"certificate": ""},
        {"fingerprint": ""},
    ],
)
def test_a_certificate_without_its_fingerprint_is_damage(
    servers: KnownServers, tmp_path: Path, wrong: dict[str, str | None]
) -> None:
    servers.keep("chat.example:1", PINNED)
    [file] = (tmp_path / "state" / "servers").iterdir()
    file.write_text(json.dumps(json.loads(file.read_text()) | wrong))
    with pytest.raises(ValueError, match=r"chat\.example:1\.json is damaged"):
        servers.load("chat.example:1")


def test_a_file_of_a_newer_version_is_not_used(servers: KnownServers, tmp_path: Path) -> None:
    servers.keep("chat.example:1", PINNED)
    [file] = (tmp_path / "state" / "servers").iterdir()
    file.write_text(file.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(ValueError, match="newer chatbooth"):
        servers.load("chat.example:1")
