"""The stubs: complete or absent, the same every time, importable by their full name."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import gen_protos

SCRIPT = Path(gen_protos.__file__)

PROTO = """
syntax = "proto3";
package small.v1;
import "google/protobuf/timestamp.proto";
message Ping { google.protobuf.Timestamp time = 1; }
service Pinger { rpc Send(Ping) returns (Ping); }
"""


@pytest.fixture
def protos(tmp_path: Path) -> Path:
    """Return a folder with one .proto of the test's own, so that a test can break it."""
    folder = tmp_path / "protos"
    folder.mkdir()
    (folder / "small.proto").write_text(PROTO)
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "chatbooth_grpc" / "_gen"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def run(*arguments: object, python: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *python, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_generating_twice_gives_the_same(protos: Path, out: Path) -> None:
    names = gen_protos.generate(out, protos)
    first = contents(out)
    assert sorted(first) == sorted(names)
    assert {"__init__.py", "small_pb2.py", "small_pb2.pyi", "small_pb2_grpc.py"} <= first.keys()
    gen_protos.generate(out, protos)
    assert contents(out) == first


def test_the_project_s_stubs_import_by_their_full_name(out: Path, tmp_path: Path) -> None:
    assert run("--out", out).returncode == 0
    (out.parent / "__init__.py").touch()
    program = (
        "import chatbooth_grpc._gen.chatbooth_pb2_grpc as stubs; "
        "print(stubs.__file__, stubs.chatbooth__grpc_dot___gen_dot_chatbooth__pb2.__name__)"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(out / "chatbooth_pb2_grpc.py"), "chatbooth_grpc._gen.chatbooth_pb2"]


def test_the_command_says_in_one_line_what_it_wrote(out: Path) -> None:
    done = run("--out", out)
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    assert "chatbooth_pb2_grpc.py" in line
    assert f"grpcio-tools {gen_protos.tools_version()}" in line


def test_current_stubs_are_not_written_again(out: Path) -> None:
    run("--out", out)
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    assert run("--out", out, "--if-changed").stdout == ""
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == before


def test_a_change_of_the_proto_makes_the_stubs_stale(protos: Path, out: Path) -> None:
    assert not gen_protos.is_current(out, protos)
    gen_protos.generate(out, protos)
    assert gen_protos.is_current(out, protos)
    (protos / "small.proto").write_text(PROTO + "// more\n")
    assert not gen_protos.is_current(out, protos)


def test_another_grpcio_tools_makes_the_stubs_stale(protos: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gen_protos.generate(out, protos)
    monkeypatch.setattr(gen_protos, "tools_version", lambda: "0.0.1")
    assert not gen_protos.is_current(out, protos)


def test_a_broken_proto_leaves_the_old_stubs(protos: Path, out: Path) -> None:
    gen_protos.generate(out, protos)
    before = contents(out)
    (protos / "small.proto").write_text(PROTO + "message {")
    with pytest.raises(gen_protos.GenerationError, match=r"small\.proto:\d+:\d+"):
        gen_protos.generate(out, protos)
    assert contents(out) == before


def test_stubs_of_a_removed_proto_are_removed_too(protos: Path, out: Path) -> None:
    (protos / "other.proto").write_text('syntax = "proto3";\npackage other.v1;\n')
    assert "other_pb2.py" in gen_protos.generate(out, protos)
    (protos / "other.proto").unlink()
    gen_protos.generate(out, protos)
    assert not list(out.glob("other*"))


@pytest.fixture
def runs_at_once(out: Path) -> Iterator[list[subprocess.Popen[str]]]:
    command = [sys.executable, str(SCRIPT), "--out", str(out)]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    yield runs
    for each in runs:
        each.kill()
        each.communicate()


def test_runs_at_the_same_time_do_not_disturb_each_other(runs_at_once: list[subprocess.Popen[str]], out: Path) -> None:
    outcomes = [(each.communicate()[1], each.returncode) for each in runs_at_once]
    assert outcomes == [("", 0)] * 4
    assert gen_protos.is_current(out)
    assert {path.name for path in out.iterdir()} == set(gen_protos.generate(out))


def test_a_missing_grpcio_tools_is_reported_in_one_line(out: Path) -> None:
    done = run("--out", out, python=("-I", "-S"))  # -S: without site-packages
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "has no grpcio-tools" in line
    assert not out.exists()
