"""python -m chatbooth_grpc.client: runs the command of the command line."""

from __future__ import annotations

import contextlib
import errno
import gc
import io
import os
import sys
from typing import TYPE_CHECKING

from chatbooth_grpc.client.failures.exit_codes import BROKEN_PIPE, FAILED, OK
from chatbooth_grpc.client.failures.interrupts import Interrupted, Interrupts
from chatbooth_grpc.streams import open_closed_streams, settle_streams

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code, as the epilog of --help lists them."""
    # Nearly all objects that are made now belong to modules, which stay. Searching them for garbage takes long.
    gc.disable()
    open_closed_streams()
    _print_any_character()
    with Interrupts() as interrupts:
        try:
            return _parse_and_run(arguments, interrupts)
        except Interrupted as interrupt:
            settle_streams()
            # At its end Python would wait for threads, which may wait for the server.
            os._exit(interrupt.exit_code)
        finally:
            settle_streams()


def _parse_and_run(arguments: Sequence[str] | None, interrupts: Interrupts) -> int:
    # Slow modules are imported only after interrupts are handled. Otherwise Python would end with a traceback.
    from chatbooth_grpc.client.commands.arguments import parse

    try:
        # Slow modules are imported only after this, so that --help is quick.
        parsed = parse(arguments)
        return _run(parsed, interrupts)
    except OSError as failure:
        return _unprinted(failure)
    except SystemExit as ended:
        # The parser printed help or an error of usage, and ended the program.
        unprinted = settle_streams()
        if unprinted is None or ended.code:
            raise
        return _unprinted(unprinted)


def _run(parsed: Namespace, interrupts: Interrupts) -> int:
    """Run the parsed command, and return its exit code."""
    from chatbooth_grpc.server_address import parts_of

    if not parts_of(parsed.server).is_wire:
        from chatbooth_grpc.generated import require_stubs

        # chatbooth reports failures in its own words.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        require_stubs()
    from chatbooth_grpc.booth.errors import ChatboothError
    from chatbooth_grpc.booth.trust_errors import NotTrusted
    from chatbooth_grpc.client.commands.running import run
    from chatbooth_grpc.client.failures.command_failure import CommandFailure, exit_code
    from chatbooth_grpc.client.terminal.output import Output
    from chatbooth_grpc.environment import CLIENT_VARIABLES, remarks

    # Python does not search frozen objects at the end of the program either. That search takes as long as a command.
    gc.freeze()
    gc.enable()
    output = Output(sys.stdout, sys.stderr, as_json=parsed.json, quiet=parsed.quiet)
    try:
        for remark in remarks(os.environ, CLIENT_VARIABLES):
            output.say(remark)
        run(parsed, output, interrupts)
        output.flush()
    except Interrupted as interrupt:
        if interrupt.open_end is not None:
            output.fail(interrupt.open_end)
        raise
    except BrokenPipeError:
        raise
    except NotTrusted as error:
        from chatbooth_grpc.client.failures.trust_failures import ServerNotTrusted

        failure = ServerNotTrusted(error, parsed.server)
        output.fail(failure)
        return failure.exit_code
    except (ChatboothError, CommandFailure, OSError) as error:
        output.fail(error)
        return exit_code(error)
    return OK


def _print_any_character() -> None:
    """Have both streams escape characters that their encoding lacks, despite the locale and PYTHONIOENCODING."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # This fails if the stream holds words that it could not write. Then the stream stays as it is.
            with contextlib.suppress(OSError):
                stream.reconfigure(errors="backslashreplace")


def _unprinted(failure: OSError) -> int:
    """Say that standard output did not take the printed words. Return the exit code."""
    if isinstance(failure, BrokenPipeError):
        return BROKEN_PIPE
    words = "it is closed" if failure.errno == errno.EBADF else failure.strerror
    with contextlib.suppress(OSError):
        print(f"chatbooth: standard output: {words}", file=sys.stderr, flush=True)
    return FAILED


if __name__ == "__main__":
    sys.exit(main())
