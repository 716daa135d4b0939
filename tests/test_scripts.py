"""The scripts: called by any name and in any environment, they run the code of their tree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.processes import environment

ROOT = Path(__file__).parents[1]
SCRIPTS = (
    *("client.sh", "serve.sh", "setup.sh", "gen_protos.sh"),
    *("test.sh", "test_pythons.sh", "coverage.sh", "lint.sh", "check_wheel.sh"),
)
VERSION = "chatbooth 9.9.9"


def installed(folder: Path) -> Path:
    """Return a tree of another version in `folder`, with an environment that counts as set up."""
    for name in ("scripts", "chatbooth_grpc", "proto"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "requirements.txt", "main.py"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "chatbooth_grpc" / "__init__.py").write_text('__version__ = "9.9.9"\n')
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (folder / ".venv" / "pyvenv.cfg").touch()
    stamp = 'source "$1/scripts/setup.sh"; stamp >"$venv/.chatbooth-dev"'
    subprocess.run(["bash", "-c", stamp, "-", str(folder)], check=True, env=environment(), timeout=60)
    return folder


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tree whose folder has a name that is hard for shells."""
    folder = tmp_path_factory.mktemp("trees") / "a b*[c]\n'\"$d"
    folder.mkdir()
    return installed(folder)


def version(*command: str | Path, cwd: Path | None = None, **variables: str) -> str:
    """Return what a script prints for --version. It must print nothing on standard error."""
    done = subprocess.run(
        [*command, "--version"],
        cwd=cwd,
        env={**environment(), **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


@pytest.mark.parametrize("script", ["client.sh", "serve.sh"])
def test_a_script_is_found_through_every_kind_of_link(script: str, tree: Path, tmp_path: Path) -> None:
    bin_folder = tmp_path / "bin dir"
    bin_folder.mkdir()
    real = tree / "scripts" / script
    (bin_folder / "absolute").symlink_to(real)
    (bin_folder / "relative").symlink_to(os.path.relpath(real, bin_folder))
    (bin_folder / "chain").symlink_to("relative")
    (tmp_path / "far").symlink_to("bin dir/chain")
    (tmp_path / "folder").symlink_to(tree)
    assert version(real) == VERSION
    for name in ("absolute", "relative", "chain"):
        assert version(bin_folder / name) == VERSION
        assert version(f"./{name}", cwd=bin_folder) == VERSION
        assert version("bash", name, cwd=bin_folder) == VERSION
        assert version("bash", "-c", f'{name} "$@"', "-", PATH=f"{bin_folder}:{os.environ['PATH']}") == VERSION
    assert version(tmp_path / "far") == VERSION
    assert version(tmp_path / "folder" / "scripts" / script) == VERSION
    assert version(f"folder/scripts/{script}", cwd=tmp_path) == VERSION
    assert version("bash", script, cwd=tree / "scripts") == VERSION


@pytest.mark.parametrize(
    "variables",
    [
        {"CDPATH": ".:/tmp"},
        {"PYTHONHOME": "/nowhere"},
        {"PYTHONSAFEPATH": "1"},
        {"PYTHONPATH": "HOSTILE"},
        {"SHELLOPTS": "braceexpand:nounset:noclobber"},
        {"HOME": "relative"},
        {"CDPATH": "/", "PYTHONHOME": "", "PYTHONPATH": "", "PYTHONINSPECT": "1"},
    ],
    ids=" ".join,
)
def test_the_callers_environment_changes_nothing(variables: dict[str, str], tree: Path, tmp_path: Path) -> None:
    for name in ("json", "runpy", "argparse", "grpc", "pip"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from elsewhere')\n")
    hostile = {name: str(tmp_path) if value == "HOSTILE" else value for name, value in variables.items()}
    for script in ("client.sh", "serve.sh"):
        assert version(tree / "scripts" / script, cwd=tmp_path, **hostile) == VERSION
        assert version(f"scripts/{script}", cwd=tree, **hostile) == VERSION
    assert sorted(path.name for path in tree.parent.iterdir()) == [tree.name]


def test_advice_names_a_command_as_it_can_be_typed(tree: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", tree / "scripts" / "client.sh", "--server", "h:1", "whoami"],
        env={**environment(), "XDG_STATE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search("Type: (.*)", done.stderr)
    assert found
    typed = found[1].replace("USERNAME", "--help")
    again = subprocess.run(["bash", "-c", typed], env=environment(), capture_output=True, text=True, check=False)
    assert (again.returncode, again.stdout[:7]) == (0, "usage: ")


def test_the_server_names_the_script_that_was_typed(tree: Path) -> None:
    done = subprocess.run(
        ["bash", "scripts/serve.sh", "--moon"], cwd=tree, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.stderr == "chatbooth: there is no flag --moon; scripts/serve.sh --help lists the flags\n"


def test_every_script_finds_its_folder_in_the_same_way() -> None:
    pieces = set()
    for name in SCRIPTS:
        words = (ROOT / "scripts" / name).read_text(encoding="utf-8")
        piece = re.search(r"^script=.*?^case \$script in \*/\*\) scripts=.*?$", words, re.MULTILINE | re.DOTALL)
        assert piece, name
        pieces.add(piece[0])
        assert "dirname" not in words
    assert len(pieces) == 1
    assert sorted(SCRIPTS) == sorted(path.name for path in (ROOT / "scripts").glob("*.sh"))


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="there is no shellcheck")
def test_the_scripts_pass_shellcheck() -> None:
    scripts = [ROOT / "scripts" / name for name in SCRIPTS]
    subprocess.run(["shellcheck", "-x", "-P", "SCRIPTDIR", "--severity=warning", *scripts], check=True)
