"""A list of sessions with tokens reaches clients that are older, and comes from servers that are newer (P10)."""

from __future__ import annotations

from chatbooth_grpc.booth.model import SessionEntry, SessionKind
from chatbooth_grpc.booth.tokens import TokenLimits
from chatbooth_grpc.wire.encoding.primitives import BodyReader, encode_extension
from chatbooth_grpc.wire.encoding.sessions import decode_entry, encode_entry
from chatbooth_grpc.wire.encoding.token_limits import decode_limits, encode_limits

LIMITS = TokenLimits(may_read=True, may_send=True, recipient="ben", recipient_id=300)
ENTRY = SessionEntry(7, "bot", SessionKind.TOKEN, 1, 2, False, LIMITS, 3)


def test_a_client_that_knows_no_tokens_reads_the_rest_of_an_entry() -> None:
    reader = BodyReader(encode_entry(ENTRY))
    assert (reader.varint(), reader.string(), reader.varint()) == (7, "bot", 2)
    assert (reader.varint(), reader.varint(), reader.flag()) == (1, 2, False)
    # This raises an error if anything but extensions follows.
    reader.finish()


def test_more_than_this_version_knows_of_a_token_does_no_harm() -> None:
    more = encode_extension(99, b"newer")
    assert decode_limits(encode_limits(LIMITS) + more) == LIMITS
    body = encode_entry(ENTRY) + more
    assert decode_entry(body) == ENTRY
    assert decode_entry(body.replace(b"\x03bot\x02", b"\x03bot\x63")).kind is SessionKind.UNSPECIFIED
