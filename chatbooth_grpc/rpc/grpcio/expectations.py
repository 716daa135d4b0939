"""Checks that the installed grpcio has the private names that this room uses."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

TRIED_VERSIONS = ("1.81.0", "1.85.3")
"""The oldest and the newest grpcio with which all tests of this room ran."""

_RESPOND = "rpc_event state behavior argument_thunk request_deserializer response_serializer"

EXPECTED_FUNCTIONS = {
    "_Context": "rpc_event state request_deserializer",
    "_abort": "state call code details",
    "_call_behavior": "rpc_event state behavior argument request_deserializer send_response_callback",
    "_get_initial_metadata_operation": "state metadata",
    "_is_rpc_state_active": "state",
    "_possibly_finish_call": "state token",
    "_receive_message": "state call request_deserializer",
    "_send_response": "rpc_event state serialized_response",
    "_serialize_response": "rpc_event state response response_serializer",
    "_status": "rpc_event state serialized_response",
    "_stream_response_in_pool": _RESPOND,
    "_take_response_from_response_iterator": "rpc_event state response_iterator",
    "_unary_request": "rpc_event state request_deserializer",
    "_unary_response_in_pool": _RESPOND,
}
"""The functions of `grpc._server` that this room calls or recognises, and their parameters."""

EXPECTED_STRINGS = (
    "_CLOSED",
    "_RECEIVE_MESSAGE_TOKEN",
    "_SEND_INITIAL_METADATA_AND_SEND_MESSAGE_TOKEN",
    "_SEND_MESSAGE_TOKEN",
)
"""The constants of `grpc._server` that this room compares and stores."""

EXPECTED_STATE = {
    "callbacks": [],
    "client": "open",
    "due": set(),
    "initial_metadata_allowed": True,
    "request": None,
    "statused": False,
}
"""The attributes of a new call's state that this room reads or sets. It also uses `condition` and `context`."""

_STATE_METHODS = (("condition", "__enter__"), ("condition", "acquire"), ("condition", "release"), ("context", "run"))

EXPECTED_CORE = ("ReceiveMessageOperation", "SendMessageOperation", "StatusCode")
"""The names of the compiled core that this room uses."""

EXPECTED_CALL = ("cancel", "peer", "start_server_batch")
"""The methods of the compiled `Call` that this room uses."""

# A pool recognises by this name that a call takes one request.
RECEIVES_ONE = "unary_request"


def differences() -> list[str]:
    """Return the names by which the installed grpcio differs from the expected one. Empty if there is no difference."""
    try:
        server = importlib.import_module("grpc._server")
        core: Any = importlib.import_module("grpc._cython.cygrpc")
    except ImportError as error:
        return [error.name or str(error)]
    missing = [name for name in EXPECTED_CORE if not hasattr(core, name)]
    missing += [f"Call.{name}" for name in EXPECTED_CALL if not hasattr(getattr(core, "Call", None), name)]
    return [*_different_functions(server), *_different_strings(server), *_different_state(server), *missing]


def _different_functions(server: Any) -> Iterator[str]:
    for name, parameters in EXPECTED_FUNCTIONS.items():
        if not _has_parameters(getattr(server, name, None), parameters.split()):
            yield name
    if getattr(server, "_unary_request", None) and _name_of_receiver(server) != RECEIVES_ONE:
        yield RECEIVES_ONE
    if _asked_of_futures(server) != {"add_done_callback"}:
        yield "_process_event_and_continue"
    if "experimental_thread_pool" not in _constants_of(getattr(server, "_select_thread_pool_for_behavior", None)):
        yield "experimental_thread_pool"


def _has_parameters(function: Any, parameters: list[str]) -> bool:
    return (inspect.isfunction(function) or inspect.isclass(function)) and list(
        inspect.signature(function).parameters
    ) == parameters


def _name_of_receiver(server: Any) -> str | None:
    try:
        return getattr(server._unary_request(None, None, None), "__name__", None)
    # Any exception means that this is another grpcio.
    except Exception:  # noqa: BLE001
        return None


def _asked_of_futures(server: Any) -> set[str]:
    """Return the methods of a future that gRPC's event thread uses. A call that answers later stands in for one."""
    # gRPC's logger has a method of this name too.
    methods = {name for name in dir(Future) if not name.startswith("_")} - {"exception"}
    return methods.intersection(_constants_of(getattr(server, "_process_event_and_continue", None)))


def _constants_of(function: Any) -> tuple[Any, ...]:
    """Return the names and constants that a function's code uses."""
    code = getattr(function, "__code__", None)
    return (*code.co_names, *code.co_consts) if code else ()


def _different_strings(server: Any) -> Iterator[str]:
    return (name for name in EXPECTED_STRINGS if not isinstance(getattr(server, name, None), str))


def _different_state(server: Any) -> Iterator[str]:
    try:
        state = server._RPCState()
    # Any exception means that this is another grpcio.
    except Exception:  # noqa: BLE001
        yield "_RPCState"
        return
    missing = object()
    for name, value in EXPECTED_STATE.items():
        if getattr(state, name, missing) != value:
            yield f"_RPCState.{name}"
    for name, method in _STATE_METHODS:
        if not hasattr(getattr(state, name, None), method):
            yield f"_RPCState.{name}"
