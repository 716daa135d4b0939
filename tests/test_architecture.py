"""The house's arrows: which room may import which."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "chatbooth_grpc"

ROOMS: dict[str, set[str]] = {
    "booth": set(),
    "store": {"booth"},
    "live": {"booth"},
    "rpc": {"booth", "_gen"},
    "wire": {"booth", "live", "addresses"},
    "server": {"booth", "live", "rpc", "_gen", "addresses", "environment"},
    "client": {"booth", "rpc", "wire", "_gen", "environment"},
}
"""What each room may import of the package, beside itself."""

ONLY_IN_MAIN = {"server": {"store", "wire", "generated", "streams"}, "client": {"generated", "streams"}}
"""What only the room's __main__ may import: it wires things up."""

CLIENT_OF_BOOTH = {"causes", "errors", "model", "repeating", "rules"}
CLIENT_OF_WIRE = {"client"}
STRANGERS = {
    "booth": {"grpc", "google", "apsw", "sqlite3", "socket", "chatbooth_grpc._gen"},
    "store": {"grpc", "google", "socket"},
    "live": {"grpc", "google", "apsw", "sqlite3", "socket"},
    "wire": {"grpc", "google", "apsw", "sqlite3"},
}
"""Libraries that a room must not know."""


def imports_of(source: str) -> Iterator[str]:
    """Yield the modules that a source imports, by their full names, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def wrong_imports(room: str, is_main: bool, source: str) -> set[str]:
    """Return the imports by which a source of a room points the wrong way."""
    allowed = ROOMS[room] | {room} | (ONLY_IN_MAIN.get(room, set()) if is_main else set())
    return {name for name in imports_of(source) if _is_wrong(name, room, allowed)}


def _is_wrong(name: str, room: str, allowed: set[str]) -> bool:
    if any(name == stranger or name.startswith(f"{stranger}.") for stranger in STRANGERS.get(room, ())):
        return True
    package, _, inside = name.partition(".")
    if package != "chatbooth_grpc" or inside in {"", "__version__"}:
        return False
    other, _, module = inside.partition(".")
    if other not in allowed or "__main__" in inside:
        return True
    if room == "client" and module:
        only = {"booth": CLIENT_OF_BOOTH, "wire": CLIENT_OF_WIRE}.get(other)
        return only is not None and module.partition(".")[0] not in only
    return False


SOURCES = [path for room in ROOMS for path in sorted((PACKAGE / room).rglob("*.py"))]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_arrow_points_the_wrong_way(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0]
    assert wrong_imports(room, path.name == "__main__.py", path.read_text(encoding="utf-8")) == set()


def test_every_room_is_known() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir() and not path.name.startswith("_")}
    assert rooms == set(ROOMS)


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
        ("wire", "from chatbooth_grpc.server.__main__ import main"),
    ],
)
def test_a_wrong_arrow_is_found(room: str, source: str) -> None:
    assert wrong_imports(room, False, source)


def test_only_the_main_module_wires_up() -> None:
    source = "from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore"
    assert not wrong_imports("server", True, source)
