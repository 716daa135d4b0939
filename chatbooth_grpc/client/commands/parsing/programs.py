"""The words that start a program: flags, the name of a command, and the command's own words."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from chatbooth_grpc import __version__
from chatbooth_grpc.client.commands.parsing.command_parser import CommandParser, did_you_mean


def asks_for_json(words: Sequence[str]) -> bool:
    """Return whether the flag --json is among the words, and not a name or a text after `--`."""
    return "--json" in (words[: words.index("--")] if "--" in words else words)


def command_index(words: Sequence[str], with_value: Collection[str]) -> int:
    """Return the index of the command, after the flags before it, or the number of words if there is no command.

    The word that follows a flag of `with_value` is the flag's value.
    """
    index = 0
    while index < len(words) and words[index].startswith("-"):
        index += 2 if words[index] in with_value else 1
    return min(index, len(words))


def check_command(parser: CommandParser, name: str, commands: Mapping[str, str]) -> None:
    """Exit with 2 if there is no such command."""
    if name not in commands:
        parser.error(f"there is no command {name!r}{did_you_mean(name, commands)}")


def program_parser(
    program: str, commands: Mapping[str, str], *, as_json: bool, usage: str, description: str, notes: str
) -> CommandParser:
    """Return the parser of the words before the command. `notes` end the help, after the list of commands."""
    width = max(map(len, commands))
    listed = "".join(f"    {name:{width}}  {words}\n" for name, words in commands.items())
    parser = CommandParser(
        program,
        as_json=as_json,
        takes_words=False,
        usage=usage,
        description=description,
        epilog=f"commands ('COMMAND --help' lists a command's flags):\n{listed}\n{notes}",
    )
    parser.add_flag("--version", action="version", version=f"chatbooth {__version__}")
    return parser
