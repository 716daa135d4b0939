"""The guide for operators: its commands are valid, its drill works, and the alerts find their sections."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from chatbooth_grpc.admin.arguments import parse
from chatbooth_grpc.client.commands.arguments import parse as parse_client
from chatbooth_grpc.environment import SERVER_VARIABLES
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.acceptance.documents import ROOT, blocks, commands
from tests.acceptance.processes import ServerProcess, environment
from tests.contract.stores import send_texts, sign_up
from tests.test_document_links import headings_of
from tests.waiting import PATIENCE

PAGE = "docs/operations.md"
WORDS = (ROOT / PAGE).read_text(encoding="utf-8")
TYPED = [command.typed for block in blocks(PAGE, "console") for command in commands(block)]
ADMINISTRATORS = [typed for typed in TYPED if re.search(r"chatbooth-admin |as_chatbooth (?!\()", typed)]
RUNBOOK = {
    *("store-cannot-write", "backup-is-late", "certificate-expires", "log-in-flood", "queue-is-deep"),
    *("delivery-is-slow", "server-is-down", "callers-are-throttled"),
}


def administrators_words(typed: str) -> list[str]:
    """Return the words that a typed line gives to the command of an administrator."""
    words = shlex.split(re.sub(r".*?(chatbooth-admin chatbooth|chatbooth-admin|as_chatbooth) ", "", typed, count=1))
    return [word for word in words if word != "--entrypoint"]


def test_the_runbook_has_a_section_for_each_alert() -> None:
    rules = (ROOT / "deploy" / "prometheus" / "chatbooth.rules.yml").read_text(encoding="utf-8")
    assert {*re.findall(r"runbook: docs/operations\.md#(\S+)", rules)} <= RUNBOOK
    assert headings_of(WORDS) >= RUNBOOK


@pytest.mark.parametrize("typed", [typed for typed in ADMINISTRATORS if '"$@"' not in typed])
def test_each_command_of_an_administrator_is_valid(typed: str) -> None:
    parse(administrators_words(typed))


def test_the_command_of_a_user_is_valid() -> None:
    [typed] = [typed for typed in TYPED if typed.startswith("chatbooth --server")]
    parse_client(shlex.split(typed.replace("SHA256:…", f"SHA256:{'0' * 64}"))[1:])


def test_each_file_of_the_tree_that_the_guide_names_is_there() -> None:
    named = {*re.findall(r"(?<![\w/-])deploy/[\w./-]*\w", WORDS)}
    assert {"deploy/systemd/chatbooth.service", "deploy/fail2ban/jail.conf"} <= named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_each_variable_that_the_guide_names_is_of_the_server() -> None:
    named = {*re.findall(r"\bCHATBOOTH_[A-Z_]+", WORDS)}
    assert named - SERVER_VARIABLES == set()


def test_the_extras_that_the_guide_installs_exist() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for extras in {*re.findall(r"'\.\[([\w,]+)\]'|EXTRAS=([\w,]+)", WORDS)}:
        for name in "".join(extras).split(","):
            assert re.search(rf"^{name} = \[", project, re.MULTILINE)


def test_the_drill_works_beside_a_running_server(tmp_path: Path) -> None:
    [drill] = [block for block in blocks(PAGE, "console") if "drill" in block]
    [name] = {*re.findall(r"backups/(\S+\.db)", drill)}
    (tmp_path / "backups").mkdir()
    store = tmp_path / "chatbooth.db"
    with SQLiteStore(store) as opened:
        ann = sign_up(opened, "ann")
        send_texts(opened, ann, "ann", "hello")
    server = ServerProcess(store)
    try:
        run(tmp_path, f"chatbooth-admin --store {store} backup backups/{name}")
        shown = run(tmp_path, "\n".join(command.typed for command in commands(drill)))
        run(tmp_path, f"chatbooth-admin --store {store} ping")
    finally:
        server.end()
    assert re.search(r"^messages +1$", shown, re.MULTILINE)
    assert re.search(r"^ann ", shown, re.MULTILINE)


def run(folder: Path, typed: str) -> str:
    """Run lines that were typed in a folder. Return what they printed on standard output."""
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    program = programs / "chatbooth-admin"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m chatbooth_grpc.admin "$@"\n')
    program.chmod(0o755)
    own = environment()
    variables = {**own, "PATH": f"{programs}:{own['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-e"],
        input=typed,
        capture_output=True,
        text=True,
        cwd=folder,
        env=variables,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# fail2ban


def test_the_jail_reads_the_filter_of_its_name_and_blocks_the_servers_port() -> None:
    folder = ROOT / "deploy" / "fail2ban"
    jail = (folder / "jail.conf").read_text(encoding="utf-8")
    assert "filter = chatbooth\n" in jail
    assert "port = 50051\n" in jail
    assert "/etc/fail2ban/filter.d/chatbooth.conf" in WORDS
    assert "_SYSTEMD_UNIT=chatbooth.service" in (folder / "filter.conf").read_text(encoding="utf-8")
