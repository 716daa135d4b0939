"""Finding accounts whose names are nearly the recipient that was typed."""

from __future__ import annotations

import re
from dataclasses import replace

from chatbooth_grpc.booth.errors import ChatboothError, RecipientNotFound
from chatbooth_grpc.client.failures.near_names import near_names
from chatbooth_grpc.client.library.chat_client import ChatClient

_SHORTEST = 3
_PAGE_SIZE = 100
_PATIENCE = 2.0
"""The seconds that the call of List may take. It only makes an error more helpful."""


def with_near_names(client: ChatClient, error: RecipientNotFound) -> RecipientNotFound:
    """Return the error with the accounts whose names are nearly the recipient's. Makes one call to the server."""
    name = error.recipient.lower()
    if len(name) < _SHORTEST:
        return error
    client.timeout = min(client.timeout, _PATIENCE)
    try:
        page = client.list_page(one_slip_from(name), prefix=name[0], page_size=_PAGE_SIZE)
    except ChatboothError:
        return error
    return replace(error, similar=", ".join(near_names(name, page.usernames)))


def one_slip_from(name: str) -> str:
    """Return an RE2 pattern of the names that differ from `name` by about one letter, so that one half is equal."""
    middle = len(name) // 2
    first, second = name[:middle], name[middle:]
    turned = f"{re.escape(first[:-1])}..{re.escape(second[1:])}"
    return f"^(?:{re.escape(first)}{_about(second)}|{_about(first)}{re.escape(second)}|{turned})$"


def _about(part: str) -> str:
    return f".{{{max(0, len(part) - 1)},{len(part) + 1}}}"
