"""Hatchling's build hook: generates the stubs that a wheel carries."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

STUBS = "chatbooth_grpc/_gen"


class StubsHook(BuildHookInterface[Any]):
    """Adds chatbooth_grpc/_gen, made by the grpcio-tools that pyproject.toml pins for building.

    The pin is the floor of the range that the wheel accepts, since generated code refuses an older
    runtime than its generator's. A developer's stubs come from the developer's own, often newer,
    grpcio-tools: these never touch them, but go through a scratch folder straight into the wheel.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Generates before the files are gathered; `version` is "standard" or "editable"."""
        if version == "editable":
            self._fill_tree()
            return
        self._scratch = tempfile.TemporaryDirectory()
        self._generate(Path(self._scratch.name))
        build_data["force_include"][self._scratch.name] = STUBS

    def finalize(self, version: str, _build_data: dict[str, Any], _artifact_path: str) -> None:
        """Removes the scratch folder once the wheel is written."""
        if version != "editable":
            self._scratch.cleanup()

    def _fill_tree(self) -> None:
        """Gives an editable install, which imports from the tree, stubs if it has none."""
        stubs = Path(self.root, STUBS)
        if not (stubs / "__init__.py").exists():
            self._generate(stubs)

    def _generate(self, out: Path) -> None:
        script = Path(self.root, "scripts", "gen_protos.py")
        subprocess.run([sys.executable, str(script), "--out", str(out)], check=True)
