"""The private names of grpcio that this room uses are as it expects them."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from grpc import _server as internals
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # compiled, without types

from chatbooth_grpc.rpc.grpcio import expectations
from chatbooth_grpc.rpc.grpcio.expectations import TRIED_VERSIONS, differences

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"


def test_the_installed_grpcio_is_as_expected() -> None:
    moved = differences()
    assert not moved, f"grpcio {version('grpcio')} has moved {moved}; tried were {' and '.join(TRIED_VERSIONS)}"


@pytest.mark.parametrize("name", [*expectations.EXPECTED_FUNCTIONS, *expectations.EXPECTED_STRINGS, "_RPCState"])
def test_a_name_that_is_gone_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(internals, name)
    assert name in differences()


@pytest.mark.parametrize("name", expectations.EXPECTED_CORE)
def test_a_name_of_the_core_that_is_gone_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cygrpc, name)
    assert differences() == [name]


def test_a_call_that_works_otherwise_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cygrpc, "Call", object)
    assert differences() == [f"Call.{name}" for name in expectations.EXPECTED_CALL]


@pytest.mark.parametrize("name", expectations.EXPECTED_FUNCTIONS)
def test_a_function_that_takes_other_arguments_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(internals, name, lambda state, another: None)
    assert name in differences()


@pytest.mark.parametrize("name", [*expectations.EXPECTED_STATE, "condition", "context"])
def test_a_state_that_lacks_an_attribute_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    state_class: Any = internals._RPCState

    def made() -> Any:
        state = state_class()
        delattr(state, name)
        return state

    monkeypatch.setattr(internals, "_RPCState", made)
    assert f"_RPCState.{name}" in differences()


def test_a_pool_that_no_mark_chooses_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(internals, "_select_thread_pool_for_behavior", lambda behavior, default: default)
    assert differences() == ["experimental_thread_pool"]


def test_a_request_that_another_function_receives_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def receive(rpc_event: object, state: object, request_deserializer: object) -> object:
        return lambda: None

    monkeypatch.setattr(internals, "_unary_request", receive)
    assert differences() == [expectations.RECEIVES_ONE]


def test_the_tried_versions_are_those_of_the_requirements() -> None:
    floor = re.search(r'"grpcio>=([\d.]+),', PYPROJECT.read_text(encoding="utf-8"))
    assert floor
    assert TRIED_VERSIONS[0].startswith(f"{floor[1]}.")


def test_every_private_name_that_the_room_uses_is_expected() -> None:
    folder = Path(expectations.__file__).parent
    sources = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    expected = {*expectations.EXPECTED_FUNCTIONS, *expectations.EXPECTED_STRINGS}
    assert set(re.findall(r"internals\.(\w+)", sources)) == expected - {"_unary_request"}
    assert set(re.findall(r"cygrpc\.(\w+)", sources)) == set(expectations.EXPECTED_CORE)
    assert set(re.findall(r"rpc_event\.call\.(\w+)", sources)) == set(expectations.EXPECTED_CALL)
    of_state = set(re.findall(r"state\.(\w+)", sources))
    assert of_state == {*expectations.EXPECTED_STATE, "condition", "context"}
