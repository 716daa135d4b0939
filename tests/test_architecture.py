"""The rooms of the package, and which of them each may import."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "chatbooth_grpc"
TOP_LEVEL = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}

ROOMS: dict[str, set[str]] = {
    "": {"_gen", "booth", "client.library", "client.state", "unix_sockets"},
    "booth": set(),
    "store": {"booth"},
    "store.sqlite": {"booth", "store", "store.sqlite.sql"},
    "store.sqlite.sql": set(),
    "live": {"booth"},
    "rpc": {"booth", "_gen"},
    "rpc.grpcio": {"booth", "live"},
    "rpc.server": {"booth", "live", "rpc", "rpc.grpcio", "tls", "_gen", "addresses", "unix_sockets"},
    "tls": set(),
    "wire": set(),
    "wire.encoding": {"booth"},
    "wire.streams": set(),
    "wire.server": {"booth", "live", "wire.encoding", "wire.streams", "addresses", "unix_sockets"},
    "wire.client": {"booth", "wire.encoding", "wire.streams"},
    "metrics": {"booth", "addresses"},
    "tracing": {"booth", "rpc"},
    "server": {"booth", "live", "metrics", "tracing", "tls", "addresses", "durations", "environment", "unix_sockets"},
    # The command line of an administrator is made of the same parts as that of a user.
    "admin": {
        *("booth", "admin.commands", "client.commands.parsing", "client.failures", "client.terminal", "environment"),
    },
    "admin.commands": {"booth", "rpc", "client.commands.parsing", "client.failures", "client.terminal", "durations"},
    "client": {"booth", "client.library", "client.state"},
    "client.failures": {"booth", "server_address"},
    "client.state": {"booth", "client.failures", "tls", "server_address"},
    "client.library": {
        *("booth", "rpc", "wire.client", "wire.streams", "client.state", "tls", "_gen", "server_address"),
    },
    "client.terminal": {"booth", "client.failures"},
    "client.commands": {
        *("booth", "client.commands.parsing", "client.commands.tasks", "client.failures", "client.state"),
        *("client.terminal", "client.library", "environment", "server_address"),
    },
    "client.commands.parsing": {"booth", "client.failures", "durations", "tls", "server_address"},
    "client.commands.tasks": {
        *("booth", "client.failures", "client.state", "client.library", "client.terminal", "tls", "server_address"),
    },
}
"""The rooms that each room may import, beside itself. A room is a folder, and "" is the package's own."""

ONLY_IN_MAIN = {
    "server": {"store.sqlite", "rpc.server", "wire.server", "wire.streams", "generated", "streams"},
    "admin": {"store.sqlite", "generated", "streams"},
    "client": {"client.commands", "client.failures", "client.terminal", *TOP_LEVEL},
}
"""The imports of a room's __main__ alone, which wires everything up."""

CLIENT_OF_BOOTH = {
    "actions",
    "causes",
    "error_reasons",
    "errors",
    "message_ids",
    "model",
    "repeating",
    "rules",
    "tokens",
    "trust_errors",
    "unicode",
}
STRANGERS = {
    "booth": {"grpc", "google", "apsw", "sqlite3", "socket"},
    "store": {"grpc", "google", "socket", "apsw", "sqlite3"},
    "live": {"grpc", "google", "apsw", "sqlite3", "socket"},
    "tls": {"grpc", "google", "apsw", "sqlite3"},
    "wire": {"grpc", "google", "apsw", "sqlite3"},
    "wire.encoding": {"socket", "threading", "select", "selectors"},
    "client.state": {"grpc", "google", "socket"},
    "client.terminal": {"grpc", "google", "socket"},
}
"""Libraries that a room, and every room inside it, must not import."""

FAMILIAR = {"store.sqlite": {"apsw"}}
"""Strangers of an outer room that a room inside it may import."""


def imports_of(source: str) -> Iterator[str]:
    """Yield the full names of the modules that a source imports, at any place in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def wrong_imports(room: str, is_main: bool, source: str) -> set[str]:
    """Return the imports by which a source of a room points the wrong way."""
    allowed = ROOMS[room] | {room} | (ONLY_IN_MAIN.get(room, set()) if is_main else set())
    return {name for name in imports_of(source) if _is_strange(name, room) or _is_wrong(name, room, allowed)}


def _is_strange(name: str, room: str) -> bool:
    strangers = {each for outer, names in STRANGERS.items() if f"{room}.".startswith(f"{outer}.") for each in names}
    strangers -= FAMILIAR.get(room, set())
    return any(f"{name}.".startswith(f"{stranger}.") for stranger in strangers)


def _is_wrong(name: str, room: str, allowed: set[str]) -> bool:
    package, _, inside = name.partition(".")
    if package != "chatbooth_grpc" or inside in {"", "__version__"}:
        return False
    found = _room_of(inside)
    if found is None:
        # The package itself, a folder that has rooms, or a name of a module that is checked anyway.
        return False
    if "__main__" in inside or found not in allowed:
        return True
    module = inside.removeprefix(f"{found}.").partition(".")[0]
    return room.startswith("client") and found == "booth" and inside != "booth" and module not in CLIENT_OF_BOOTH


def _room_of(inside: str) -> str | None:
    """Return the room of a module, or the module itself if it lies in no folder."""
    first = inside.partition(".")[0]
    if first in TOP_LEVEL or first == "_gen":
        return first
    parts = inside.split(".")
    rooms = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    return next((room for room in rooms if room in ROOMS), None)


SOURCES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.relative_to(PACKAGE).parts[0] != "_gen"]


def room_of(path: Path) -> str:
    """Return the room in which a source lies."""
    return ".".join(path.relative_to(PACKAGE).parts[:-1])


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_arrow_points_the_wrong_way(path: Path) -> None:
    assert wrong_imports(room_of(path), path.name == "__main__.py", path.read_text(encoding="utf-8")) == set()


def test_every_room_is_known() -> None:
    assert {room_of(path) for path in SOURCES} == set(ROOMS)


def cycle_of(arrows: dict[str, set[str]]) -> list[str]:
    """Return rooms that import each other in a circle; an empty list if there are none."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        return circle
    return []


