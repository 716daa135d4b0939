"""The fuzzer, for a few seconds: it runs, and it notices a difference."""

from __future__ import annotations

import threading

import pytest

from chatbooth_grpc.booth.model import OutgoingMessage, Receipt
from chatbooth_grpc.wire.client.wire_transport import WireTransport
from tests.contract.fuzz import Difference, main


def test_a_short_run_finds_no_difference() -> None:
    assert main(["--seconds", "3"]) == 0


def test_a_difference_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    send = WireTransport.send

    def send_shortened(transport: WireTransport, token: bytes, message: OutgoingMessage, *, timeout: float) -> Receipt:
        shortened = OutgoingMessage(message.recipient, message.message_id, message.content[:4_999])
        return send(transport, token, shortened, timeout=timeout)

    monkeypatch.setattr(WireTransport, "send", send_shortened)
    with pytest.raises(Difference):
        main(["--seconds", "100", "--seed", "1"])
    assert not [thread for thread in threading.enumerate() if thread.name == "wire-connection"]
