"""The image and the composition: whether their parts exist, are strict, and fit each other."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from chatbooth_grpc.admin.commands.table import COMMANDS
from chatbooth_grpc.environment import SERVER_VARIABLES
from chatbooth_grpc.server.flags import parse_settings
from tests.acceptance.processes import environment
from tests.deploy import image
from tests.deploy.image import ROOT, listed, words_of
from tests.waiting import PATIENCE, wait_until

COMPOSITION: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVER = COMPOSITION["services"]["chatbooth"]
PROMETHEUS = COMPOSITION["services"]["prometheus"]
KNOWN = {"ARG", "FROM", "WORKDIR", "RUN", "COPY", "ENV", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL"}
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
OTHER_USER = 65_534


# The Dockerfile


def test_each_instruction_is_known_and_each_source_is_there() -> None:
    assert [name for name, _ in image.instructions() if name not in {*KNOWN, "HEALTHCHECK", "ENTRYPOINT"}] == []
    assert image.copied() != []
    assert [source for source in image.copied() if not (ROOT / source).exists() or image.is_ignored(source)] == []


def test_the_rest_of_the_tree_stays_out() -> None:
    hidden = [".git/config", "tests/waiting.py", "chatbooth.db", "chatbooth_grpc/_gen/admin_pb2.py", "scripts/setup.sh"]
    assert [path for path in [*hidden, "chatbooth_grpc/booth/__pycache__/x.pyc"] if not image.is_ignored(path)] == []


def test_the_version_of_python_is_one_that_the_project_knows() -> None:
    [python] = [words for words in words_of("ARG") if words.startswith("PYTHON=")]
    found = re.fullmatch(r"PYTHON=docker\.io/library/python:(3\.\d+)-slim-\w+", python)
    assert found is not None
    assert f"Python :: {found[1]}" in PROJECT


def test_the_extras_exist() -> None:
    [extras] = [words.removeprefix("EXTRAS=") for words in words_of("ARG") if words.startswith("EXTRAS=")]
    assert [name for name in extras.split(",") if not re.search(rf"^{name} = \[", PROJECT, re.MULTILINE)] == []


def test_the_server_runs_as_nobody_special() -> None:
    [user] = words_of("USER")
    number, _, group = user.partition(":")
    assert number.isdecimal()
    assert int(number) > 1_000
    assert group == number
    order = [name for name, _ in image.instructions()]
    assert order.index("USER") > max(index for index, name in enumerate(order) if name in {"RUN", "COPY"})


def test_the_commands_are_those_of_the_wheel() -> None:
    [entry] = map(listed, words_of("ENTRYPOINT"))
    [check] = map(listed, words_of("HEALTHCHECK"))
    for command in (entry[0], check[0]):
        assert re.search(rf"^{command} = ", PROJECT, re.MULTILINE)
    assert check[-1] in COMMANDS
    assert words_of("STOPSIGNAL") == ["SIGTERM"]


def test_the_environment_sets_flags_and_keeps_the_store_in_the_volume() -> None:
    own = {name: value for name, value in image.variables().items() if name != "PATH"}
    assert {*own} <= SERVER_VARIABLES
    settings = parse_settings([], own)
    assert [str(settings.store.parent)] == words_of("VOLUME") == words_of("WORKDIR")[-1:]
    assert words_of("EXPOSE") == [str(settings.port)]
    assert settings.encryption is not None


# The composition


def test_the_server_of_the_composition_may_do_no_more_than_it_needs() -> None:
    for service in (SERVER, PROMETHEUS):
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert service["security_opt"] == ["no-new-privileges:true"]
    [volume] = SERVER["volumes"]
    assert [volume.partition(":")[2]] == words_of("VOLUME")
    assert volume.partition(":")[0] in COMPOSITION["volumes"]


def test_each_network_of_a_service_is_declared() -> None:
    used = {name for service in (SERVER, PROMETHEUS) for name in service["networks"]}
    assert used == {*COMPOSITION["networks"]}


def test_the_settings_of_the_composition_are_valid() -> None:
    settings = parse_settings([], {**image.variables(), **SERVER["environment"]})
    assert int(SERVER["stop_grace_period"].rstrip("s")) > settings.drain_grace
    assert SERVER["ports"] == [f"{settings.port}:{settings.port}"]


def test_prometheus_reads_the_metrics_on_a_network_of_their_own() -> None:
    assert PROMETHEUS["profiles"] == ["metrics"]
    assert COMPOSITION["networks"]["metrics"]["internal"]
    assert "metrics" in SERVER["networks"]
    assert "metrics" in PROMETHEUS["networks"]
    for mount in PROMETHEUS["volumes"]:
        source = mount.partition(":")[0]
        assert source in COMPOSITION["volumes"] or (ROOT / source).is_file()
    read = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text(encoding="utf-8"))
    mounted = {mount.split(":")[1] for mount in PROMETHEUS["volumes"]}
    assert {f"/etc/prometheus/{name}" for name in read["rule_files"]} <= mounted
    [job] = read["scrape_configs"]
    port = SERVER["environment"]["CHATBOOTH_METRICS"].rpartition(":")[2]
    assert job["static_configs"] == [{"targets": [f"chatbooth:{port}"]}]


# The steps of the image


def built(folder: Path) -> Path:
    """Build the wheel from the files that the image is built from, and unpack it as an installation does."""
    image.copy_sources(folder / "source")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--skip-dependency-check"]
    subprocess.run(
        [*command, "--outdir", str(folder / "wheel"), str(folder / "source")],
        check=True,
        capture_output=True,
        timeout=PATIENCE,
    )
    [wheel] = (folder / "wheel").iterdir()
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "installed")
    return folder / "installed"


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("build") is None, reason="the package build is not installed")
def test_a_wheel_of_the_copied_files_serves_another_user_who_may_write_nothing_else(tmp_path: Path) -> None:
    installed = built(tmp_path)
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    other: dict[str, Any] = {}
    if os.geteuid() == 0 and can_run_as(OTHER_USER, installed):
        other = {"user": OTHER_USER, "group": OTHER_USER, "extra_groups": ()}
        os.chown(data, OTHER_USER, OTHER_USER)
    own = {"CHATBOOTH_STORE": str(data / "chatbooth.db"), "CHATBOOTH_HOST": "127.0.0.1", "CHATBOOTH_PORT": "0"}
    variables = {**environment(), **image.variables(), **own, "PYTHONPATH": str(installed), "PATH": os.defpath}
    variables["PYTHONDONTWRITEBYTECODE"] = "1"

    def run(module: str, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", module, *words]
        return subprocess.Popen(command, env=variables, cwd=data, stderr=subprocess.DEVNULL, **other)

    server = run("chatbooth_grpc.server")
    try:
        [check] = map(listed, words_of("HEALTHCHECK"))
        wait_until(lambda: run("chatbooth_grpc.admin", *check[1:]).wait(PATIENCE) == 0)
        assert {path.stat().st_uid for path in data.iterdir()} == {other.get("user", os.geteuid())}
    finally:
        server.terminate()
        assert server.wait(PATIENCE) == 0


def can_run_as(user: int, installed: Path) -> bool:
    """Return whether another user may run this Python and read the installed files."""
    for path in (installed, *installed.parents):
        path.chmod(path.stat().st_mode | 0o055)
        if path.name.startswith("pytest-of-"):
            break
    command = [sys.executable, "-c", "import grpc"]
    try:
        done = subprocess.run(
            command, user=user, group=user, extra_groups=(), capture_output=True, check=False, cwd="/"
        )
    except OSError:
        return False
    return done.returncode == 0
