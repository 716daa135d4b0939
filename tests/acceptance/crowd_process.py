"""Many clients in one process, each with an own connection, listen until they are killed."""

from __future__ import annotations

import sys
import threading

from chatbooth_grpc.booth.model import Session
from chatbooth_grpc.client.library.chat_client import ChatClient


def main(address: str, token: str, count: str) -> None:
    """Listen `count` times with a token. Print a line once all streams are open."""
    opened = threading.Semaphore(0)

    def listen() -> None:
        with ChatClient.connect(address, session=Session(bytes.fromhex(token), 0, "", b"")) as client:
            for _ in client.listen(on_resumed=lambda _: opened.release()):
                pass

    for _ in range(int(count)):
        threading.Thread(target=listen).start()
    for _ in range(int(count)):
        opened.acquire()
    print("opened", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
