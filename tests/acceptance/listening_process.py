"""A client in its own process, which listens with a token and prints a line an event."""

from __future__ import annotations

import sys

from chatbooth_grpc.booth.model import Session
from chatbooth_grpc.client.library.chat_client import ChatClient
from chatbooth_grpc.client.library.security import Security


def main(address: str, token: str) -> None:
    """Listen until killed."""
    session = Session(bytes.fromhex(token), 0, "", b"")
    with ChatClient.connect(address, session=session, security=Security(insecure=True)) as client:
        for event in client.listen(on_resumed=lambda _: print("opened", flush=True)):
            print(event, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