def test_no_rooms_import_each_other_in_a_circle() -> None:
    assert cycle_of(ROOMS) == []


def test_a_circle_of_rooms_is_found() -> None:
    assert cycle_of({**ROOMS, "store": {"booth", "store.sqlite"}})


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("booth", "import grpc"),
        ("booth", "from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore"),
        ("booth", "def f():\n    import apsw"),
        ("live", "from chatbooth_grpc.server import flags"),
        ("store", "from chatbooth_grpc.live.switchboard import Switchboard"),
        ("client", "from chatbooth_grpc.booth.booth import Booth"),
        ("client", "from chatbooth_grpc.wire.server.wire_server import WireServer"),
        ("server", "from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore"),
        ("wire.encoding", "import socket"),
        ("wire.server", "from chatbooth_grpc.wire.client import sockets"),
        ("wire.server", "from chatbooth_grpc.server.__main__ import main"),
        ("rpc.server", "from chatbooth_grpc.server.flags import Settings"),
        ("rpc.grpcio", "from chatbooth_grpc.rpc.server.servicer import ChatServicer"),
        ("admin.commands", "from chatbooth_grpc.store.sqlite.sqlite_place import SQLitePlace"),
        ("admin.commands", "from chatbooth_grpc.rpc.server.admin_server import AdminServer"),
        ("store", "import apsw"),
        ("store", "from chatbooth_grpc.store.sqlite.failures import cause_of"),
        ("store.sqlite", "import grpc"),
        ("store.sqlite", "import sqlite3"),
        ("client.state", "from chatbooth_grpc.client.library.chat_client import ChatClient"),
        ("client.library", "from chatbooth_grpc.client.terminal.output import Output"),
        ("client.commands.parsing", "from chatbooth_grpc.client.commands.table import COMMANDS"),
        ("client.commands.tasks", "from chatbooth_grpc.client.commands.send import run"),
    ],
)
def test_a_wrong_arrow_is_found(room: str, source: str) -> None:
    assert wrong_imports(room, False, source)


REACHERS = {"getattr", "setattr", "hasattr", "delattr", "attrgetter", "methodcaller", "import_module", "__import__"}
"""Functions that look up a name which a string gives."""


def private_names(source: str) -> set[str]:
    """Return the private names of grpcio that a source imports or looks up."""
    knows_grpc = any(_is_of_grpc(name) for name in imports_of(source))
    reached = {name for node in ast.walk(ast.parse(source)) for name in _reached_by(node, knows_grpc)}
    return {name for name in reached if _is_private(name)} | private_imports(source)


def private_imports(source: str) -> set[str]:
    """Return the private modules and names of grpcio that a source imports."""
    return {name for name in imports_of(source) if _is_of_grpc(name) and _is_private(name)}


def _reached_by(node: ast.AST, knows_grpc: bool) -> Iterator[str]:
    """Yield the names that a node looks up in another object, if they can be names of gRPC."""
    if isinstance(node, ast.Attribute) and ast.unparse(node.value) not in {"self", "cls"}:
        names = [node.attr]
    elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in REACHERS:
        names = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    else:
        names = []
    yield from (name for name in names if _is_of_grpc(name) or _is_mark(name) or (knows_grpc and name.isidentifier()))


def _is_of_grpc(name: str) -> bool:
    return name.partition(".")[0] in {"grpc", "grpc_health", "grpc_status"}


def _is_mark(name: str) -> bool:
    """Return whether this names one of the marks on behaviours that grpcio's private code reads."""
    return name.startswith("experimental_")


def _is_private(name: str) -> bool:
    parts = name.split(".")
    return any(_is_mark(part) or (part.startswith("_") and not part.endswith("__")) for part in parts)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_one_room_knows_the_private_names_of_grpcio(path: Path) -> None:
    if room_of(path) != "rpc.grpcio":
        assert private_names(path.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize("folder", ["tests", "bench", "scripts"])
def test_only_the_tests_of_that_room_import_private_names_of_grpcio(folder: str) -> None:
    paths = (PACKAGE.parent / folder).rglob("*.py")
    importing = {path.parent for path in paths if private_imports(path.read_text(encoding="utf-8"))}
    assert importing <= {PACKAGE.parent / "tests" / "rpc" / "grpcio"}


@pytest.mark.parametrize(
    "source",
    [
        "from grpc import _server",
        "import grpc._cython.cygrpc",
        "def f():\n    from grpc._server import _status",
        "import grpc\n\ndef f(context):\n    return context._state.callbacks",
        "import grpc\n\ngrpc._common.encode('x')",
        "import grpc\n\ndef f(context):\n    return getattr(context, '_rpc_event')",
        "import importlib\n\nimportlib.import_module('grpc._server')",
        "def f(): ...\n\nf.experimental_non_blocking = True",
        "def f(): ...\n\nsetattr(f, 'experimental_thread_pool', None)",
    ],
)
def test_a_private_name_of_grpcio_is_found(source: str) -> None:
    assert private_names(source)


def test_public_names_of_grpcio_are_allowed() -> None:
    source = "import grpc\n\nclass A:\n    def f(self):\n        self._server = grpc.server(self.__class__)\n"
    assert not private_names(source)


def test_only_the_main_module_wires_up() -> None:
    source = "from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore"
    assert not wrong_imports("server", True, source)
