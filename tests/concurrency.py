"""The threads and locks in the package's source, and a tracer of taken locks."""

from __future__ import annotations

import ast
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

PACKAGE = Path(__file__).parents[1] / "chatbooth_grpc"

_LOCKS = {"Lock", "RLock", "Condition"}
_SEMAPHORES = {"Semaphore", "BoundedSemaphore"}
_PLACEHOLDER = "N"
"""Stands for the part of a thread's name that is computed."""


class Place(NamedTuple):
    """Something in a source: the file, relative to the package, and a name in it."""

    path: str
    name: str


def sources() -> Iterator[tuple[str, ast.Module]]:
    """Yield each source of the package by its path relative to the package, without the generated ones."""
    for path in sorted(PACKAGE.rglob("*.py")):
        relative = path.relative_to(PACKAGE)
        if relative.parts[0] != "_gen":
            yield str(relative), ast.parse(path.read_text(encoding="utf-8"))


def threads_of(path: str, tree: ast.Module) -> set[Place]:
    """Return the names of the threads that a source starts; an empty name if a thread has none."""
    found: set[Place] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _last_name(node.func) == "Thread":
            found |= {Place(path, name) for name in _names(tree, _keyword(node, "name"))}
        elif isinstance(node, ast.Call) and (prefix := _keyword(node, "thread_name_prefix")) is not None:
            found |= {Place(path, f"{name}_{_PLACEHOLDER}") for name in _names(tree, prefix)}
        elif isinstance(node, ast.ClassDef) and "Thread" in map(_last_name, node.bases):
            makers = [each for each in ast.walk(node) if isinstance(each, ast.Call) and _is_super_init(each)]
            names = [name for each in makers for name in _names(tree, _keyword(each, "name"))]
            found |= {Place(path, name) for name in names or [""]}
    return found


def _last_name(expression: ast.expr) -> str:
    return ast.unparse(expression).rpartition(".")[2]


def _is_super_init(call: ast.Call) -> bool:
    return ast.unparse(call.func) == "super().__init__"


def _names(tree: ast.Module, name: ast.expr | None) -> set[str]:
    """Return the texts that a name's expression stands for. For a parameter, return the values that calls pass."""
    if name is None:
        return {""}
    if isinstance(name, ast.Constant):
        return {str(name.value)}
    if isinstance(name, ast.JoinedStr):
        return {"".join(str(part.value) if isinstance(part, ast.Constant) else _PLACEHOLDER for part in name.values)}
    return set(_passed(tree, ast.unparse(name))) or {ast.unparse(name)}


def _passed(tree: ast.Module, parameter: str) -> Iterator[str]:
    """Yield the constants that calls in a source pass as the named first parameter of its functions."""
    functions = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and parameter in [each.arg for each in node.args.args[:2]]
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _last_name(node.func) in functions and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((each.value for each in call.keywords if each.arg == name), None)


def locks_of(path: str, tree: ast.Module) -> dict[int, Place]:
    """Return the locks that a source makes, by the line of the call that makes them."""
    return {line: Place(path, name) for line, name in _made_in(tree, _LOCKS)}


def semaphores_of(path: str, tree: ast.Module) -> set[Place]:
    """Return the semaphores that a source makes."""
    return {Place(path, name) for _, name in _made_in(tree, _SEMAPHORES)}


def _made_in(node: ast.AST, kinds: set[str], owner: str = "", target: str = "") -> Iterator[tuple[int, str]]:
    """Yield line and name of each lock. `target`: the name to which the statement around the node assigns."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call) and _makes(child, kinds):
            yield child.lineno, owner + target
        inner = f"{child.name}." if isinstance(child, ast.ClassDef) else owner
        yield from _made_in(child, kinds, inner, _target(child) or target)


def _makes(call: ast.Call, kinds: set[str]) -> bool:
    """Return whether a call makes one of these. A Condition over another lock is that lock."""
    module, _, kind = ast.unparse(call.func).rpartition(".")
    return module in {"threading", ""} and kind in kinds and not (kind == "Condition" and call.args)


def _target(node: ast.AST) -> str:
    """Return the name to which a statement assigns. It is empty if the statement is no assignment."""
    if isinstance(node, ast.Assign):
        return ast.unparse(node.targets[-1]).removeprefix("self.")
    return ast.unparse(node.target).removeprefix("self.") if isinstance(node, ast.AnnAssign) else ""


class Order:
    """The locks that were taken while others were held, on any thread."""

    def __init__(self) -> None:
        self.pairs: set[tuple[Place, Place]] = set()
        self.taken: set[Place] = set()
        self._held = threading.local()
        self._lines = {(path, line): lock for path, tree in sources() for line, lock in locks_of(path, tree).items()}

    def traced(self, make: Callable[[], Any]) -> Callable[[], Any]:
        """Return a function that makes locks as `make` does, and traces those of the package."""

        def made() -> Any:
            place = self._place(sys._getframe(1))
            return make() if place is None else TracedLock(make(), place, self)

        return made

    def note_taken(self, place: Place) -> None:
        """Note that the calling thread has taken a lock."""
        held = self._held_here()
        self.pairs.update((outer, place) for outer in held)
        self.taken.add(place)
        held.append(place)

    def note_released(self, place: Place) -> None:
        """Note that the calling thread has released a lock."""
        held = self._held_here()
        if place in held:
            held.remove(place)

    def _held_here(self) -> list[Place]:
        held: list[Place] | None = getattr(self._held, "places", None)
        if held is None:
            held = self._held.places = []
        return held

    def _place(self, frame: FrameType | None) -> Place | None:
        """Return where in the package a lock is made, or None if that is elsewhere."""
        while frame is not None and frame.f_code.co_filename == threading.__file__:
            frame = frame.f_back
        if frame is None or not Path(frame.f_code.co_filename).is_relative_to(PACKAGE):
            return None
        return self._lines.get((str(Path(frame.f_code.co_filename).relative_to(PACKAGE)), frame.f_lineno))


class TracedLock:
    """A lock that tells an Order when it is taken and released. A Condition may use it."""

    def __init__(self, lock: Any, place: Place, order: Order) -> None:
        self._lock = lock
        self._place = place
        self._order = order
        if hasattr(lock, "_release_save"):
            # A Condition asks an RLock for these, and takes them from here.
            self._release_save = lock._release_save
            self._acquire_restore = lock._acquire_restore
            self._is_owned = lock._is_owned

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock."""
        is_taken: bool = self._lock.acquire(blocking, timeout)
        if is_taken:
            self._order.note_taken(self._place)
        return is_taken

    def release(self) -> None:
        """Release the lock."""
        self._order.note_released(self._place)
        self._lock.release()

    def locked(self) -> bool:
        """Return whether the lock is taken."""
        return bool(self._lock.locked())

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()
