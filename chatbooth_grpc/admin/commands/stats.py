"""`stats`: prints how much the store has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatbooth_grpc.admin.commands.table import Command

if TYPE_CHECKING:
    from argparse import Namespace

    from chatbooth_grpc.admin.commands.context import Context


def run(context: Context, _parsed: Namespace) -> None:
    """Print the counts, and the sizes of the files."""
    from chatbooth_grpc.admin.commands.showing import size

    with context.actions() as actions:
        counted = actions.statistics()
    values = {name: getattr(counted, name) for name in counted.__dataclass_fields__}
    shown = {
        name.replace("_", " "): size(value) if name.endswith("_size") else f"{value:,}"
        for name, value in values.items()
        if name != "epoch"
    }
    lines = [f"{name:20}  {value}" for name, value in {**shown, "epoch": counted.epoch.hex()}.items()]
    context.output.datum({**values, "epoch": counted.epoch.hex()}, "\n".join(lines))


COMMAND = Command(run)
