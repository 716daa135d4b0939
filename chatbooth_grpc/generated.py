"""Whether the code that is generated from the .proto is there and fits."""

from __future__ import annotations

import importlib
import sys


def require_stubs() -> None:
    """Exit with one line that says what to run, unless the generated code can be imported."""
    try:
        importlib.import_module("chatbooth_grpc._gen.chatbooth_pb2_grpc")
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("chatbooth_grpc._gen"):
            raise
        sys.exit("chatbooth: the gRPC code is not generated yet; run: scripts/gen_protos.sh")
    except (
        RuntimeError,
        ImportError,
    ) as error:  # protobuf's and grpc's words for code newer than they are
        first_line = str(error).splitlines()[0]
        sys.exit(f"chatbooth: the gRPC code does not fit this environment; run: scripts/gen_protos.sh ({first_line})")
