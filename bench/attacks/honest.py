"""An honest client: it sends to a listener of its own, and comes again on new connections."""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from types import TracebackType

from bench.attacks.target import PASSWORD
from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.model import MessageBatch
from chatbooth_grpc.client.library.chat_client import ChatClient
from chatbooth_grpc.client.library.security import Security

_TIMEOUT = 60.0
_PAUSE = 0.01
"""The seconds between two messages. An honest client does not flood the server."""
_VISIT_PAUSE = 0.5
"""The seconds between two new connections."""


@dataclass
class Seen:
    """The sends and arrivals that an honest client saw in one phase. Times are in seconds."""

    sends: list[float] = field(default_factory=list)
    """How long each Send took."""
    arrivals: list[float] = field(default_factory=list)
    """How long each message took from its Send to the listener."""
    visits: list[float] = field(default_factory=list)
    """How long each visit on a new connection took: it logs in, lists, delivers and logs out."""
    errors: list[str] = field(default_factory=list)
    missing: int = 0
    """How many messages were accepted and did not arrive."""


class HonestClient:
    """Two accounts over one wire: one sends, and the other one listens. Close it at the end."""

    def __init__(self, address: str, name: str, security: Security) -> None:
        """`address` is that of a ChatClient. `name` begins the names of the accounts."""
        self._open: Callable[[], ChatClient] = lambda: ChatClient.connect(address, timeout=_TIMEOUT, security=security)
        self._name = name
        self._sender, self._receiver = self._open(), self._open()
        self._sender.sign_up(name, PASSWORD)
        self._recipient = self._receiver.sign_up(f"{name}-friend", PASSWORD).username
        self._arrivals: dict[int, float] = {}
        self._changed = threading.Condition()
        self._is_open = threading.Event()
        self._next = 0
        self._stream = self._receiver.listen(on_resumed=lambda _: self._is_open.set())
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()
        self._is_open.wait()

    def __enter__(self) -> HonestClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()
        self._listening.join()
        self._sender.close()
        self._receiver.close()

    def work_for(self, seconds: float) -> Seen:
        """Send at a steady pace and come again on new connections. Return what the client saw."""
        end = time.monotonic() + seconds
        seen = Seen()
        visiting = threading.Thread(target=self._visit_until, args=(end, seen))
        visiting.start()
        started = {}
        while time.monotonic() < end:
            number, begun = self.send(seen)
            started[number] = begun
            time.sleep(_PAUSE)
        visiting.join()
        self.wait_for_arrivals(seen, started)
        return seen

    def send(self, seen: Seen) -> tuple[int, float]:
        """Send one message. Its text is its number. Return the number, and when the call began."""
        number, self._next = self._next, self._next + 1
        begun = time.monotonic()
        try:
            self._sender.send(self._recipient, str(number))
        except ChatboothError as error:
            seen.errors.append(f"Send: {error}")
        else:
            seen.sends.append(time.monotonic() - begun)
        return number, begun

    def visit(self, seen: Seen) -> None:
        """Log in on a new connection, list, deliver, and log out."""
        begun = time.monotonic()
        try:
            with self._open() as client:
                client.log_in(self._name, PASSWORD)
                client.list_page(prefix=self._name)
                client.deliver()
                client.log_out()
        except ChatboothError as error:
            seen.errors.append(f"visit: {error}")
        else:
            seen.visits.append(time.monotonic() - begun)

    def wait_for_arrivals(self, seen: Seen, started: dict[int, float], patience: float = 20.0) -> None:
        """Wait until all messages that were accepted have arrived, and note how long they took."""
        with self._changed:
            self._changed.wait_for(lambda: self._arrived(started) >= len(seen.sends), patience)
            seen.arrivals = [self._arrivals[each] - started[each] for each in started if each in self._arrivals]
        seen.missing = max(0, len(seen.sends) - len(seen.arrivals))

    def _arrived(self, started: dict[int, float]) -> int:
        return len(started.keys() & self._arrivals.keys())

    def _visit_until(self, end: float, seen: Seen) -> None:
        while time.monotonic() < end:
            self.visit(seen)
            time.sleep(_VISIT_PAUSE)

    def _listen(self) -> None:
        """Note when each message arrives, until the client is closed."""
        for event in self._stream:
            now = time.monotonic()
            if isinstance(event, MessageBatch):
                with self._changed:
                    self._arrivals.update((int(message.text), now) for message in event.messages)
                    self._changed.notify()


def main() -> None:
    """Work for each number of seconds that comes as a line, and print as JSON what the client saw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--trust", default="")
    parsed = parser.parse_args()
    with HonestClient(parsed.server, parsed.name, Security(trust=parsed.trust)) as client:
        print("ready", flush=True)
        for line in sys.stdin:
            print(json.dumps(asdict(client.work_for(float(line)))), flush=True)


if __name__ == "__main__":
    main()
