"""`invite`: makes a code with which people can sign up, lists the invites, or revokes one."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

from chatbooth_grpc.admin.commands.table import Command
from chatbooth_grpc.client.commands.parsing import argument_values as values
from chatbooth_grpc.client.commands.parsing.command_parser import CommandParser, flag_value, positional
from chatbooth_grpc.durations import duration

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from chatbooth_grpc.admin.commands.context import Context
    from chatbooth_grpc.booth.administration import AdminActions
    from chatbooth_grpc.booth.invites import Invite

CREATE, LIST, REVOKE = "create", "list", "revoke"

NEVER = "never"
_ENDLESS = math.inf
_USES = 1
_EXPIRES = "7d"


def add_flags(parser: CommandParser) -> None:
    """Add what to do, and the flags of `create`."""
    parser.add_argument(
        "verb",
        type=positional(values.words),
        choices=(CREATE, LIST, REVOKE),
        metavar="create|list|revoke",
        help="make an invite and print its code, print the invites, or end one",
    )
    parser.add_argument(
        "invite_id", type=positional(values.count), nargs="?", metavar="ID", help="revoke: the invite's id"
    )
    parser.add_flag(
        "--uses",
        type=flag_value(values.count),
        metavar="N",
        help=f"create: how many people may sign up with it (default: {_USES})",
    )
    parser.add_flag(
        "--expires",
        type=flag_value(_lifetime),
        metavar="TIME",
        help=f"create: how long it is good, in seconds or with m, h, d, or {NEVER} for no end (default: {_EXPIRES})",
    )
    parser.add_flag(
        "--note",
        type=flag_value(values.words),
        metavar="TEXT",
        help="create: words for the list, for whom it is",
    )


def _lifetime(text: str) -> float:
    """Read how long an invite is good, in seconds."""
    if text == NEVER:
        return _ENDLESS
    if seconds := duration(text):
        return seconds
    raise argparse.ArgumentTypeError(f"{text!r} would be over at once")


def run(context: Context, parsed: Namespace) -> None:
    """Do what the words say. Raises Misuse."""
    _refuse_misfits(parsed)
    with context.actions() as actions:
        if parsed.verb == CREATE:
            _create(context, actions, parsed)
        elif parsed.verb == REVOKE:
            actions.revoke_invite(parsed.invite_id)
            record = {"invite_id": parsed.invite_id, "revoked": True}
            context.output.result(record, f"Revoked invite {parsed.invite_id}. Accounts that were made with it stay.")
        else:
            for invite in _all(actions):
                context.output.datum(_record(invite), _line(invite))


def _refuse_misfits(parsed: Namespace) -> None:
    """Refuse an id or a flag that the verb does not take. Raises Misuse."""
    from chatbooth_grpc.client.failures.command_failure import Misuse

    if (parsed.invite_id is None) == (parsed.verb == REVOKE):
        raise Misuse("'invite revoke' takes the ID of an invite, and nothing else does. 'invite list' prints the ids.")
    if parsed.verb != CREATE and (parsed.uses, parsed.expires, parsed.note) != (None, None, None):
        raise Misuse("--uses, --expires and --note belong to 'invite create'.")


def _create(context: Context, actions: AdminActions, parsed: Namespace) -> None:
    """Make an invite. Its code is printed now and never again, because the store has only a hash of it."""
    lifetime = parsed.expires or duration(_EXPIRES)
    code, invite = actions.create_invite(
        parsed.uses or _USES, None if lifetime == _ENDLESS else lifetime, parsed.note or ""
    )
    context.output.datum({**_record(invite), "code": code}, code)
    context.output.say(
        f"Made invite {invite.invite_id}: {_uses_words(invite)}, {_end_words(invite)}. The code is not shown again. "
        "To sign up with it: chatbooth signup NAME --invite CODE"
    )


def _all(actions: AdminActions) -> Iterator[Invite]:
    """Yield the invites of all pages."""
    token = ""
    while True:
        page = actions.invites(page_token=token)
        yield from page.invites
        token = page.next_page_token
        if not token:
            return


def _record(invite: Invite) -> dict[str, object]:
    from chatbooth_grpc.admin.commands.showing import utc

    return {
        "invite_id": invite.invite_id,
        "state": invite.state.name,
        "max_uses": invite.max_uses,
        "uses": invite.uses,
        "create_time": utc(invite.create_time),
        "end_time": None if invite.end_time is None else utc(invite.end_time),
        "note": invite.note,
    }


def _line(invite: Invite) -> str:
    note = f"  {invite.note}" if invite.note else ""
    return f"{invite.invite_id:<5} {_uses_words(invite)}, {_end_words(invite)}{note}"


def _uses_words(invite: Invite) -> str:
    return f"used {invite.uses:,} of {invite.max_uses:,}"


def _end_words(invite: Invite) -> str:
    from chatbooth_grpc.admin.commands.showing import utc
    from chatbooth_grpc.booth.invites import InviteState

    if invite.end_time is None:
        return "without end"
    words = {InviteState.OPEN: "good until", InviteState.EXPIRED: "expired", InviteState.REVOKED: "revoked"}
    return f"{words.get(invite.state, 'ended')} {utc(invite.end_time)}"


COMMAND = Command(run, add_flags)
