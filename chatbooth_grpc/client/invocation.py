"""How the command line was called, so that it can say what to type next."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import PurePath

from chatbooth_grpc.client.address import DEFAULT_SERVER


def program() -> str:
    """Return the words that start this program; a script that starts it says its own."""
    if script := os.environ.get("CHATBOOTH_CLIENT_COMMAND"):
        return script
    name = PurePath(sys.argv[0]).name
    return "python -m chatbooth_grpc.client" if name in {"", "-c", "-m", "__main__.py", "main.py"} else name


def command_line(server: str, *words: str) -> str:
    """Return a command to type, for `server`, its words quoted for a shell."""
    options = () if server == DEFAULT_SERVER else ("--server", server)
    return f"{program()} {shlex.join([*options, *words])}"
