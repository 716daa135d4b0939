"""Files that are replaced whole: private, and complete after a crash."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from chatbooth_grpc.client.state.durable_file import replace_file


def test_a_file_is_private_before_anything_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    fdopen = os.fdopen

    def looking(handle: int, mode: str) -> Any:
        state = os.fstat(handle)
        seen.append((stat.S_IMODE(state.st_mode), state.st_size))
        return fdopen(handle, mode)

    monkeypatch.setattr(os, "fdopen", looking)
    before = os.umask(0)
    try:
        replace_file(tmp_path / "secret", b"secret")
    finally:
        os.umask(before)
    assert seen == [(0o600, 0)]
    assert (tmp_path / "secret").read_bytes() == b"secret"
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


@pytest.mark.parametrize(("owner", "step"), [(os, "fsync"), (Path, "replace")])
def test_a_crash_leaves_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: object, step: str
) -> None:
    def crash(*_: object) -> None:
        raise OSError("disk")

    path = tmp_path / "file"
    replace_file(path, b"old")
    with monkeypatch.context() as patched:
        patched.setattr(owner, step, crash)
        with pytest.raises(OSError, match="disk"):
            replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    replace_file(path, b"new")
    assert path.read_bytes() == b"new"


def test_two_files_that_differ_in_their_suffix_do_not_collide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = []
    monkeypatch.setattr(Path, "replace", lambda path, _: left.append(path.name))
    for name in ("bot.state", "bot.json"):
        replace_file(tmp_path / name, b"")
    assert len(set(left)) == 2
