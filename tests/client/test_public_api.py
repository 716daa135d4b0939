"""The public API: complete, documented, importable from one module, and cheap to import."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest

import chatbooth_grpc.client as library
from chatbooth_grpc.booth.errors import ChatboothError

PACKAGE = Path(library.__file__).parents[1]
PUBLIC = {name: getattr(library, name) for name in library.__all__}
CLASSES = {name: kind for name, kind in PUBLIC.items() if inspect.isclass(kind)}
FUNCTIONS = {name: function for name, function in PUBLIC.items() if inspect.isfunction(function)}
ALIASES = {"Event", "Sendable"}


def test_every_public_name_is_there_and_listed_once() -> None:
    assert sorted(library.__all__) == sorted(set(library.__all__))
    assert set(library.__all__) <= set(dir(library))
    assert {*CLASSES, *FUNCTIONS, *ALIASES} == set(library.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        getattr(library, "nothing")  # noqa: B009  # no type checker lets it stand otherwise


def test_type_checkers_see_the_same_names_from_the_same_modules() -> None:
    [guarded] = [node for node in ast.parse(Path(library.__file__).read_text()).body if isinstance(node, ast.If)]
    imports = [node for node in guarded.body if isinstance(node, ast.ImportFrom)]
    seen = {alias.name: node.module for node in imports for alias in node.names}
    assert set(seen) == set(library.__all__)
    checked = {name: getattr(import_module(module or ""), name) for name, module in seen.items()}
    assert checked == {name: getattr(library, name) for name in library.__all__}


def classes_of(root: type[ChatboothError]) -> Iterator[type[ChatboothError]]:
    yield root
    for child in root.__subclasses__():
        yield from classes_of(child)


def test_all_errors_are_public() -> None:
    own = {kind for kind in classes_of(ChatboothError) if kind.__module__.startswith("chatbooth_grpc.")}
    # An unknown error of a branch is caught as UnknownError or as the branch.
    server_errors = {kind for kind in own if library.UnknownError not in kind.__bases__}
    assert {kind.__name__ for kind in server_errors} <= set(library.__all__)


def public_members(kind: type) -> Iterator[tuple[str, Any]]:
    """Yield the methods and properties that a class defines itself, with its initializer."""
    for name, member in vars(kind).items():
        function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        if inspect.isfunction(function) and (name == "__init__" or not name.startswith("_")):
            yield name, function


SIGNATURES = [
    *((name, function) for name, function in FUNCTIONS.items()),
    *(
        (f"{name}.{member}", function)
        for name, kind in CLASSES.items()
        for member, function in public_members(kind)
        if not (member == "__init__" and (is_dataclass(kind) or issubclass(kind, tuple)))  # its fields say it all
    ),
]


def types_in(hint: Any) -> Iterator[type]:
    """Yield every class in an annotation."""
    if isinstance(hint, list):
        for one in hint:
            yield from types_in(one)
    elif get_args(hint):
        for one in get_args(hint):
            yield from types_in(one)
    elif inspect.isclass(hint):
        yield hint


def hints_of(function: Any) -> dict[str, Any]:
    """Return the annotations of a function, with what its module imports for type checkers only."""
    module = inspect.getmodule(function)
    known = {name: getattr(library, name) for name in library.__all__}
    if module is not None and module.__name__.endswith("chat_client"):
        from chatbooth_grpc.client.library import listening

        known |= {"Lost": listening.Lost, "Resumed": listening.Resumed}
    return get_type_hints(function, localns=known)


@pytest.mark.parametrize(("name", "function"), SIGNATURES, ids=[name for name, _ in SIGNATURES])
def test_every_type_that_a_public_signature_names_is_public(name: str, function: Any) -> None:
    named = {kind for hint in hints_of(function).values() for kind in types_in(hint)}
    ours = {kind for kind in named if kind.__module__.startswith("chatbooth_grpc")}
    assert {kind.__name__ for kind in ours} <= set(library.__all__)
    assert all(getattr(library, kind.__name__) is kind for kind in ours)


@pytest.mark.parametrize("name", CLASSES)
def test_every_type_of_a_public_field_is_public(name: str) -> None:
    named = {kind for hint in get_type_hints(CLASSES[name]).values() for kind in types_in(hint)}
    assert {kind.__name__ for kind in named if kind.__module__.startswith("chatbooth_grpc")} <= set(library.__all__)


def test_every_error_that_a_call_may_raise_is_public() -> None:
    raised = {word for _, function in SIGNATURES for word in _raised(inspect.getdoc(function) or "")}
    assert {"RecipientNotFound", "SessionInvalid"} <= raised
    assert raised - {"TypeError", "ValueError", "OSError"} <= set(library.__all__)


def _raised(words: str) -> Iterator[str]:
    """Yield the names of errors in a docstring: two capitals, as in CursorPastEnd, and only letters."""
    for word in words.replace(".", " ").replace(",", " ").replace(":", " ").replace("(", " ").replace(")", " ").split():
        if word.isalpha() and word[0].isupper() and any(letter.isupper() for letter in word[1:]) and not word.isupper():
            yield from () if word in NOT_ERRORS else (word,)


NOT_ERRORS = {"SignUp", "ChatClient", "UUIDv", "StopIteration"}


# Words


@pytest.mark.parametrize(("name", "function"), SIGNATURES, ids=[name for name, _ in SIGNATURES])
def test_every_public_call_is_documented(name: str, function: Any) -> None:
    owner = CLASSES.get(name.partition(".")[0])
    assert function.__doc__ or (name.endswith("__init__") and owner is not None and owner.__doc__), name


@pytest.mark.parametrize(("name", "function"), SIGNATURES, ids=[name for name, _ in SIGNATURES])
def test_every_number_and_every_bytes_argument_of_a_call_is_explained(name: str, function: Any) -> None:
    owner = CLASSES.get(name.partition(".")[0])
    words = f"{function.__doc__}\n{owner.__doc__ if owner else ''}"
    hints = hints_of(function)
    values = {key: hint for key, hint in hints.items() if key != "return" and get_origin(hint) is not Callable}
    measured = [key for key, hint in values.items() if {int, float, bytes} & {*types_in(hint)}]
    assert [key for key in measured if f"`{key}`" not in words] == []


@pytest.mark.parametrize("name", CLASSES)
def test_every_public_class_and_field_is_documented(name: str) -> None:
    kind = CLASSES[name]
    assert kind.__doc__, name
    assert not kind.__doc__.startswith(f"{name}("), "a dataclass wrote it, nobody else"
    fields = [field for field in vars(kind).get("__annotations__", {}) if not field.startswith("_")]
    assert [field for field in fields if not documented(kind, field)] == []


def test_every_member_of_a_public_enum_is_documented() -> None:
    for kind in (library.ContentKind, library.EndReason, library.GapReason):
        assert [member.name for member in kind if not documented(kind, member.name)] == []


@pytest.mark.parametrize("name", CLASSES)
def test_every_public_attribute_of_an_instance_is_documented(name: str) -> None:
    kind = CLASSES[name]
    targets = [one for node in ast.walk(_definition(kind)) for one in _targets(node) if isinstance(one, ast.Attribute)]
    public = {target.attr for target in targets if not target.attr.startswith("_")}
    words = f"{kind.__doc__}\n{kind.__init__.__doc__}"
    assert [attribute for attribute in public if f"`{attribute}`" not in words] == []


def documented(kind: type, field: str) -> bool:
    """Return whether a docstring follows the definition of a field, or a base's words name it."""
    for node, following in pairwise(_definition(kind).body):
        defines = any(isinstance(target, ast.Name) and target.id == field for target in _targets(node))
        if defines and isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            return True
    if f"`{field}`" in (kind.__doc__ or ""):
        return True
    return any(documented(base, field) for base in kind.__bases__ if base in CLASSES.values())


