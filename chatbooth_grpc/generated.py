"""Checks that the code generated from the .proto exists and fits this environment."""

from __future__ import annotations

import importlib
import sys


class StubsUnusable(Exception):
    """The generated code is missing or does not fit. The text says what to run."""


def require_stubs() -> None:
    """Exit with one line that says what to run, unless the generated code can be imported."""
    try:
        load_stubs()
    except StubsUnusable as error:
        sys.exit(f"chatbooth: {error}")


def load_stubs() -> None:
    """Import the generated code. Raises StubsUnusable."""
    try:
        importlib.import_module("chatbooth_grpc._gen.chatbooth_pb2_grpc")
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("chatbooth_grpc._gen"):
            raise
        raise StubsUnusable("the gRPC code is not generated yet; run: scripts/gen_protos.sh") from error
    except (
        RuntimeError,
        ImportError,
    ) as error:
        # protobuf and grpc raise these if the code was generated for a newer version of them.
        first_line = str(error).splitlines()[0]
        words = f"the gRPC code does not fit this environment; run: scripts/gen_protos.sh ({first_line})"
        raise StubsUnusable(words) from error
