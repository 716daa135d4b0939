"""Messages to send: all forms become one, and one that no protocol can carry is refused."""

from __future__ import annotations

import pytest

from chatbooth_grpc.booth.errors import ChatboothError, InvalidMessageId, MalformedRequest
from chatbooth_grpc.booth.model import OutgoingMessage
from chatbooth_grpc.client.library.outgoing import are_fit, check_form, outgoing_message, text_message

ID = bytes(range(16))


def test_a_text_has_the_given_id_or_a_new_one() -> None:
    assert text_message("ben", "tea? ☕", message_id=ID) == OutgoingMessage("ben", ID, "tea? ☕".encode())
    first, second = text_message("ben", "tea?"), text_message("ben", "tea?")
    assert first.message_id != second.message_id
    check_form(first)


def test_a_pair_becomes_a_message_with_a_new_id() -> None:
    message = outgoing_message(("ben", "tea?"))
    assert (message.recipient, message.content) == ("ben", b"tea?")
    assert message.message_id != outgoing_message(("ben", "tea?")).message_id
    assert outgoing_message(message) is message


@pytest.mark.parametrize("other", [None, "ben", ("ben",), ("ben", b"tea?"), ("ben", "tea?", ID), {"ben": "tea?"}, 7])
def test_an_object_that_is_no_message_is_refused_by_its_type(other: object) -> None:
    with pytest.raises(TypeError, match="an OutgoingMessage or a tuple"):
        outgoing_message(other)


GOOD = OutgoingMessage("ben", ID, b"tea?")


@pytest.mark.parametrize(
    ("message", "error", "field"),
    [
        (GOOD._replace(recipient="b\udce9n"), MalformedRequest, "recipient"),
        (GOOD._replace(content=b"\xff"), MalformedRequest, "text"),
        (outgoing_message(("ben", "caf\udce9")), MalformedRequest, "text"),
        (GOOD._replace(message_id=bytes(16)), InvalidMessageId, "message_id"),
        (GOOD._replace(message_id=ID[1:]), InvalidMessageId, "message_id"),
        (GOOD._replace(message_id="0" * 16), InvalidMessageId, "message_id"),  # type: ignore[arg-type]
        (GOOD._replace(message_id=None), InvalidMessageId, "message_id"),  # type: ignore[arg-type]
        (GOOD._replace(kind=7), MalformedRequest, "kind"),
    ],
)
def test_a_message_that_no_protocol_can_carry_is_refused(
    message: OutgoingMessage, error: type[ChatboothError], field: str
) -> None:
    with pytest.raises(error) as refused:
        check_form(message)
    assert refused.value.attributes() == {"field": field}
    assert not are_fit([GOOD, message, GOOD])


@pytest.mark.parametrize("wrong", [{"content": "tea?"}, {"content": None}, {"recipient": None}, {"recipient": b"ben"}])
def test_a_field_of_a_wrong_type_is_named(wrong: dict[str, object]) -> None:
    message = GOOD._replace(**wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=f"^{next(iter(wrong))} must be"):
        check_form(message)
    assert not are_fit([GOOD, message])


def test_the_next_message_does_not_complete_half_a_character() -> None:
    first, second = ("☕".encode()[:2], "☕".encode()[2:])
    assert not are_fit([GOOD._replace(content=first), GOOD._replace(content=second)])
    high, low = "\ud83d", "\udc4b"
    assert not are_fit([GOOD._replace(recipient=high), GOOD._replace(recipient=low)])
    assert are_fit([GOOD, GOOD._replace(content="☕".encode()), GOOD._replace(content=b"")])
