"""The converter of every unary action, for server and client."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from chatbooth_grpc.booth.actions import SUBJECTS
from chatbooth_grpc.rpc.converter import Converter

CONVERTERS: dict[int, Converter[Any, Any]] = {
    row.action: row for subject in SUBJECTS for row in import_module(f"{__package__}.{subject}").CONVERTERS
}
"""The converters, by their actions' numbers. Each module that `SUBJECTS` names has those of its subject."""
