"""The context in which every command of an administrator works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from chatbooth_grpc.admin.commands.reaching import reach
from chatbooth_grpc.booth.admin_store import Progress, StorePlace
from chatbooth_grpc.booth.administration import AdminActions
from chatbooth_grpc.client.failures.command_failure import CommandFailure, Misuse
from chatbooth_grpc.client.terminal.output import Output
from chatbooth_grpc.client.terminal.passwords import Passwords
from chatbooth_grpc.client.terminal.prompts import Prompts

T = TypeVar("T")


class NotSound(CommandFailure):
    """A check found something that is not as it should be."""

    reason = "NOT_SOUND"

    def __init__(self, what: str, findings: int) -> None:
        problems = "1 problem was" if findings == 1 else f"{findings} problems were"
        super().__init__(f"{what} is not sound: {problems} found.")


@dataclass(frozen=True)
class Context:
    """The store, by its real path, and the ways in and out of the program."""

    store: Path
    place: StorePlace
    output: Output
    prompts: Prompts
    passwords: Passwords

    def actions(self) -> AbstractContextManager[AdminActions]:
        """Give what an administrator can do, by the running server or by this process. Raises MaintenanceFailed."""
        return reach(self.store, self.place)

    def showing(self, items: Iterator[Progress | T]) -> Iterator[T]:
        """Show the progress among the items to a person, and give all other items."""
        try:
            for item in items:
                if isinstance(item, Progress):
                    self.output.show_passing(_words(item))
                else:
                    self.output.show_passing("")
                    yield item
        finally:
            self.output.show_passing("")

    def confirm(self, question: str, *, confirmed: bool) -> None:
        """Ask whether the command is meant, unless --yes says so. Raises Misuse unless the answer is yes."""
        if confirmed:
            return
        if not self.prompts.is_terminal:
            raise Misuse("This cannot be undone. Say --yes to do it without being asked.")
        try:
            answer = self.prompts.line(f"{question} [y/N] ", flush=True)
        except EOFError:
            answer = ""
        if answer.strip().lower() not in {"y", "yes"}:
            raise Misuse("Nothing was done.")


def _words(progress: Progress) -> str:
    part = f" {progress.done / progress.total:.0%}" if progress.total else ""
    return f"{progress.step}…{part}"