def _targets(node: ast.AST) -> list[ast.expr]:
    """Return the targets of an assignment."""
    if isinstance(node, ast.AnnAssign):
        return [node.target]
    return node.targets if isinstance(node, ast.Assign) else []


def _definition(kind: type) -> ast.ClassDef:
    [definition] = [
        node
        for node in ast.parse(Path(inspect.getfile(kind)).read_text()).body
        if isinstance(node, ast.ClassDef) and node.name == kind.__name__
    ]
    return definition


# The cost of an import


def modules_after(code: str) -> set[str]:
    """Return the modules that are imported after `code` has run in a fresh interpreter."""
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    command = [sys.executable, "-c", script]
    printed = subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True, check=True, timeout=60)
    return set(printed.stdout.split())


def test_importing_the_library_imports_only_what_it_needs() -> None:
    ours = {name for name in modules_after("import chatbooth_grpc.client") if name.startswith("chatbooth_grpc")}
    assert ours == {"chatbooth_grpc", "chatbooth_grpc.client"}


def test_no_public_name_imports_grpc() -> None:
    imported = modules_after("from chatbooth_grpc.client import *\nChatClient.connect('wire://127.0.0.1:1').close()")
    assert "chatbooth_grpc.client.library.listening" in imported
    assert not {"grpc", "google.protobuf"} & imported
