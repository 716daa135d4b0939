"""Senders and receivers: applications on chatbooth's library, which record its results."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from pathlib import Path

from bench.history.recording import Seen, Sent
from chatbooth_grpc.booth.errors import ChatboothError, DeadlineExceeded, TooBusy, Unavailable
from chatbooth_grpc.booth.message_ids import new_message_id
from chatbooth_grpc.booth.model import Gap, Message, Receipt, Session
from chatbooth_grpc.client.library.chat_client import ChatClient
from chatbooth_grpc.client.library.inbox import Batches, Inbox
from chatbooth_grpc.client.library.listening import Listening
from chatbooth_grpc.client.state.history import Restored
from chatbooth_grpc.client.state.outbox import Outbox

_CALL_TIMEOUT = 5.0
_LONGEST_PAUSE = 0.03

# How often a receiver asks for its waiting messages, again and again, instead of listening.
_ASKING = 0.5

# With this timeout, a call can continue after a restore. So can calls with the library's default timeout.
_ASKING_TIMEOUT = 20.0


class Sender(threading.Thread):
    """Sends one message after another, each until it is acknowledged. If it has an outbox, it sends through that."""

    def __init__(
        self, address: str, session: Session, recipients: list[str], dice: random.Random, outbox: Path | None
    ) -> None:
        super().__init__(name=f"sender-{session.username}", daemon=True)
        self.username = session.username
        self.sent: list[Sent] = []
        self.failure: ChatboothError | None = None
        self._client = ChatClient.connect(address, session=session, timeout=_CALL_TIMEOUT)
        self._recipients = recipients
        self._dice = dice
        self._outbox = outbox
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Send no new message. The current one is still sent."""
        self._stopping.set()

    def run(self) -> None:
        """Send until `stop` is called."""
        try:
            self._send_on()
        except ChatboothError as error:
            self.failure = error
        self._client.close()

    def _send_on(self) -> None:
        while not self._stopping.is_set():
            recipient = self._dice.choice(self._recipients)
            text = f"{self.username} {len(self.sent)} " + "x" * self._dice.randrange(200)
            message_id = new_message_id()
            first_try = time.monotonic()
            if self._outbox is None:
                self._send(recipient, text, message_id)
            else:
                self._send_by_outbox(self._outbox, recipient, text, message_id)
            times = (first_try, time.monotonic())
            self.sent.append(Sent(self.username, recipient, message_id, text, True, *times))
            time.sleep(_LONGEST_PAUSE * self._dice.random())

    def _send(self, recipient: str, text: str, message_id: bytes) -> Receipt:
        while True:
            with contextlib.suppress(Unavailable, DeadlineExceeded, TooBusy):
                return self._client.send(recipient, text, message_id=message_id)

    def _send_by_outbox(self, path: Path, recipient: str, text: str, message_id: bytes) -> None:
        """Put a message into the outbox, then open the outbox again and flush it, as after a crash in between."""
        with Outbox(path) as outbox:
            outbox.put(recipient, text, message_id)
        waiting = True
        while waiting:
            with Outbox(path) as outbox, contextlib.suppress(Unavailable, DeadlineExceeded, TooBusy):
                for _, outcome in outbox.flush(lambda who, what, one: self._client.send(who, what, message_id=one)):
                    if isinstance(outcome, ChatboothError):
                        raise outcome
            with Outbox(path) as outbox:
                waiting = bool(outbox.waiting())


