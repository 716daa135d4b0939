"""Frames: cut out of any pieces the same way, and refused by their header."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.rules import NO_TOKEN
from chatbooth_grpc.wire.encoding.frames import (
    HEADER,
    BodyTooLarge,
    Frame,
    FrameDecoder,
    FrameError,
    UnknownVersion,
    encode_frame,
    encode_request,
    whole_sends,
)

MAX_BODY = 64
TOKEN = bytes(range(16))

requests = st.tuples(st.integers(0, 255), st.binary(max_size=MAX_BODY), st.just(TOKEN))


def decoded(*pieces: bytes) -> list[Frame]:
    decoder = FrameDecoder(MAX_BODY, from_client=True)
    found = [frame for piece in pieces for frame in decoder.feed(piece)]
    assert decoder.is_between_frames
    return found


@given(st.lists(requests, max_size=4), st.data())
def test_every_split_gives_the_same_frames(sent: list[tuple[int, bytes, bytes]], data: st.DataObject) -> None:
    stream = b"".join(encode_request(*request) for request in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    without = (actions.SIGN_UP, actions.LOG_IN)
    expected = [Frame(action, body, b"" if action in without else token) for action, body, token in sent]
    assert decoded(*pieces) == expected
    assert decoded(*(stream[place : place + 1] for place in range(len(stream)))) == expected


sends_and_others = st.lists(
    st.tuples(
        st.sampled_from((actions.SEND, actions.SEND, actions.SEND, actions.ACKNOWLEDGE)), st.binary(max_size=MAX_BODY)
    ),
    max_size=4,
)


@given(sends_and_others, st.data())
def test_sends_are_cut_out_if_there_is_nothing_else(sent: list[tuple[int, bytes]], data: st.DataObject) -> None:
    stream = b"".join(encode_request(action, body, TOKEN) for action, body in sent)
    if all(action == actions.SEND for action, _ in sent):
        assert whole_sends(stream) == decoded(stream)
    else:
        assert whole_sends(stream) is None
    ends = {len(encode_request(*sent[0], TOKEN)) if sent else 0, 0, len(stream)}
    cut = data.draw(st.integers(0, len(stream)))
    begun = whole_sends(stream[:cut])
    assert begun is None or sum(len(encode_request(*frame)) for frame in begun) == cut
    assert cut not in ends or begun is not None or sent[0][0] != actions.SEND or cut == len(stream)


@pytest.mark.parametrize("data", [b"\x02" + encode_request(actions.SEND, b"", TOKEN)[1:], b"\x01\x03\xff\xff\xff\xff"])
def test_other_requests_than_sends_are_left_to_the_decoder(data: bytes) -> None:
    assert whole_sends(data) is None


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_arbitrary_bytes_give_frames_or_a_frame_error(pieces: list[bytes]) -> None:
    decoder = FrameDecoder(MAX_BODY, from_client=True)
    try:
        for piece in pieces:
            for frame in decoder.feed(piece):
                assert len(frame.body) <= MAX_BODY
    except FrameError:
        pass
    assert len(decoder._buffer) <= HEADER.size + MAX_BODY + 16 + 200


@given(st.lists(requests, min_size=1, max_size=4), st.data())
def test_mutated_streams_give_frames_or_a_frame_error(
    sent: list[tuple[int, bytes, bytes]], data: st.DataObject
) -> None:
    stream = bytearray(b"".join(encode_request(*request) for request in sent))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(stream) - 1))
        stream[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
        stream = stream or bytearray(1)
    mutated = bytes(stream)
    assert read(mutated) == read(*(mutated[place : place + 1] for place in range(len(mutated))))


def read(*pieces: bytes) -> tuple[list[Frame], str]:
    """The frames that pieces hold, and how the first bad one was refused."""
    decoder = FrameDecoder(MAX_BODY, from_client=True)
    found: list[Frame] = []
    try:
        for piece in pieces:
            found.extend(decoder.feed(piece))
    except FrameError as error:
        return found, str(error)
    return found, ""


def test_a_body_over_the_limit_is_refused_by_its_header() -> None:
    with pytest.raises(BodyTooLarge):
        decoded(HEADER.pack(1, actions.SEND, 0xFFFFFFFF))
    with pytest.raises(BodyTooLarge):
        decoded(HEADER.pack(1, actions.SEND, MAX_BODY + 1))


def test_frames_before_a_bad_one_are_given_first() -> None:
    decoder = FrameDecoder(MAX_BODY, from_client=True)
    found = decoder.feed(encode_request(actions.LOG_OUT, b"", TOKEN) + b"GET / HTTP/1.1")
    assert next(found) == Frame(actions.LOG_OUT, b"", TOKEN)
    with pytest.raises(UnknownVersion):
        next(found)


def test_a_version_is_refused_by_its_first_byte() -> None:
    with pytest.raises(UnknownVersion, match="version 2"):
        decoded(b"\x02")


def test_nobody_is_sixteen_zeros_and_servers_send_none() -> None:
    assert encode_request(actions.PING, b"")[-16:] == NO_TOKEN
    reply = encode_frame(actions.RESPONSE, b"ok")
    assert list(FrameDecoder(MAX_BODY, from_client=False).feed(reply)) == [Frame(actions.RESPONSE, b"ok")]
