"""The lists of packages agree, and conda-forge can meet every range."""

from __future__ import annotations

import ast
import importlib
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

yaml = pytest.importorskip("yaml")
rattler = pytest.importorskip("rattler")

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ("env-x86.yml", "env-arm.yml")

# requirements.txt has these beyond the runtime: generating code and running tests.
TOOLS = ("grpcio-tools", "pytest")

# The newest versions seen on conda-forge for linux-64, linux-aarch64, osx-64 and osx-arm64, in 2026. Whoever raises a
# floor past one of these looks first whether conda-forge has followed.
CONDA_FORGE = {
    "apsw": "3.53.4.0",
    "argon2-cffi": "25.1.0",
    "google-re2": "1.1.20251105",
    "grpcio": "1.81.1",
    "grpcio-health-checking": "1.80.0",
    "grpcio-status": "1.81.0",
    "grpcio-tools": "1.81.1",
    "protobuf": "7.35.1",
    "pytest": "9.0.2",
    "python": "3.14.0",
    "uuid-utils": "0.16.0",
}


@cache
def project() -> Any:
    # tomllib came with Python 3.11; mypy and pytest bring tomli to older ones.
    try:
        tomllib = importlib.import_module("tomllib")
    except ModuleNotFoundError:
        tomllib = importlib.import_module("tomli")
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def ranges(requirements: list[str]) -> dict[str, SpecifierSet]:
    parsed = [Requirement(line) for line in requirements]
    assert len({requirement.name for requirement in parsed}) == len(parsed)
    return {requirement.name: requirement.specifier for requirement in parsed}


def expected_ranges() -> dict[str, SpecifierSet]:
    extras = ranges(project()["project"]["optional-dependencies"]["test"])
    runtime = ranges(project()["project"]["dependencies"])
    return runtime | {name: extras[name] for name in TOOLS}


def requirements_txt() -> dict[str, SpecifierSet]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return ranges([line for line in lines if line and not line.startswith("#")])


def environment(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def conda_specs(name: str) -> dict[str, str]:
    specs = environment(name)["dependencies"]
    assert all(isinstance(spec, str) for spec in specs), "a pip section has no comparison here"
    return dict(spec.split(" ", 1) for spec in specs)


def test_requirements_txt_repeats_pyproject() -> None:
    assert requirements_txt() == expected_ranges()


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_conda_environment_repeats_requirements_txt(name: str) -> None:
    specs = {package: SpecifierSet(spec) for package, spec in conda_specs(name).items()}
    python = specs.pop("python")
    assert specs == requirements_txt()
    assert project()["project"]["requires-python"] in {str(part) for part in python}


def test_the_conda_environments_differ_in_comments_only() -> None:
    first, second = (environment(name) for name in ENVIRONMENTS)
    assert first == second


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_conda_environment_takes_ranges_from_conda_forge_only(name: str) -> None:
    assert environment(name)["channels"] == ["conda-forge", "nodefaults"]
    for package, spec in conda_specs(name).items():
        match = rattler.MatchSpec(f"{package} {spec}", strict=True)
        assert match.build is None
        assert str(match.version) == spec, "a range, and nothing more"


@pytest.mark.parametrize("package", sorted(CONDA_FORGE))
def test_conda_forge_has_a_version_in_range(package: str) -> None:
    spec = rattler.VersionSpec(conda_specs(ENVIRONMENTS[0])[package])
    assert spec.matches(rattler.Version(CONDA_FORGE[package]))


def test_every_range_was_looked_up_on_conda_forge() -> None:
    assert conda_specs(ENVIRONMENTS[0]).keys() == CONDA_FORGE.keys()


def test_the_grpc_packages_end_together() -> None:
    ends = {
        str(part)
        for name, specifier in expected_ranges().items()
        if name.startswith("grpcio")
        for part in specifier
        if part.operator == "<"
    }
    assert len(ends) == 1


def test_the_wheel_is_generated_by_the_oldest_grpcio_tools_allowed() -> None:
    requires = {Requirement(line).name: Requirement(line) for line in project()["build-system"]["requires"]}
    (pin,) = requires["grpcio-tools"].specifier
    assert pin.operator == "=="
    for name in ("grpcio", "grpcio-tools"):
        floor = next(part.version for part in expected_ranges()[name] if part.operator == ">=")
        assert pin.version in (floor, f"{floor}.0")


def named_extras() -> set[tuple[str, str]]:
    """Return the packages that the server says are missing, each with the extra that brings it."""
    return {
        (str(package.value), str(extra.value))
        for path in (ROOT / "chatbooth_grpc").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "ExtraMissing"
        for _, package, extra in [node.args]
        if isinstance(package, ast.Constant) and isinstance(extra, ast.Constant)
    }


def test_an_extra_brings_the_package_that_the_server_asks_for() -> None:
    extras = project()["project"]["optional-dependencies"]
    named = named_extras()
    assert {extra for _, extra in named} >= {"metrics", "reflection", "traces"}
    assert {(package, extra) for package, extra in named if package not in ranges(extras[extra])} == set()


def test_the_tests_have_every_extra_of_the_server() -> None:
    extras = project()["project"]["optional-dependencies"]
    [whole] = [Requirement(line) for line in extras["test"] if Requirement(line).name == "chatbooth"]
    assert whole.extras == extras.keys() - {"test", "dev"}


@pytest.mark.parametrize("command", ["chatbooth", "chatbooth-server", "chatbooth-admin"])
def test_a_console_script_resolves(command: str) -> None:
    module, _, attribute = project()["project"]["scripts"][command].partition(":")
    assert callable(getattr(importlib.import_module(module), attribute))


def test_the_version_can_be_published() -> None:
    from chatbooth_grpc import __version__

    assert re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", __version__)


@pytest.mark.parametrize("path", [*sorted(ROOT.glob("scripts/*.sh")), ROOT / ".ci" / "run"], ids=lambda path: path.name)
def test_a_script_can_be_run(path: Path) -> None:
    assert os.access(path, os.X_OK)
    assert path.read_text(encoding="utf-8").startswith("#!/usr/bin/env bash\n")
