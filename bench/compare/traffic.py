"""Bytes on the wire: the costs of actions and messages, and the original's own table."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.compare.counting import CountingProxy, Traffic
from chatbooth_grpc.booth.message_ids import new_message_id
from chatbooth_grpc.booth.model import OutgoingMessage
from chatbooth_grpc.client.library.chat_client import ChatClient

TEXT = "x" * 60
PASSWORD = "password"  # noqa: S105  # the original's own
_STEADY_AFTER = 20
# After this many seconds, all bytes of a call have gone through.
_QUIET = 0.15


@dataclass(frozen=True)
class ActionCost:
    """The payload bytes of one action in both directions, on a new connection and on one that was used before."""

    first: int
    steady: int


@dataclass(frozen=True)
class MessageCost:
    """The payload bytes of one message in the steady state: the send, its reply, and the push to a listener."""

    send: int
    reply: int
    push: int

    @property
    def total(self) -> int:
        """The sum of the three."""
        return self.send + self.reply + self.push


def original_table(server: str) -> list[tuple[str, Traffic]]:
    """Return the traffic of each step of the original's comparison: start, create user test, list, quit."""
    with CountingProxy(_bare(server)) as proxy:
        client = ChatClient.connect(_through(server, proxy))
        steps: list[tuple[str, Callable[[], object]]] = [
            ("start", lambda: None),
            ("create user", lambda: client.sign_up("test", PASSWORD)),
            ("list", lambda: list(client.list())),
            ("quit", client.close),
        ]
        return [(name, _counted(proxy, step)) for name, step in steps]


def action_costs(server: str, sender: str, recipient: str) -> dict[str, ActionCost]:
    """Return the costs of the actions that repeat. `sender` and `recipient` are new names of five letters."""
    with CountingProxy(_bare(server)) as proxy, ChatClient.connect(server) as plain:
        plain.sign_up(recipient, PASSWORD)
        session = plain.sign_up(sender, PASSWORD)

        def actions(client: ChatClient) -> dict[str, Callable[[], object]]:
            return {
                "LIST": lambda: client.list_page("^a"),
                "SEND": lambda: client.send(recipient, TEXT),
                "DELIVER (nothing)": client.deliver,
                "ACKNOWLEDGE": lambda: client.acknowledge(0),
                "LOG_IN": lambda: client.log_in(sender, PASSWORD),
            }

        costs = {}
        for name in actions(plain):
            with ChatClient.connect(_through(server, proxy), session=session) as client:
                act = actions(client)[name]
                first = _counted(proxy, act).total
                for _ in range(_STEADY_AFTER):
                    act()
                time.sleep(_QUIET)
                proxy.cut()
                costs[name] = ActionCost(first, _counted(proxy, act).total)
            time.sleep(_QUIET)
            proxy.cut()
        return costs


def message_cost(server: str, sender: str, recipient: str) -> MessageCost:
    """Return the cost of one message between a sender and a listener that have exchanged messages for a while."""
    with CountingProxy(_bare(server)) as sending, CountingProxy(_bare(server)) as listening:
        here = ChatClient.connect(_through(server, sending))
        there = ChatClient.connect(_through(server, listening))
        with here, there:
            there.sign_up(recipient, PASSWORD)
            session = here.sign_up(sender, PASSWORD)
            stream = there.listen()
            costs = []
            for _ in range(_STEADY_AFTER):
                outgoing = OutgoingMessage(recipient, new_message_id(), TEXT.encode())
                time.sleep(_QUIET)
                sending.cut()
                listening.cut()
                here.send(recipient, outgoing.content.decode(), message_id=outgoing.message_id)
                next(stream)
                time.sleep(_QUIET)
                sent, pushed = sending.cut(), listening.cut()
                costs.append(MessageCost(sum(sent.to_server), sum(sent.to_client), sum(pushed.to_client)))
            stream.close()
        assert session.username == sender  # noqa: S101
        return sorted(costs, key=lambda cost: cost.total)[len(costs) // 2]


def _counted(proxy: CountingProxy, act: Callable[[], object]) -> Traffic:
    proxy.cut()
    act()
    time.sleep(_QUIET)
    return proxy.cut()


def _bare(server: str) -> str:
    return server.removeprefix("wire://")


def _through(server: str, proxy: CountingProxy) -> str:
    return f"wire://{proxy.address}" if server.startswith("wire://") else proxy.address
