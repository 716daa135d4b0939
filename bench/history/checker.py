"""Whether a history keeps promises P1 to P5. Pure: nothing here touches a server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby

from bench.history.recording import History, Seen, Sent
from chatbooth_grpc.booth.model import ContentKind


@dataclass
class Verdict:
    """The faults that were found, by their kind, with a line for each."""

    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    reordered: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    phantom: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    """Messages that no sender sent, of a content kind that this version does not know. They are no fault (P10)."""

    @property
    def is_clean(self) -> bool:
        """Whether no fault was found."""
        return not any(count for name, count in self.counts().items() if name != "unknown")

    def counts(self) -> dict[str, int]:
        """Return how many lines there are of each kind."""
        return {name: len(found) for name, found in vars(self).items()}


def check(history: History) -> Verdict:
    """Compare the messages that were shown and stored with those that were sent and acknowledged."""
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
    """Each message is the one that its sender sent, or is of a kind that only the server can have made."""
    for one in log:
        origin = sent.get((one.sender, receiver, one.message_id))
        if origin is None and one.kind not in set(ContentKind):
            verdict.unknown.append(f"{receiver} has {one.sequence}, of the unknown kind {one.kind}")
        elif origin is None or origin.text != one.text or one.kind != ContentKind.TEXT:
            verdict.phantom.append(f"{receiver} has {one.sequence} ({one.text!r}), which nobody sent like this")


def _check_shown(receiver: str, stored: list[Seen], shown: list[Seen], verdict: Verdict) -> None:
    """Every message of a mailbox was shown, with the same sequence, sender and id."""
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
    """The sequences of a log are 1, 2, 3 and so on, each once. Only announced ones may be missing.

    After a restore a log continues from the session's cursor in the copy.
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
    """A mailbox has the messages of each sender in the order in which they were sent and acknowledged."""
    for sender, own in history.sent.items():
        order = {(one.recipient, one.message_id): place for place, one in enumerate(own)}
        for receiver, log in history.stored.items():
            ids = [(receiver, one.message_id) for one in log if one.sender == sender]
            places = [order[each] for each in ids if each in order]
            if places != sorted(places):
                verdict.reordered.append(f"{receiver}'s mailbox has the messages of {sender} in another order")
