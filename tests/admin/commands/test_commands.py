"""Each command of an administrator, on a stopped store and on one that a server serves."""

from __future__ import annotations

import io
import json
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chatbooth_grpc.admin.arguments import parse
from chatbooth_grpc.admin.commands.context import Context, NotSound
from chatbooth_grpc.admin.commands.ping import NotRunning, NotServing
from chatbooth_grpc.admin.commands.reaching import reach
from chatbooth_grpc.admin.commands.showing import size
from chatbooth_grpc.admin.commands.table import load
from chatbooth_grpc.booth.admin_store import MaintenanceFailed
from chatbooth_grpc.booth.administration import AdminActions, Administration
from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.errors import AccountDisabled, InvalidInvite, InviteNotFound, RecipientNotFound
from chatbooth_grpc.booth.invites import hash_code
from chatbooth_grpc.client.failures.command_failure import Misuse
from chatbooth_grpc.client.failures.exit_codes import FAILED, UNREACHABLE
from chatbooth_grpc.client.terminal.output import Output
from chatbooth_grpc.client.terminal.passwords import Passwords
from chatbooth_grpc.client.terminal.prompts import Prompts
from chatbooth_grpc.rpc.server.admin_server import AdminServer
from chatbooth_grpc.store.sqlite.sqlite_place import SQLitePlace
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.booth.cheap_passwords import PASSWORD, cheap_passwords
from tests.contract.stores import send_texts, sign_up
from tests.store.beside import sqlite
from tests.waiting import wait_until


class Desk:
    """A store with ann and bob, who has a message, and commands that are run on it."""

    def __init__(self, path: Path, *, is_served: bool) -> None:
        self.path = path
        self._is_served = is_served
        self._serving = ExitStack()
        with SQLiteStore(path) as store:
            ann = sign_up(store, "ann")
            Booth(store, passwords=cheap_passwords()).sign_up("bob", PASSWORD)
            send_texts(store, ann, "bob", "hello")
        self.start()

    def start(self) -> None:
        """Serve the store, if it is served in this test."""
        if self._is_served:
            store = self._serving.enter_context(SQLiteStore(self.path))
            server = AdminServer(Administration(store.administration, passwords=cheap_passwords()), self.path)
            server.start()
            self._serving.callback(server.stop)

    @contextmanager
    def actions(self) -> Iterator[AdminActions]:
        """Give what an administrator can do, as the commands get it."""
        with reach(self.path, SQLitePlace(self.path)) as actions:
            yield actions

    def stop(self) -> None:
        """End the server, if there is one."""
        self._serving.close()

    def run(self, *words: str, typed: str = "") -> tuple[str, str]:
        """Run a command; return what it printed on both streams."""
        parsed = parse(words)
        out, err = io.StringIO(), io.StringIO()
        prompts = Prompts(io.BytesIO(typed.encode()), err)
        passwords = Passwords(prompts, {}, from_stdin=getattr(parsed, "password_stdin", False))
        output = Output(out, err, as_json=parsed.json, quiet=parsed.quiet)
        context = Context(self.path, SQLitePlace(self.path), output, prompts, passwords)
        load(parsed.command).run(context, parsed)
        return out.getvalue(), err.getvalue()

    def records(self, *words: str, typed: str = "") -> list[dict[str, Any]]:
        """Run a command with --json; return its records."""
        out, err = self.run(*words, "--json", typed=typed)
        assert err == ""
        return [json.loads(line) for line in out.splitlines()]

    def log_in(self, username: str, password: str) -> None:
        """Log in, which ends what serves the store."""
        self.stop()
        with SQLiteStore(self.path) as store:
            Booth(store, passwords=cheap_passwords()).log_in(username, password)
        self.start()


