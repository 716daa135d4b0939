"""Reading the units of systemd, and what they start."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "deploy" / "systemd"
INSTALLED = "/opt/chatbooth/bin/"
"""Where the units look for the commands."""


def directives(unit: str) -> list[tuple[str, str, str]]:
    """Return the section, the name and the value of each line of a unit."""
    found: list[tuple[str, str, str]] = []
    section = ""
    for line in (UNITS / unit).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.append((section, name, value))
    return found


def values(unit: str, wanted: str) -> list[str]:
    """Return the values of a directive, in their order."""
    return [value for _, name, value in directives(unit) if name == wanted]


def started(unit: str, specifiers: Mapping[str, str]) -> list[str]:
    """Return the words of the command that a unit starts."""
    [command] = values(unit, "ExecStart")
    for specifier, value in specifiers.items():
        command = command.replace(specifier, value)
    return shlex.split(command)


def settings() -> dict[str, str]:
    """Return the variables of the file of settings."""
    lines = (UNITS / "chatbooth.env").read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}