class Receiver(threading.Thread):
    """Listens or asks, and keeps the messages that it was shown. Sometimes it dies suddenly and is started again.

    After that it has only the state that an application keeps durably: the last sequence shown, and its epoch.
    """

    def __init__(self, address: str, session: Session, dice: random.Random) -> None:
        super().__init__(name=f"receiver-{session.username}", daemon=True)
        self.username = session.username
        self.shown: list[Seen] = []
        self.gaps: set[int] = set()
        # How often the library has reported that the store was restored.
        self.told = 0
        self.failure: ChatboothError | None = None
        self._address = address
        self._session = session
        self._dice = dice
        self._epoch = session.epoch
        self._stopping = threading.Event()
        self._listening: Listening | None = None

    def run(self) -> None:
        """Listen until `stop` is called."""
        try:
            while not self._stopping.is_set():
                self._live(self._dice.randrange(20, 150))
        except ChatboothError as error:
            self.failure = error

    def stop(self) -> None:
        """Listen no more."""
        self._stopping.set()
        listening = self._listening
        if listening is not None:
            listening.close()

    def end_of_mailbox(self, address: str) -> int:
        """Return the last sequence of its mailbox. This asks on another connection."""
        with ChatClient.connect(address, session=self._session, timeout=60) as client:
            return client.deliver(after=0, max_messages=1).opening.last_sequence

    def _live(self, events: int) -> None:
        """Act as an application that dies after this number of events, and does not acknowledge the last one."""
        if self._dice.random() < _ASKING:
            with ChatClient.connect(self._address, session=self._session, timeout=_ASKING_TIMEOUT) as client:
                end = len(self.shown) + events
                while len(self.shown) < end and not self._stopping.is_set():
                    self._ask(client)
        else:
            with ChatClient.connect(self._address, session=self._session, timeout=_CALL_TIMEOUT) as client:
                self._listen(client, events)

    def _listen(self, client: ChatClient, events: int) -> None:
        self._listening = client.listen(after=self._after(), epoch=self._epoch)
        for event, _ in zip(self._listening, range(events), strict=False):
            if isinstance(event, Gap):
                self.gaps.update(range(event.first, event.last + 1))
            elif isinstance(event, Restored):
                self._note(event)
            else:
                self.shown += [self._seen(message) for message in event.messages]

    def _ask(self, client: ChatClient) -> None:
        """Ask for the waiting messages, slowly enough for the store to be restored between two batches."""
        batches = Batches(
            client.deliver, client.acknowledge, after=self._after(), epoch=self._epoch, max_messages=3, strict=False
        )
        inbox = Inbox(batches)
        noted = 0
        with contextlib.suppress(Unavailable, DeadlineExceeded, TooBusy):
            for message in inbox:
                for restored in inbox.restored[noted:]:
                    self._note(restored)
                noted = len(inbox.restored)
                self.shown.append(self._seen(message))
                time.sleep(_LONGEST_PAUSE * self._dice.random())
        for restored in inbox.restored[noted:]:
            self._note(restored)
        time.sleep(_LONGEST_PAUSE * self._dice.random())

    def _after(self) -> int | None:
        """Return the last sequence that it was shown in the history that it knows."""
        return self.shown[-1].sequence if self.shown and self.shown[-1].part == self.told else None

    def _note(self, restored: Restored) -> None:
        self._epoch = restored.epoch
        self.told += 1

    def _seen(self, message: Message) -> Seen:
        return _seen(message, self.told)


class Filler:
    """Lets mailboxes grow past the messages that receivers were shown, so that their length alone tells nothing."""

    def __init__(self, session: Session) -> None:
        self.username = session.username
        self.sent: list[Sent] = []
        self._session = session

    def fill(self, address: str, receivers: list[Receiver]) -> None:
        """Send each receiver a few more messages than it needs for that, on another connection."""
        with ChatClient.connect(address, session=self._session, timeout=60) as client:
            for receiver in receivers:
                shown = receiver.shown[-1].sequence if receiver.shown else 0
                for _ in range(shown + 3 - receiver.end_of_mailbox(address)):
                    self._send(client, receiver.username)

    def _send(self, client: ChatClient, recipient: str) -> None:
        message_id, first_try = new_message_id(), time.monotonic()
        text = f"{self.username} {len(self.sent)}"
        client.send(recipient, text, message_id=message_id)
        times = (first_try, time.monotonic())
        self.sent.append(Sent(self.username, recipient, message_id, text, True, *times))


def stored_messages(address: str, session: Session) -> list[Seen]:
    """Return all messages in a mailbox, from its beginning."""
    found: list[Seen] = []
    with ChatClient.connect(address, session=session, timeout=60) as client:
        more = True
        while more:
            delivery = client.deliver(after=found[-1].sequence if found else 0, max_messages=1_000)
            found += [_seen(message, part=0) for message in delivery.messages]
            more = delivery.more
    return found


def _seen(message: Message, part: int) -> Seen:
    return Seen(message.sequence, message.sender, message.message_id, message.text, part, message.kind)