@pytest.fixture(params=[False, True], ids=["stopped", "served"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    (tmp_path / "home").mkdir()
    desk = Desk(tmp_path / "home" / "chatbooth.db", is_served=request.param)
    yield desk
    desk.stop()


def test_users(desk: Desk) -> None:
    out, _ = desk.run("users")
    assert [line.split()[0] for line in out.splitlines()] == ["ann", "bob"]
    assert "unacknowledged 1" in out.splitlines()[1]
    [bob] = desk.records("users", "^b")
    assert {"username": "bob", "account_id": 2, "sessions": 1, "unacknowledged": 1, "disabled": False}.items() <= (
        bob.items()
    )
    assert bob["create_time"].endswith("Z")
    assert len(desk.records("users", "--max", "1")) == 1


def test_disable_and_enable(desk: Desk) -> None:
    assert desk.records("disable", "bob") == [{"username": "bob", "disabled": True, "sessions_ended": 1}]
    [bob] = desk.records("users", "^b")
    assert (bob["disabled"], bob["last_use_time"]) == (True, None)
    assert "disabled" in desk.run("users", "^b")[0]
    with pytest.raises(AccountDisabled):
        desk.log_in("bob", PASSWORD)
    desk.start()
    assert "Enabled bob" in desk.run("enable", "bob")[1]
    desk.log_in("bob", PASSWORD)


def test_reset_password_makes_one_or_reads_one(desk: Desk) -> None:
    out, err = desk.run("reset-password", "bob")
    assert "Sessions ended: 1" in err
    password = out.strip()
    assert len(password) >= 16
    desk.log_in("bob", password)
    [record] = desk.records("reset-password", "bob", "--password-stdin", typed="a typed password\n")
    assert record == {"username": "bob", "sessions_ended": 1}
    desk.log_in("bob", "a typed password")


def test_delete_asks_or_is_told(desk: Desk) -> None:
    with pytest.raises(Misuse, match="--yes"):
        desk.run("delete", "bob")
    [record] = desk.records("delete", "bob", "--yes")
    assert record == {"username": "bob", "messages_removed": 1, "sessions_ended": 1}
    assert [user["username"] for user in desk.records("users")] == ["ann"]
    with pytest.raises(RecipientNotFound):
        desk.run("delete", "bob", "--yes")


def test_invite_makes_a_code_that_is_printed_once(desk: Desk) -> None:
    out, err = desk.run("invite", "create", "--note", "for Zoë")
    code = out.strip()
    assert hash_code(code) is not None
    assert re.search(r"Made invite 1: used 0 of 1, good until \d{4}-\d\d-\d\dT", err)
    assert "not shown again" in err
    [record] = desk.records("invite", "create", "--uses", "5", "--expires", "never")
    assert hash_code(str(record.pop("code"))) is not None
    first, second = desk.records("invite", "list")
    assert second == record
    assert (record["invite_id"], record["state"], record["max_uses"], record["uses"]) == (2, "OPEN", 5, 0)
    assert (record["end_time"], record["note"], first["note"]) == (None, "", "for Zoë")
    listed, _ = desk.run("invite", "list")
    assert code not in listed
    assert re.fullmatch(r"1 +used 0 of 1, good until \S+  for Zoë\n2 +used 0 of 5, without end\n", listed)


def test_invite_expires_when_it_is_told(desk: Desk) -> None:
    [week] = desk.records("invite", "create")
    [hour] = desk.records("invite", "create", "--expires", "1h")
    for record, expected in ((week, timedelta(days=7)), (hour, timedelta(hours=1))):
        made, end = (
            datetime.fromisoformat(record[name].replace("Z", "+00:00")) for name in ("create_time", "end_time")
        )
        assert end - made == expected


def test_invite_revoke_ends_one(desk: Desk) -> None:
    desk.run("invite", "create")
    assert desk.records("invite", "revoke", "1") == [{"invite_id": 1, "revoked": True}]
    assert "Revoked invite 1" in desk.run("invite", "revoke", "1")[1]
    assert re.search(r"1 +used 0 of 1, revoked \S+\n", desk.run("invite", "list")[0])
    with pytest.raises(InviteNotFound, match="no invite 2"):
        desk.run("invite", "revoke", "2")


def test_invite_lists_more_than_a_page(desk: Desk) -> None:
    with desk.actions() as actions:
        for _ in range(101):
            actions.create_invite()
    assert [record["invite_id"] for record in desk.records("invite", "list")] == [*range(1, 102)]


@pytest.mark.parametrize(
    "words",
    [
        ("revoke",),
        ("list", "1"),
        ("create", "1"),
        ("list", "--uses", "2"),
        ("revoke", "1", "--expires", "1d"),
        ("list", "--note", "x"),
    ],
)
def test_invite_refuses_words_that_do_not_fit(desk: Desk, words: tuple[str, ...]) -> None:
    with pytest.raises(Misuse):
        desk.run("invite", *words)


def test_invite_refuses_what_no_invite_can_be(desk: Desk) -> None:
    for words in (("--uses", "1000001"), ("--expires", "3651d"), ("--note", "x" * 201)):
        with pytest.raises(InvalidInvite):
            desk.run("invite", "create", *words)
    assert desk.records("invite", "list") == []


def test_export_prints_or_writes_a_private_file(desk: Desk, tmp_path: Path) -> None:
    records = desk.records("export", "bob")
    assert [record["record"] for record in records] == ["account", "session", "received"]
    file = tmp_path / "bob.jsonl"
    assert "Wrote 3 records" in desk.run("export", "bob", str(file))[1]
    assert [json.loads(line) for line in file.read_text().splitlines()] == records
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(Misuse, match="exists already"):
        desk.run("export", "bob", str(file))
    desk.run("export", "ann", str(file), "--force")
    assert "ann" in file.read_text().splitlines()[0]
    with pytest.raises(RecipientNotFound):
        desk.run("export", "nobody", str(tmp_path / "nobody.jsonl"))
    assert {path.name for path in tmp_path.iterdir()} == {"home", "bob.jsonl"}


def test_stats(desk: Desk) -> None:
    [record] = desk.records("stats")
    assert (record["accounts"], record["messages"], len(record["epoch"])) == (2, 1, 32)
    assert "accounts" in desk.run("stats")[0]


def test_ping_of_a_server_that_runs(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "chatbooth.db", is_served=True)
    assert desk.records("ping") == [{"serving": True, "store": str(desk.path)}]
    assert "runs and can write" in desk.run("ping")[1]
    desk.stop()
    with pytest.raises(NotRunning, match="No server serves") as refused:
        desk.run("ping")
    assert refused.value.exit_code == UNREACHABLE


def test_ping_says_why_a_server_cannot_write(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "chatbooth.db", is_served=True)
    elsewhere = desk.path.rename(tmp_path / "elsewhere.db")

    def refusal() -> str:
        try:
            desk.run("ping")
        except NotServing as failure:
            return str(failure)
        return ""

    wait_until(lambda: f"{desk.path}: no such file" in refusal())
    elsewhere.rename(desk.path)
    wait_until(lambda: refusal() == "")
    assert NotServing.exit_code == FAILED
    desk.stop()


def test_backup_verify_and_restore(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    [made] = desk.records("backup", str(file))
    assert made == {"path": str(file), "size": file.stat().st_size, "messages": 1}
    [verified] = desk.records("verify", str(file))
    assert (verified["sound"], verified["messages"]) == (True, 1)
    assert "is sound" in desk.run("verify", str(file))[1]
    [before] = desk.records("stats")
    desk.run("delete", "bob", "--yes")
    desk.stop()
    with pytest.raises(Misuse, match="--yes"):
        desk.run("restore", str(file))
    [restored] = desk.records("restore", str(file), "--yes")
    assert restored["messages"] == 1
    assert Path(restored["former"]).exists()
    desk.start()
    assert [user["username"] for user in desk.records("users")] == ["ann", "bob"]
    [after] = desk.records("stats")
    assert after["epoch"] != before["epoch"]


def test_a_backup_into_a_folder_is_named_by_its_time_and_replaces_the_oldest(desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    old = [folder / f"chatbooth-2026010{day}T020000Z.db" for day in (1, 2)]
    for path in old:
        path.touch()
    [made] = desk.records("backup", str(folder), "--keep", "2")
    path = Path(made["path"])
    assert re.fullmatch(r"chatbooth-\d{8}T\d{6}Z\.db", path.name)
    assert {*folder.iterdir()} == {old[1], path}
    assert desk.records("verify", str(path))[0]["sound"]
    with pytest.raises(Misuse, match="--keep needs a folder"):
        desk.run("backup", str(folder / "one.db"), "--keep", "2")
    assert {*folder.iterdir()} == {old[1], path}
    # The second backup has the name of the first one if both are made within a second.
    assert re.search("Older backups removed: [12]", desk.run("backup", str(folder), "--force", "--keep", "1")[1])


def test_a_served_store_is_not_restored(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "chatbooth.db", is_served=True)
    desk.run("backup", str(tmp_path / "backup.db"))
    with pytest.raises(MaintenanceFailed, match="Stop it first"):
        desk.run("restore", str(tmp_path / "backup.db"), "--yes")
    desk.stop()


def test_verify_prints_what_is_wrong(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    desk.run("backup", str(file))
    content = bytearray(file.read_bytes())
    content[2 * 4096 + 8 : 5 * 4096] = bytes(3 * 4096 - 8)
    file.write_bytes(content)
    with pytest.raises(NotSound, match="not sound"):
        desk.run("verify", str(file))


def test_check(desk: Desk) -> None:
    assert desk.records("check") == [{"sound": True}]
    desk.stop()

    class Home:
        path = desk.path

    with sqlite(Home()) as connection:  # type: ignore[arg-type]
        connection.execute("DELETE FROM messages")
    desk.start()
    with pytest.raises(NotSound, match="1 problem was found"):
        desk.run("check")


def test_vacuum(desk: Desk) -> None:
    [record] = desk.records("vacuum")
    assert record["size_after"] > 0


def test_a_store_that_is_not_there_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.db", tmp_path / "nowhere" / "none.db"):
        context = Context(path, SQLitePlace(path), *[None] * 3)  # type: ignore[arg-type]
        with pytest.raises(MaintenanceFailed, match="There is no store"), context.actions():
            pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("count", "words"), [(0, "0 bytes"), (1 << 10, "1.0 KiB"), (3 << 29, "1.5 GiB")])
def test_sizes_are_shown_in_words(count: int, words: str) -> None:
    assert size(count) == words


def test_progress_is_shown_to_a_person_alone(tmp_path: Path) -> None:
    shown: list[str] = []

    class Shown(Output):
        def show_passing(self, words: str) -> None:
            shown.append(words)

    desk = Desk(tmp_path / "chatbooth.db", is_served=False)
    output = Shown(io.StringIO(), io.StringIO(), as_json=False)
    prompts = Prompts(io.BytesIO(), io.StringIO())
    context = Context(desk.path, SQLitePlace(desk.path), output, prompts, Passwords(prompts, {}, from_stdin=False))
    parsed = parse(["backup", str(tmp_path / "backup.db")])
    run: Callable[..., None] = load("backup").run
    run(context, parsed)
    assert "copying… 100%" in shown
    assert shown[-1] == ""
