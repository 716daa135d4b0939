"""P9: the same scenario has the same outcome on the booth, over gRPC and over the wire."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatbooth_grpc.booth.errors import ChatboothError, SessionInvalid
from chatbooth_grpc.booth.model import Delivery, End, EndReason, MessageBatch, Opening
from chatbooth_grpc.booth.tokens import TokenLimits
from tests.contract.actor import FORGED, PASSWORD, ZEROS, Actor, number_id
from tests.contract.transports import PLAIN_WAYS, WAYS, transport_by

NAMES = ("ann", "ben", "cy")
CHOSEN, ANOTHER = b"\x02" * 16, b"\x03" * 16
SECRETS = [bytes((number,)) * 16 for number in range(4, 8)]


SCENARIO: list[tuple[Any, ...]] = [
    ("sign_up", "ann", PASSWORD),
    ("sign_up", "Ben", PASSWORD),
    ("sign_up", "ben", PASSWORD),
    *(("sign_up", name, PASSWORD) for name in ("", "a" * 33, "-ann", "ann smith", "é")),
    ("sign_up", "cy", "short"),
    ("sign_up", "cy", "x" * 1_025),
    ("log_in", "ann", "wrong password"),
    ("log_in", "nobody", PASSWORD),
    ("log_in", "ann", PASSWORD),
    ("log_in_with", "ann", "wrong password", CHOSEN),
    *(("log_in_with", "ann", PASSWORD, token) for token in (CHOSEN, CHOSEN, b"short", ZEROS, CHOSEN * 2)),
    *(("log_in_with", "ben", PASSWORD, token) for token in (CHOSEN, CHOSEN.hex().encode())),
    ("sign_up_with", "dee", PASSWORD, CHOSEN),
    ("list", "ann", "^dee$", "", 0, ""),
    ("sign_up_with", "dee", PASSWORD, ANOTHER),
    *(
        ("sign_up_with", "dee", PASSWORD, ANOTHER),
        ("log_in_with", "dee", PASSWORD, ANOTHER),
        ("delete", "dee", PASSWORD),
    ),
    *(("log_in_labelled", "ann", PASSWORD, label) for label in ("my phone \u4f60", "x" * 65, "a\nb", "\x1b[2J")),
    *(("sign_up_labelled", "eve", PASSWORD, label) for label in ("x" * 65, "x" * 64)),
    *(("list_sessions", "ann", 1, token) for token in ("", None, None, "!", "f" * 16)),
    ("list_sessions", "eve", 0, ""),
    *(("list_sessions", who, 0, "") for who in ("nobody", "stranger")),
    *(("end_session", "eve", number) for number in (0, 1, 99, (1 << 64) - 1)),
    *(("end_session", "ann", number) for number in (1, 1)),
    *(("end_session", who, 2) for who in ("nobody", "stranger")),
    ("list_sessions", "ann", 0, ""),
    ("delete", "eve", PASSWORD),
    ("list", "ann", "", "", 1, ""),
    ("list", "ann", "", "", 1, None),
    ("list", "ann", "(", "", 0, ""),
    ("list", "ann", "x" * 1_001, "", 0, ""),
    ("list", "ann", "", "no one", 0, ""),
    ("list", "ann", "b", "", 0, "bm9uc2Vuc2U="),
    *(("list", who, "", "", 0, "") for who in ("nobody", "stranger")),
    ("send", "ann", "BEN", number_id(1), "hello \u4f60\u597d \U0001f44b"),
    ("send", "ann", "ben", number_id(1), "hello \u4f60\u597d \U0001f44b"),
    ("send", "ann", "ben", number_id(1), "something else"),
    ("send", "ann", "ann", number_id(1), "something else"),
    ("send", "ann", "cy", number_id(2), "to nobody"),
    ("send", "ann", "no one", number_id(2), "to no name"),
    ("send", "ann", "ben", ZEROS, "no id"),
    ("send", "ann", "ben", number_id(3), ""),
    ("send", "ann", "ben", number_id(3), "x" * (1 << 20) + "y"),
    ("send", "ann", "ben", number_id(4), "x" * (1 << 20)),
    *(("send_content", "ann", "ben", number_id(12), kind, b"\xff of a newer kind") for kind in (2, 7, 255)),
    ("send_content", "ann", "ben", ZEROS, 7, b"no id"),
    ("send_content", "ann", "nobody", number_id(12), 7, b""),
    ("send_content", "nobody", "ben", number_id(12), 7, b"forged"),
    ("send", "ann", "ben", number_id(5), "last"),
    ("set_block", "ben", "ANN", True),
    *(("set_block", "ben", who, True) for who in ("ann", "ben", "nobody", "no one")),
    *(("set_block", who, "ben", True) for who in ("nobody", "stranger")),
    *(("list_blocks", "ben", 1, token) for token in ("", None, "!")),
    *(("list_blocks", who, 0, "") for who in ("ann", "nobody", "stranger")),
    *(("send", "ann", "ben", number_id(number), "last") for number in (5, 6)),
    ("send", "ann", "ben", number_id(5), "something else"),
    ("send_batches", "ann", [("ben", number_id(6), "blocked"), ("ann", number_id(6), "to ann")]),
    *(("set_block", "ben", who, False) for who in ("ann", "ben", "nobody")),
    *(("send", who, "ben", number_id(6), "forged") for who in ("nobody", "stranger")),
    (
        "send_batches",
        "ann",
        [
            ("ben", number_id(7), "one"),
            ("nobody", number_id(8), "?"),
            ("ben", number_id(1), "hello"),
            ("BEN", ZEROS, "?"),
        ],
        [("ben", number_id(7), "one"), ("ben", number_id(9), ""), ("ann", number_id(9), "x" * 1_000)],
        [("ben", number_id(10), "two")],
    ),
    *(("send_batches", who, [("ben", number_id(11), "forged")]) for who in ("nobody", "stranger")),
    *(step for who in ("nobody", "stranger") for step in (("deliver", who, 0, None, 0), ("acknowledge", who, 1))),
    *(step for who in ("nobody", "stranger") for step in (("log_out", who), ("delete", who, PASSWORD))),
    *(("change_password", who, PASSWORD, "another password") for who in ("nobody", "stranger")),
    ("deliver", "ben", 0, None, 2),
    ("deliver", "ben", 1, None, 0),
    ("deliver", "ben", 0, 0, 1),
    ("deliver", "ben", 4, None, 0),
    ("deliver", "ben", 0, (1 << 64) - 1, 0),
    *(("acknowledge_of", epoch, "ben", 3) for epoch in (CHOSEN, b"short")),
    *(("deliver_of", epoch, "ben", 99) for epoch in (CHOSEN, b"short")),
    ("acknowledge", "ben", 2),
    ("acknowledge", "ben", 1),
    ("acknowledge", "ben", 99),
    ("deliver", "ben", 0, None, 0),
    ("create_token", "ann", SECRETS[0], "reader", TokenLimits(may_read=True), 0),
    *(("create_token", "ann", SECRETS[1], "alerts", TokenLimits(may_send=True, recipient="BEN"), 3_600),) * 2,
    ("create_token", "ann", SECRETS[2], "both", TokenLimits(may_read=True, may_send=True), 0),
    ("create_token", "ann", SECRETS[3], "both", TokenLimits(may_read=True), 0),
    ("create_token", "ann", SECRETS[0], "other", TokenLimits(may_read=True), 0),
    *(("create_token", "ann", secret, "x", TokenLimits(may_read=True), 0) for secret in (CHOSEN, ZEROS)),
    *(("create_token", "ann", SECRETS[3], label, TokenLimits(may_read=True), 0) for label in ("", "a\nb", "x" * 65)),
    *(
        ("create_token", "ann", SECRETS[3], "x", limits, 0)
        for limits in (
            TokenLimits(),
            TokenLimits(may_read=True, recipient="ben"),
            TokenLimits(may_send=True, recipient="nobody"),
            TokenLimits(may_send=True, recipient="no one"),
        )
    ),
    *(("create_token", "ann", SECRETS[3], "x", TokenLimits(may_read=True), life) for life in (1 << 40, (1 << 64) - 1)),
    *(("create_token", who, SECRETS[3], "x", TokenLimits(may_read=True), 0) for who in ("nobody", "stranger", "both")),
    ("list_tokens", "ann"),
    *(
        step
        for who in ("reader", "alerts", "both")
        for step in (
            *(("send", who, to, number_id(20), "alert") for to in ("ben", "ann", "nobody", "no one")),
            (
                "send_batches",
                who,
                [("ben", number_id(21), "one"), ("ann", number_id(21), "two"), ("ben", ZEROS, "three")],
                [("ben", number_id(22), "four")],
            ),
            ("deliver", who, 0, None, 1),
            ("acknowledge", who, 1),
            ("list", who, "", "", 0, ""),
            ("list_sessions", who, 0, ""),
            ("end_session", who, 1),
            ("set_block", who, "ben", True),
            ("list_blocks", who, 0, ""),
            ("change_password", who, PASSWORD, "another password"),
            ("delete", who, PASSWORD),
            ("log_out", who),
        )
    ),
    *((action, "ann", PASSWORD, SECRETS[0]) for action in ("log_in_with", "sign_up_with")),
    ("change_password", "ben", "wrong password", "another password"),
    ("change_password", "ben", PASSWORD, "short"),
    ("change_password", "ben", PASSWORD, "another password"),
    ("log_in", "ben", PASSWORD),
    ("log_in", "ben", "another password"),
    ("deliver", "ben", 0, None, 0),
    ("delete", "ben", PASSWORD),
    ("delete", "ben", "another password"),
    ("deliver", "ben", 0, None, 0),
    ("send", "ann", "ben", number_id(1), "hello \u4f60\u597d \U0001f44b"),
    ("sign_up", "ben", PASSWORD),
    *(("send", who, "ben", number_id(23), "to a deleted account") for who in ("alerts", "both")),
    *(("end_session", "ann", number) for number in range(14)),
    *(("deliver", who, 0, None, 0) for who in ("reader", "alerts", "both")),
    ("log_out", "ann"),
    ("log_out", "ann"),
]


def outcomes(way: str, folder: Path, steps: list[tuple[Any, ...]]) -> list[object]:
    with transport_by(way, folder) as transport:
        actor = Actor(transport)
        return [actor.do(*step) for step in steps]


def test_one_scenario_one_outcome(tmp_path: Path) -> None:
    expected, *others = (outcomes(way, tmp_path / way, SCENARIO) for way in WAYS)
    for other in others:
        for step, one, another in zip(SCENARIO, expected, other, strict=True):
            assert one == another, step
    reasons = {one[0] for one in expected if type(one) is tuple}
    assert len(reasons) >= 15
    assert sum(isinstance(one, Delivery) for one in expected) >= 5


names = st.sampled_from((*NAMES, "nobody", "No One"))
passwords = st.sampled_from((PASSWORD, "another password", "short"))
tokens = st.sampled_from((CHOSEN, ANOTHER, b"", ZEROS, b"short"))
small = st.integers(0, 4)
patterns = st.sampled_from(("", "n", "^a", "("))
batches = st.lists(st.tuples(names, small.map(number_id), st.text(max_size=3)), min_size=1, max_size=4)
steps = st.one_of(
    st.tuples(st.just("sign_up"), names, passwords),
    st.tuples(st.just("log_in"), names, passwords),
    st.tuples(st.sampled_from(("sign_up_with", "log_in_with")), names, passwords, tokens),
    st.tuples(st.just("log_out"), names),
    st.tuples(st.just("change_password"), names, passwords, passwords),
    st.tuples(st.just("delete"), names, passwords),
    st.tuples(st.just("list"), names, patterns, st.sampled_from(("", "b")), small, st.none()),
    st.tuples(st.just("send"), names, names, small.map(number_id), st.text(max_size=3)),
    st.tuples(st.just("send_content"), names, names, small.map(number_id), st.integers(2, 255), st.binary(max_size=3)),
    st.tuples(st.just("send_batches"), names, batches, batches),
    st.tuples(st.just("deliver"), names, small, st.none() | small, small),
    st.tuples(st.just("acknowledge"), names, small),
    st.tuples(st.just("set_block"), names, names, st.booleans()),
    st.tuples(st.just("list_blocks"), names, small, st.none()),
    st.tuples(st.just("list_sessions"), names, small, st.none()),
    st.tuples(st.just("end_session"), names, st.integers(0, 9)),
)


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(st.lists(steps, min_size=5, max_size=40))
def test_any_actions_have_the_same_outcome_by_every_way(
    tmp_path_factory: pytest.TempPathFactory, sequence: list[Any]
) -> None:
    people: list[tuple[Any, ...]] = [("sign_up", name, PASSWORD) for name in NAMES]
    folder = tmp_path_factory.mktemp("ways")
    expected, *others = (outcomes(way, folder / way, [*people, *sequence]) for way in PLAIN_WAYS)
    for other in others:
        assert expected == other


@pytest.mark.parametrize("way", [way for way in WAYS if way != "booth"])
def test_a_stream_has_the_same_events_by_every_way(tmp_path: Path, way: str) -> None:
    with transport_by(way, tmp_path / way) as transport:
        actor = Actor(transport)
        actor.do("sign_up", "ann", PASSWORD)
        actor.do("send", "ann", "ann", number_id(1), "before")
        stream = iter(transport.listen(actor.token("ann"), None))
        opening, batch = next(stream), next(stream)
        assert isinstance(opening, Opening)
        assert isinstance(batch, MessageBatch)
        assert (opening.account_id, opening.resumed_after, opening.replaying) == (1, 0, 1)
        actor.do("send", "ann", "ann", number_id(2), "meanwhile")
        pushed = next(stream)
        assert isinstance(pushed, MessageBatch)
        assert [m.text for m in (*batch.messages, *pushed.messages)] == ["before", "meanwhile"]
        actor.do("log_out", "ann")
        assert next(stream) == End(EndReason.SESSION_ENDED, 2)
        with pytest.raises(ChatboothError, match="has ended"):
            next(stream)
        for token, problem in ((ZEROS, "MISSING"), (FORGED, "")):
            with pytest.raises(SessionInvalid) as refused:
                next(iter(transport.listen(token, None)))
            assert refused.value.problem == problem


@pytest.mark.parametrize("way", ["grpc", "plain-grpc", "wire"])
def test_ending_a_session_ends_its_stream_by_every_way(tmp_path: Path, way: str) -> None:
    with transport_by(way, tmp_path / way) as transport:
        actor = Actor(transport)
        actor.do("sign_up", "ann", PASSWORD)
        stream = iter(transport.listen(actor.token("ann"), None))
        assert isinstance(next(stream), Opening)
        actor.do("log_in", "ann", PASSWORD)
        assert actor.do("end_session", "ann", 1) == "done"
        assert next(stream) == End(EndReason.SESSION_ENDED, 0)
        with pytest.raises(SessionInvalid):
            next(stream)
