"""The codec of every unary action, for server and client."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from chatbooth_grpc.booth.actions import SUBJECTS
from chatbooth_grpc.wire.encoding.codec import Codec

CODECS: dict[int, Codec[Any, Any]] = {
    codec.action: codec for subject in SUBJECTS for codec in import_module(f"{__package__}.{subject}").CODECS
}
"""The codecs, by their actions' numbers. Each module that `SUBJECTS` names has those of its subject."""
