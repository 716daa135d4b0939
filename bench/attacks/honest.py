"""The honest client: it sends messages to a listener, and prints the latencies as JSON."""

from __future__ import annotations

import argparse
import json
import threading
import time
import uuid

from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.model import MessageBatch
from chatbooth_grpc.client.library.chat_client import ChatClient

PASSWORD = "password"  # noqa: S105
_PAUSE = 0.01
"""The seconds between two messages. An honest client does not flood the server."""


def main() -> None:
    """Send for `--seconds`. The text of each message is its number."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parsed = parser.parse_args()
    with ChatClient.connect(parsed.server, timeout=60) as sender, ChatClient.connect(parsed.server) as receiver:
        sender.sign_up(f"honest{uuid.uuid4().hex[:12]}", PASSWORD)
        recipient = receiver.sign_up(f"friend{uuid.uuid4().hex[:12]}", PASSWORD).username
        seen = _Seen()
        listening = threading.Thread(target=seen.listen, args=(receiver,), daemon=True)
        listening.start()
        seen.is_open.wait()
        sends, failures, started = [], 0, {}
        end = time.monotonic() + parsed.seconds
        number = 0
        while time.monotonic() < end:
            before = started[number] = time.monotonic()
            try:
                sender.send(recipient, str(number))
            except ChatboothError:
                failures += 1
            sends.append(time.monotonic() - before)
            number += 1
            time.sleep(_PAUSE)
        seen.wait_for(number - failures)
        arrivals = [seen.arrivals[number] - started[number] for number in seen.arrivals]
        print(json.dumps({"sends": sends, "arrivals": arrivals, "failures": failures}), flush=True)


class _Seen:
    """When each message arrived, by its number."""

    def __init__(self) -> None:
        self.arrivals: dict[int, float] = {}
        self.is_open = threading.Event()
        self._changed = threading.Condition()

    def listen(self, client: ChatClient) -> None:
        """Note every message until the process ends."""
        for event in client.listen(on_resumed=lambda _: self.is_open.set()):
            now = time.monotonic()
            if isinstance(event, MessageBatch):
                with self._changed:
                    self.arrivals.update((int(message.text), now) for message in event.messages)
                    self._changed.notify()

    def wait_for(self, count: int, patience: float = 10.0) -> None:
        """Wait until `count` messages have arrived, but at most `patience` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: len(self.arrivals) >= count, patience)


if __name__ == "__main__":
    main()
