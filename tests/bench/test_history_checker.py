"""The history checker: clean histories pass, and each kind of fault is found."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.history.checker import check
from bench.history.recording import History, Restore, Seen, Sent


def message_id(number: int) -> bytes:
    return number.to_bytes(16, "big")


def clean(count: int = 5) -> History:
    """Return a history in which two senders take turns and one receiver sees every message."""
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


def test_a_message_that_was_never_acknowledged_may_be_missing() -> None:
    history = clean()
    history.sent["alice"].append(Sent("alice", "carol", message_id(99), "unsure", acknowledged=False))
    assert check(history).is_clean


def test_an_acknowledged_message_that_is_nowhere_is_lost() -> None:
    history = clean()
    history.sent["alice"].append(Sent("alice", "carol", message_id(99), "sure", acknowledged=True))
    assert check(history).counts()["lost"] == 1


def test_a_message_that_was_not_shown_before_others_is_skipped() -> None:
    history = clean()
    del history.shown["carol"][2]
    counts = check(history).counts()
    # It counts twice: as a hole on the screen, and as a message of the mailbox that was never shown.
    assert (counts["lost"], counts["skipped"]) == (0, 2)


def test_a_last_message_that_was_not_shown_is_lost() -> None:
    history = clean()
    del history.shown["carol"][-1]
    counts = check(history).counts()
    assert (counts["lost"], counts["skipped"]) == (1, 0)


def test_an_announced_gap_is_no_fault() -> None:
    history = clean()
    for log in (history.stored["carol"], history.shown["carol"]):
        del log[0]
    history.gaps["carol"] = {1}
    history.sent["bob"][0] = replace(history.sent["bob"][0], acknowledged=False)
    assert check(history).is_clean


def test_a_message_shown_twice_is_a_duplicate() -> None:
    history = clean()
    history.shown["carol"].insert(3, history.shown["carol"][2])
    assert check(history).counts()["duplicated"] > 0


def test_a_message_stored_twice_is_a_duplicate() -> None:
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


def test_another_order_of_one_senders_messages_is_found() -> None:
    history = clean()
    history.sent["bob"].reverse()
    assert check(history).counts()["reordered"] == 1


@pytest.mark.parametrize("change", [{"text": "other"}, {"sender": "mallory"}, {"message_id": message_id(77)}])
def test_a_message_that_nobody_sent_like_this_is_a_phantom(change: dict[str, object]) -> None:
    history = clean()
    history.shown["carol"][0] = replace(history.shown["carol"][0], **change)  # type: ignore[arg-type]
    assert check(history).counts()["phantom"] == 1


def unknown(sequence: int, message_id: bytes) -> Seen:
    """Return a message of a kind that this version does not know."""
    return Seen(sequence, "alice", message_id, "a message of a kind that this client does not know", kind=99)


def test_a_message_of_an_unknown_kind_that_no_client_sent_is_no_fault() -> None:
    history = clean()
    for log in (history.stored["carol"], history.shown["carol"]):
        log.append(unknown(6, message_id(77)))
    verdict = check(history)
    assert verdict.is_clean
    # Once in the mailbox, and once on the screen.
    assert (verdict.counts()["unknown"], verdict.counts()["phantom"]) == (2, 0)


def test_a_text_that_arrives_as_an_unknown_kind_is_a_phantom() -> None:
    history = clean()
    history.shown["carol"][1] = replace(history.shown["carol"][1], kind=99)
    verdict = check(history)
    assert not verdict.is_clean
    assert (verdict.counts()["unknown"], verdict.counts()["phantom"]) == (0, 1)


def test_a_message_of_an_unknown_kind_must_be_shown_like_any_other() -> None:
    history = clean()
    history.stored["carol"].append(unknown(6, message_id(77)))
    assert check(history).counts()["lost"] == 1


def restored(told: int = 1) -> History:
    """Return a history with a restore. The copy had two of five messages, and two more were stored afterwards."""
    history = clean()
    history.restores = [Restore(holds_through=2.5, end=10.0)]
    history.told = {"carol": told}
    for sender, own in history.sent.items():
        times = [float(one.text.split()[1]) for one in own]
        history.sent[sender] = [
            replace(one, first_try=time, receipt=time) for one, time in zip(own, times, strict=True)
        ]
    later = [Sent("bob", "carol", message_id(number), f"text {number}", True, 11.0, 11.0) for number in (6, 7)]
    history.sent["bob"] += later
    after = [Seen(3 + index, "bob", one.message_id, one.text, told) for index, one in enumerate(later)]
    history.stored["carol"] = [*history.stored["carol"][:2], *(replace(one, part=0) for one in after)]
    history.shown["carol"] = [*history.shown["carol"], *after]
    return history


def test_a_message_that_the_copy_lacked_may_be_missing_if_the_receiver_was_told() -> None:
    assert check(restored()).is_clean


def test_a_message_may_be_shown_again_after_a_restore() -> None:
    history = restored()
    shown = history.shown["carol"]
    shown[5:5] = [replace(shown[1], part=1)]
    assert check(history).is_clean


def test_a_message_of_the_copy_must_be_there() -> None:
    history = restored()
    del history.stored["carol"][0]
    assert check(history).counts()["lost"] == 1


def test_a_message_acknowledged_after_the_restore_must_be_there() -> None:
    history = restored()
    del history.stored["carol"][3]
    del history.shown["carol"][6]
    assert check(history).counts()["lost"] == 1


def test_a_message_acknowledged_after_the_restore_must_be_shown() -> None:
    history = restored()
    del history.shown["carol"][5]
    assert check(history).counts()["skipped"] == 1


def test_a_restore_of_which_no_receiver_was_told_is_found() -> None:
    history = restored()
    history.told = {}
    assert check(history).counts()["skipped"] == 3


def test_a_receiver_that_did_not_start_again_after_a_restore_has_skipped_messages() -> None:
    history = restored(told=0)
    assert check(history).counts()["skipped"] > 0


def test_a_message_shown_twice_after_a_restore_is_a_duplicate() -> None:
    history = restored()
    history.shown["carol"].append(history.shown["carol"][-1])
    assert check(history).counts()["duplicated"] > 0


def test_a_hole_after_a_restore_is_found() -> None:
    history = restored()
    shown = history.shown["carol"]
    shown[5:5] = [replace(shown[0], part=1)]
    assert check(history).counts()["skipped"] == 1


def test_another_order_after_a_restore_is_found() -> None:
    history = restored()
    shown = history.shown["carol"]
    shown[5], shown[6] = shown[6], shown[5]
    assert check(history).counts()["reordered"] > 0
