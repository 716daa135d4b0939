"""python -m chatbooth_grpc.admin: runs an administrator's command on a store."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from chatbooth_grpc.admin.arguments import parse
from chatbooth_grpc.client.failures.exit_codes import BROKEN_PIPE, OK
from chatbooth_grpc.client.failures.interrupts import Interrupted, Interrupts
from chatbooth_grpc.streams import open_closed_streams, settle_streams

if TYPE_CHECKING:
    from argparse import Namespace

    from chatbooth_grpc.client.terminal.output import Output


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code, as the epilog of --help lists them."""
    open_closed_streams()
    with Interrupts():
        try:
            return _run(parse(arguments))
        except Interrupted as interrupt:
            settle_streams()
            # At its end Python would wait for threads, which may wait for the disk.
            os._exit(interrupt.exit_code)
        finally:
            settle_streams()


def _run(parsed: Namespace) -> int:
    """Run the parsed command, and return its exit code."""
    from chatbooth_grpc.booth.admin_store import MaintenanceFailed
    from chatbooth_grpc.booth.errors import ChatboothError
    from chatbooth_grpc.client.failures.command_failure import CommandFailure, exit_code
    from chatbooth_grpc.client.terminal.output import Output

    output = Output(sys.stdout, sys.stderr, as_json=parsed.json, quiet=parsed.quiet)
    try:
        _perform(parsed, output)
        output.flush()
    except BrokenPipeError:
        return BROKEN_PIPE
    except MaintenanceFailed as failure:
        error: Exception = CommandFailure(str(failure))
        output.fail(error)
        return exit_code(error)
    except (ChatboothError, CommandFailure, OSError) as error:
        output.fail(error)
        return exit_code(error)
    return OK


def _perform(parsed: Namespace, output: Output) -> None:
    from chatbooth_grpc.admin.commands.context import Context
    from chatbooth_grpc.admin.commands.table import load
    from chatbooth_grpc.client.terminal.passwords import Passwords
    from chatbooth_grpc.client.terminal.prompts import Prompts
    from chatbooth_grpc.generated import require_stubs
    from chatbooth_grpc.store.sqlite.opening import absolute_path
    from chatbooth_grpc.store.sqlite.sqlite_place import SQLitePlace

    # gRPC reads this when it is loaded. The command says in its own words what failed.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    require_stubs()
    _say_what_is_logged(output)
    store = absolute_path(parsed.store)
    prompts = Prompts(sys.stdin.buffer, sys.stderr)
    passwords = Passwords(prompts, os.environ, from_stdin=getattr(parsed, "password_stdin", False))
    load(parsed.command).run(Context(store, SQLitePlace(store), output, prompts, passwords), parsed)


def _say_what_is_logged(output: Output) -> None:
    """Say to the person what a store logs while this process has it open, such as a migration."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            output.say(record.getMessage())

    logger = logging.getLogger("chatbooth_grpc")
    logger.addHandler(Handler(logging.INFO))
    logger.setLevel(logging.INFO)
    logger.propagate = False


if __name__ == "__main__":
    sys.exit(main())
