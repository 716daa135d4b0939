"""A list of sessions with tokens reaches clients that are older, and comes from servers that are newer (P10)."""

from __future__ import annotations

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.booth.model import SessionEntry, SessionKind
from chatbooth_grpc.booth.tokens import TokenLimits
from chatbooth_grpc.rpc.sessions import entry_from_pb, entry_to_pb


def test_a_session_without_limits_has_none_and_a_token_without_any_has_some() -> None:
    person = SessionEntry(1, "", SessionKind.PERSON, 1, 2, True)
    token = SessionEntry(2, "bot", SessionKind.TOKEN, 1, 2, False, TokenLimits())
    for entry in (person, token):
        assert entry_from_pb(pb.SessionEntry.FromString(entry_to_pb(entry).SerializeToString())) == entry
    assert not entry_to_pb(person).HasField("limits")
    assert not entry_to_pb(token).HasField("expire_time")


def test_a_kind_of_a_newer_server_is_no_kind_and_keeps_its_limits() -> None:
    encoded = pb.SessionEntry(session_id=3, label="newer", limits=pb.TokenLimits(may_read=True)).SerializeToString()
    # Field 3, the kind, has the number 99.
    entry = entry_from_pb(pb.SessionEntry.FromString(encoded + b"\x18\x63"))
    assert (entry.session_id, entry.kind, entry.limits) == (3, SessionKind.UNSPECIFIED, TokenLimits(may_read=True))
