"""Whether a store is intact, and keeps the invariants that its promises rest on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import apsw

from chatbooth_grpc.booth.admin_store import Finding, Progress
from chatbooth_grpc.store.sqlite.copying import damage_in
from chatbooth_grpc.store.sqlite.sql import ADMIN_SQL


class _Check(NamedTuple):
    """One invariant: the statement that finds its violations, and the words for one of them, with its columns."""

    statement: str
    words: str


CHECKS = (
    _Check("check_store", "the table of the store has {} rows, not one"),
    _Check("check_accounts", "account {} has no mailbox"),
    _Check("check_counters", "mailbox {} has removed through {}, acknowledged through {} and a last sequence of {}"),
    _Check("check_sequences", "mailbox {} has {} messages, but should have those after {} and up to {}"),
    _Check("check_detached_sequences", "mailbox {} of a deleted account has {} messages with a gap before {}"),
    _Check("check_message_ids", "in mailbox {} message {} has no row for its id"),
    _Check("check_id_counts", "mailbox {} has {} ids, but has numbered {} messages"),
    _Check("check_cursors", "session {} has a cursor of {}, but its mailbox is acknowledged through {}"),
    _Check("check_disabled", "account {} is disabled, but has a session"),
    _Check("check_tokens", "session {} of kind {} has limits that do not fit"),
    _Check("check_orphans", "ids refer to mailbox {}, which does not exist"),
    _Check("check_held_names", "the name of account {} is held, as if the account were deleted"),
    _Check("check_blocks", "mailbox {} blocks account {}, which it cannot block"),
    _Check("check_invites", "invite {} has {} uses of {}, and an end that does not fit"),
)
"""The invariants of a store of the newest schema. A finding has the name of its statement, without `check_`."""


def check(connection: apsw.Connection) -> Iterator[Progress | Finding]:
    """Check a database of the newest schema, as of one moment. At most 20 findings of each kind are given."""
    try:
        connection.execute("BEGIN")
        yield from check_file(connection)
        for number, each in enumerate(CHECKS, start=1):
            yield Progress("checking what the store promises", number, len(CHECKS))
            name = each.statement.removeprefix("check_")
            for row in connection.execute(ADMIN_SQL[each.statement]).fetchall():
                yield Finding(name, each.words.format(*row))
    except (apsw.CorruptError, apsw.NotADBError) as error:
        yield Finding("file", str(error))
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def check_file(connection: apsw.Connection) -> Iterator[Progress | Finding]:
    """Check that a database of any schema is intact. Raises apsw.Error."""
    yield Progress("checking the file")
    for words in damage_in(connection):
        yield Finding("file", words)
    for table, _, parent, _ in connection.execute("PRAGMA foreign_key_check").fetchall()[:20]:
        yield Finding("reference", f"a row of {table} refers to a row of {parent} that does not exist")
