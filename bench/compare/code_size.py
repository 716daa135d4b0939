"""The code size of each wire, without blank lines, comments and docstrings."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]

_NOT_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}

SOURCES = {
    "gRPC": [
        "proto/chatbooth/v1/*.proto",
        "chatbooth_grpc/rpc/*.py",
        "chatbooth_grpc/server/*.py",
        "chatbooth_grpc/client/library/grpc_transport.py",
    ],
    "wire": ["chatbooth_grpc/wire/*.py"],
}
"""The code of each wire, without the booth, the store and live delivery. gRPC's server folder has the flags too."""


def code_lines(wire: str) -> int:
    """Return the lines of code written for a wire. Generated code does not count."""
    files = [path for pattern in SOURCES[wire] for path in ROOT.glob(pattern)]
    return sum(_proto_lines(path) if path.suffix == ".proto" else _python_lines(path) for path in files)


def _proto_lines(path: Path) -> int:
    lines = (line.strip() for line in path.read_text().splitlines())
    return sum(bool(line) and not line.startswith("//") for line in lines)


def _python_lines(path: Path) -> int:
    source = path.read_text()
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    lines: set[int] = set()
    for token in tokens:
        if token.type not in _NOT_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - set(_docstring_lines(ast.parse(source))))


def _docstring_lines(tree: ast.Module) -> Iterable[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield from range(node.lineno, (node.end_lineno or node.lineno) + 1)
