"""A person at the command line, logged in, with messages that wait."""

from __future__ import annotations

from pathlib import Path

from chatbooth_grpc.client.library.chat_client import ChatClient
from chatbooth_grpc.client.state.session_directory import SessionDirectory
from chatbooth_grpc.client.state.session_file import SavedSession
from tests.acceptance.processes import PASSWORD, CommandLine


class Seat:
    """A person who is logged in, with messages in the mailbox and one in the outbox."""

    def __init__(self, address: str, state: Path, name: str = "ann", *, waiting: int = 0) -> None:
        """`state`: the command line's state folder. `waiting`: how many messages are in the mailbox."""
        self.name = name
        self.chatbooth = CommandLine(address, state)
        with ChatClient.connect(address) as client:
            self.saved = SavedSession(address, client.sign_up(name, PASSWORD))
            for _ in range(waiting):
                client.send(name, "waiting")
        self.sessions = SessionDirectory(state / "chatbooth", address)
        self.sessions.save(self.saved)
        self.queued = self.queue()

    def queue(self) -> str:
        """Put a message into the outbox, without the command line. Return its id in hex."""
        with self.sessions.outbox(self.saved) as outbox:
            return outbox.put(self.name, "queued").hex()
