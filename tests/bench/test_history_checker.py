"""The history checker: clean histories pass, and each kind of fault is found."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.history.checker import check
from bench.history.recording import History, Seen, Sent


def message_id(number: int) -> bytes:
    return number.to_bytes(16, "big")


def clean(count: int = 5) -> History:
    """Two senders take turns, one receiver sees everything."""
    history = History(gaps={"carol": set()})
    for number in range(1, count + 1):
        sender = ("alice", "bob")[number % 2]
        sent = Sent(sender, "carol", message_id(number), f"text {number}", acknowledged=True)
        history.sent.setdefault(sender, []).append(sent)
        history.stored.setdefault("carol", []).append(Seen(number, sender, sent.message_id, sent.text))
    history.shown["carol"] = list(history.stored["carol"])
    return history


@given(st.integers(1, 30))
def test_a_clean_history_passes(count: int) -> None:
    assert check(clean(count)).is_clean


def test_one_that_was_never_acknowledged_may_be_missing() -> None:
    history = clean()
    history.sent["alice"].append(Sent("alice", "carol", message_id(99), "unsure", acknowledged=False))
    assert check(history).is_clean


def test_an_acknowledged_one_that_is_nowhere_is_lost() -> None:
    history = clean()
    history.sent["alice"].append(Sent("alice", "carol", message_id(99), "sure", acknowledged=True))
    assert check(history).counts()["lost"] == 1


def test_one_that_was_not_shown_is_lost_and_skipped() -> None:
    history = clean()
    del history.shown["carol"][2]
    counts = check(history).counts()
    assert (counts["lost"], counts["skipped"]) == (1, 1)


def test_an_announced_gap_is_no_hole() -> None:
    history = clean()
    for log in (history.stored["carol"], history.shown["carol"]):
        del log[0]
    history.gaps["carol"] = {1}
    history.sent["bob"][0] = replace(history.sent["bob"][0], acknowledged=False)
    assert check(history).is_clean


def test_one_shown_twice_is_a_duplicate() -> None:
    history = clean()
    history.shown["carol"].insert(3, history.shown["carol"][2])
    assert check(history).counts()["duplicated"] > 0


def test_one_stored_twice_is_a_duplicate() -> None:
    history = clean()
    again = replace(history.stored["carol"][1], sequence=6)
    history.stored["carol"].append(again)
    history.shown["carol"].append(again)
    assert check(history).counts()["duplicated"] == 2


def test_another_order_on_the_screen_is_found() -> None:
    history = clean()
    shown = history.shown["carol"]
    shown[1], shown[2] = shown[2], shown[1]
    assert check(history).counts()["reordered"] > 0


def test_a_senders_order_is_kept() -> None:
    history = clean()
    history.sent["bob"].reverse()
    assert check(history).counts()["reordered"] == 1


@pytest.mark.parametrize("change", [{"text": "other"}, {"sender": "mallory"}, {"message_id": message_id(77)}])
def test_what_nobody_sent_so_is_a_phantom(change: dict[str, object]) -> None:
    history = clean()
    history.shown["carol"][0] = replace(history.shown["carol"][0], **change)  # type: ignore[arg-type]
    assert check(history).counts()["phantom"] == 1
