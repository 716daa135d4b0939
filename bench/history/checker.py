"""Whether a history keeps promises P1 to P5. Pure: nothing here touches a server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby

from bench.history.recording import History, Seen, Sent


@dataclass
class Verdict:
    """What was found wrong, one line each."""

    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    reordered: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    phantom: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was."""
        return not any(self.counts().values())

    def counts(self) -> dict[str, int]:
        """How many of each kind."""
        return {name: len(found) for name, found in vars(self).items()}


def check(history: History) -> Verdict:
    """Check what was shown and stored against what was sent and acknowledged."""
    verdict = Verdict()
    sent = {(one.sender, one.recipient, one.message_id): one for own in history.sent.values() for one in own}
    for receiver in history.stored.keys() | history.shown.keys():
        stored, shown = history.stored.get(receiver, []), history.shown.get(receiver, [])
        missing = history.gaps.get(receiver, set())
        _check_origin(receiver, (*stored, *shown), sent, verdict)
        for place, log in (("mailbox", stored), ("screen", shown)):
            _check_log(f"{receiver}'s {place}", log, missing, verdict)
        _check_shown(receiver, stored, shown, verdict)
    _check_acknowledged(history, verdict)
    _check_senders_order(history, verdict)
    return verdict


def _check_origin(
    receiver: str, log: Iterable[Seen], sent: dict[tuple[str, str, bytes], Sent], verdict: Verdict
) -> None:
    for one in log:
        origin = sent.get((one.sender, receiver, one.message_id))
        if origin is None or origin.text != one.text:
            verdict.phantom.append(f"{receiver} has {one.sequence} ({one.text!r}), which nobody sent so")


def _check_shown(receiver: str, stored: list[Seen], shown: list[Seen], verdict: Verdict) -> None:
    """All that a mailbox holds was shown, and as the very message that it is."""
    seen = {one.identity for one in shown}
    last = shown[-1].sequence if shown else 0
    for one in stored:
        if one.identity in seen:
            continue
        if one.sequence < last:
            verdict.skipped.append(f"{receiver} was shown {last}, and never {one.sequence} ({one.text!r})")
        else:
            verdict.lost.append(f"{receiver} was never shown {one.sequence} ({one.text!r})")


def _check_log(name: str, log: list[Seen], missing: set[int], verdict: Verdict) -> None:
    for part, messages in groupby(log, lambda one: one.part):
        _check_part(name if part == 0 else f"{name}, part {part},", [*messages], missing, verdict)


def _check_part(name: str, log: list[Seen], missing: set[int], verdict: Verdict) -> None:
    """A log goes 1, 2, 3 and so on, each once, with no hole but those announced.

    After a restore it goes on where the session's cursor was in the copy.
    """
    expected = 1 if log[0].part == 0 else log[0].sequence
    for one in log:
        if one.sequence < expected:
            kind = verdict.duplicated if log.count(one) > 1 else verdict.reordered
            kind.append(f"{name} has {one.sequence} again or late, after {expected - 1}")
            continue
        while expected < one.sequence:
            if expected not in missing:
                verdict.skipped.append(f"{name} lacks {expected}")
            expected += 1
        expected += 1
    for (sender, message_id), count in Counter((one.sender, one.message_id) for one in log).items():
        if count > 1:
            verdict.duplicated.append(f"{name} has {count} times {message_id.hex()} of {sender}")


def _check_acknowledged(history: History, verdict: Verdict) -> None:
    kept = {(one.sender, receiver, one.message_id) for receiver, log in history.stored.items() for one in log}
    for own in history.sent.values():
        for one in own:
            if not one.acknowledged or (one.sender, one.recipient, one.message_id) in kept:
                continue
            if not any(restore.may_lack(one) for restore in history.restores):
                verdict.lost.append(f"{one.recipient} never got {one.text!r}, acknowledged to {one.sender}")
            elif not history.told.get(one.recipient):
                verdict.skipped.append(f"{one.recipient} was not told of a restore that lacked {one.text!r}")


def _check_senders_order(history: History, verdict: Verdict) -> None:
    """What one sender sent, each acknowledged before the next, lies in that order."""
    for sender, own in history.sent.items():
        order = {(one.recipient, one.message_id): place for place, one in enumerate(own)}
        for receiver, log in history.stored.items():
            places = [order.get((receiver, one.message_id), -1) for one in log if one.sender == sender]
            if places != sorted(places):
                verdict.reordered.append(f"{receiver}'s mailbox has the messages of {sender} in another order")
