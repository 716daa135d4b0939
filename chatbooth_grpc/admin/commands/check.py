"""`check`: looks whether the store is intact and keeps its promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatbooth_grpc.admin.commands.table import Command

if TYPE_CHECKING:
    from argparse import Namespace

    from chatbooth_grpc.admin.commands.context import Context


def run(context: Context, _parsed: Namespace) -> None:
    """Print each finding. Raises NotSound if there is one."""
    from chatbooth_grpc.admin.commands.context import NotSound

    findings = 0
    with context.actions() as actions:
        for finding in context.showing(actions.check()):
            findings += 1
            context.output.datum({"check": finding.check, "words": finding.words}, f"{finding.check}: {finding.words}")
    if findings:
        raise NotSound(str(context.store), findings)
    context.output.result({"sound": True}, f"{context.store} is sound.")


COMMAND = Command(run)
