"""A process that is killed at any step of a sign-up has made the account and counted the use, or neither."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from itertools import count
from pathlib import Path

from chatbooth_grpc.booth.invites import NewInvite
from tests.contract.stores import SQLiteHome, names_of
from tests.store.killed_sign_up import CODE_HASH

ROOT = Path(__file__).parents[3]


def test_a_killed_sign_up_loses_no_use_and_counts_none_twice(home: SQLiteHome, tmp_path: Path) -> None:
    with home.open() as store:
        store.administration.create_invite(NewInvite(CODE_HASH, max_uses=9, lifetime=None))
    seen = set()
    for number in count():
        copy = SQLiteHome(tmp_path / f"killed at {number}")
        shutil.copytree(home.path.parent, copy.path.parent, dirs_exist_ok=True)
        command = [sys.executable, "-m", "tests.store.killed_sign_up", str(copy.path), str(number)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False, text=True)
        assert done.returncode in {0, -signal.SIGKILL}, done.stderr
        with copy.open() as store:
            accounts, [invite] = names_of(store), store.administration.invites(0, 9)
        assert invite.uses == len(accounts)
        assert set(done.stdout.split()) <= set(accounts)
        seen.add(invite.uses)
        if done.returncode == 0:
            break
    assert seen == {0, 1, 2}
