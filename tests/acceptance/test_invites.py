"""An administrator invites people to a real server, and they sign up by both wires and at a terminal."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests.acceptance.processes import CLIENT, PASSWORD, CommandLine, ServerProcess
from tests.acceptance.terminals import answer, code, secret
from tests.acceptance.test_administration import admin

pytestmark = pytest.mark.filterwarnings(
    # The child of pexpect becomes another program at once.
    "ignore:.*multi-threaded, use of forkpty:DeprecationWarning"
)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home" / "chatbooth.db"


@pytest.fixture
def server(store: Path) -> Iterator[ServerProcess]:
    """A server on both wires that asks for an invite code."""
    server = ServerProcess(store, flags=("--wire-port", "0", "--sign-up", "invite"))
    yield server
    server.end()


def new_code(store: Path, *flags: str) -> str:
    """Make an invite, and return its code."""
    done = admin(store, "invite", "create", *flags)
    assert done.code == 0, done.err
    return done.out.strip()


@pytest.mark.parametrize("wire", ["grpc", "wire"])
def test_a_code_lets_one_person_sign_up(server: ServerProcess, store: Path, tmp_path: Path, wire: str) -> None:
    chatbooth = CommandLine(server.addresses[wire], tmp_path / "state")
    typed = new_code(store)
    without = chatbooth("signup", "ann")
    assert (without.code, "only with an invite code" in without.err) == (1, True)
    assert chatbooth("signup", "ann", "--invite", "-", typed=f"{typed.lower()}\n").code == 0
    for word in (typed, "no code"):
        refused = chatbooth("signup", "bob", CHATBOOTH_INVITE=word)
        assert (refused.code, "invite code is not good" in refused.err) == (1, True)
    [used] = admin(store, "invite", "list", "--json").records
    assert (used["state"], used["uses"]) == ("USED_UP", 1)
    assert "ann" not in used.values()
    assert [user["username"] for user in admin(store, "users", "--json").records] == ["ann"]


def test_a_person_at_a_terminal_is_asked_for_the_code(server: ServerProcess, store: Path, tmp_path: Path) -> None:
    chatbooth = CommandLine(server.address, tmp_path / "state", {})
    typed = new_code(store)
    child = pexpect.spawn(
        CLIENT[0], [*CLIENT[1:], "signup", "ann"], env=chatbooth.environment(TERM="xterm"), encoding="utf-8", timeout=60
    )
    secret(child, "Password for ann: ", PASSWORD)
    secret(child, "The same again: ", PASSWORD)
    answer(child, "Invite code: ", typed)
    child.expect_exact("Signed up as ann")
    assert code(child) == 0


def test_invites_are_kept_when_the_server_is_killed_and_made_while_it_is_stopped(store: Path, tmp_path: Path) -> None:
    flags = ("--sign-up", "invite")
    first = ServerProcess(store, flags=flags)
    before, revoked = new_code(store, "--uses", "2"), new_code(store)
    assert admin(store, "invite", "revoke", "2").code == 0
    assert CommandLine(first.address, tmp_path / "one")("signup", "ann", "--invite", before).code == 0
    first.end(signal.SIGKILL)
    stopped = new_code(store)
    second = ServerProcess(store, flags=flags)
    chatbooth = CommandLine(second.address, tmp_path / "two")
    outcomes = [
        chatbooth("signup", name, "--invite", word).code
        for name, word in (("bob", before), ("carol", before), ("carol", revoked), ("carol", stopped))
    ]
    second.end()
    assert outcomes == [0, 1, 1, 0]
