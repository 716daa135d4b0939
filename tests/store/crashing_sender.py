"""A program that sends until it is killed: `python -m tests.store.crashing_sender FILE`.

It prints a line for each message that the store has acknowledged: the message id, in hex.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

from chatbooth_grpc.booth.store import Store
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.contract.racing import race
from tests.contract.stores import log_in, new_message, send, sign_up

RECIPIENT = "recipient"
SENDERS = 8


def send_for_ever(store: Store, username: str) -> None:
    """Send to the recipient with new message ids. Print each id once it is acknowledged."""
    session = log_in(store, username) if store.account(username) else sign_up(store, username)
    while True:
        message = new_message(session, RECIPIENT, "." * 500)
        send(store, message)
        os.write(sys.stdout.fileno(), f"{message.outgoing.message_id.hex()}\n".encode())


def main(path: Path) -> None:
    store = SQLiteStore(path)
    if store.account(RECIPIENT) is None:
        sign_up(store, RECIPIENT)
    race([partial(send_for_ever, store, f"sender{number}") for number in range(SENDERS)])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
