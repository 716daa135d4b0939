"""SENDs of many connections that go to the store in one call, and the replies to them.

Each connection has its lane. Once the store has failed a SEND of a lane, it stores no later SEND of that lane.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.call_log import Call, calling, is_logging_calls, log_defect
from chatbooth_grpc.booth.errors import ChatboothError, Internal, MalformedRequest, RateLimited, SessionInvalid
from chatbooth_grpc.booth.lane import Lane
from chatbooth_grpc.booth.model import OutgoingMessage, Receipt
from chatbooth_grpc.booth.observing import WIRE
from chatbooth_grpc.booth.request_ids import new_request_id
from chatbooth_grpc.booth.sending import Checked
from chatbooth_grpc.booth.store import Outcome, StoredSession
from chatbooth_grpc.wire.encoding.codes import OK, encode_error
from chatbooth_grpc.wire.encoding.frames import Frame, encode_frame
from chatbooth_grpc.wire.encoding.primitives import BodyError
from chatbooth_grpc.wire.encoding.sending import decode_outgoing, encode_receipt
from chatbooth_grpc.wire.server.dispatch import Peer

Settle = Callable[[tuple[bytes, bool]], None]
"""A callback that gets the replies, as frames, and whether the store has failed. If so, no other reply may follow them.

It must return at once.
"""

_OK = bytes((OK,))

_log = logging.getLogger(__name__)


class _Part(NamedTuple):
    """The SENDs of one connection: their number, lane and callback, and a call for each SEND if calls are logged."""

    size: int
    lane: Lane
    settle: Settle
    calls: Sequence[Call]


class Sends:
    """SENDs that will be stored in one commit. One thread adds them, and adds none after `store`."""

    def __init__(self, booth: Booth) -> None:
        self._booth = booth
        self._checked: list[Checked] = []
        self._parts: list[_Part] = []
        # The call that all SENDs share, for the observer.
        self._call = None if booth.observer is None else Call(actions.action_name(actions.SEND), lambda: "", WIRE)

    def add(
        self,
        requests: Sequence[Frame],
        lane: Lane,
        settle: Settle,
        peer: Peer,
        wait_for_earlier: Callable[[], None] = lambda: None,
    ) -> None:
        """Add the SENDs of a connection. This may ask the store for their sessions, and so may block.

        If an account sends too often, this calls `wait_for_earlier`, which returns when all earlier SENDs of the
        connection are answered. Then it refuses these SENDs, and all later ones of the lane. So none overtakes another.
        """
        sessions: dict[bytes, StoredSession | ChatboothError] = {}
        for frame in requests:
            if frame.token not in sessions:
                sessions[frame.token] = self._session(frame.token, lane, peer)
        if lane.error is None and (limited := self._refused(sessions[frame.token] for frame in requests)):
            wait_for_earlier()
            lane.fail(limited)
        for frame in requests:
            session = lane.error or sessions[frame.token]
            message = _decoded(frame)
            if isinstance(message, ChatboothError):
                self._checked.append(message)
            elif isinstance(session, ChatboothError):
                self._checked.append(session)
            else:
                self._checked.append(self._booth.sending.checked(session, message, lane))
        calls = [_call(peer, sessions[frame.token]) for frame in requests] if is_logging_calls() else ()
        self._parts.append(_Part(len(requests), lane, settle, calls))

    def add_if_cached(self, requests: Sequence[Frame], lane: Lane, settle: Settle, peer: Peer) -> bool:
        """Add the SENDs of a connection, and return True.

        If a session is not cached, a SEND is malformed or an account sends too often, add none and return False. This
        never blocks.
        """
        checked = []
        calls = []
        counts: dict[int, int] = {}
        are_logged = is_logging_calls()
        for _, body, token in requests:
            session = self._booth.cached_session(token)
            if session is None:
                return False
            try:
                message = decode_outgoing(body)
            except BodyError:
                return False
            checked.append(self._booth.sending.checked(session, message, lane))
            counts[session.sender_key] = counts.get(session.sender_key, 0) + 1
            if are_logged:
                calls.append(_call(peer, session))
        for key, count in counts.items():
            if self._booth.throttles.take_sends(key, count):
                return False
        self._checked += checked
        self._parts.append(_Part(len(checked), lane, settle, calls))
        return True

    def store(self) -> None:
        """Hand the SENDs to the store, and return at once. Each connection's callback is called once, on any thread."""
        if not self._parts:
            return
        try:
            if self._call is None:
                self._booth.sending.send_later(self._checked, self._settle)
            else:
                with calling(self._call):
                    self._booth.sending.send_later(self._checked, self._settle)
        except Exception:  # noqa: BLE001  # a bug must be answered too
            # The SENDs may be those of several clients.
            defect = _defect(Call(actions.action_name(actions.SEND), lambda: ""))
            for part in self._parts:
                part.lane.fail(defect)
            self._settle([new if isinstance(new, ChatboothError) else defect for new in self._checked])

    def _session(self, token: bytes, lane: Lane, peer: Peer) -> StoredSession | ChatboothError:
        """Return the session of a token, or the error that hides it. An error of the store fails the lane."""
        try:
            with calling(_call(peer)):
                return self._booth.admitted(token)
        except SessionInvalid as refusal:
            return refusal
        except ChatboothError as failure:
            return lane.fail(failure)
        except Exception:  # noqa: BLE001  # a bug must be answered too
            return lane.fail(_defect(_call(peer)))

    def _request_id(self, place: int) -> str:
        """Return the id of the request in a place: the one in the log, if the request is logged."""
        for part in self._parts:
            if place < part.size:
                return part.calls[place].request_id if part.calls else new_request_id()
            place -= part.size
        raise IndexError(place)

    def _refused(self, sessions: Iterable[StoredSession | ChatboothError]) -> RateLimited | None:
        """Count a message for each session's account. Return the error if an account sends too often."""
        counts = Counter(session.sender_key for session in sessions if isinstance(session, StoredSession))
        throttles = self._booth.throttles
        waits = [throttles.take_sends(key, count) for key, count in counts.items()]
        return throttles.sends_refused(max(waits)) if any(waits) else None

    def _settle(self, outcomes: Sequence[Outcome]) -> None:
        if self._booth.observer is not None and self._call is not None:
            self._booth.observer.sends_ended(self._call, outcomes)
        replies = _encode_replies(outcomes, self._request_id)
        start = 0
        for size, lane, settle, calls in self._parts:
            end = start + size
            for call, outcome in zip(calls, outcomes[start:end], strict=False):
                call.end(outcome if isinstance(outcome, ChatboothError) else None)
            has_failed = lane.error is not None and any(map(lane.is_failure, outcomes[start:end]))
            try:
                settle((replies[start] if size == 1 else b"".join(replies[start:end]), has_failed))
            except Exception:  # noqa: BLE001  # a bug concerns one connection
                _log.exception("replies could not be told")
            start = end


def _call(peer: Peer, session: StoredSession | ChatboothError | None = None) -> Call:
    """Return the call by which the log describes a SEND. It names the account, if that is known."""
    call = Call(actions.action_name(actions.SEND), peer)
    if isinstance(session, StoredSession):
        call.account = session.username
    return call


def _defect(call: Call) -> Internal:
    """Log the exception that is being handled. Return the error for the client, with the id that the line has."""
    log_defect(call)
    defect = Internal()
    defect.request_id = call.request_id
    return defect


def _decoded(frame: Frame) -> OutgoingMessage | ChatboothError:
    try:
        return decode_outgoing(frame.body)
    except BodyError:
        return MalformedRequest()


def _encode_replies(outcomes: Sequence[Outcome], request_id: Callable[[int], str]) -> list[bytes]:
    """Encode outcomes as frames. Most outcomes of one commit are the same receipt, which is encoded once.

    `request_id` returns the id of the request in a place.
    """
    last: Receipt | None = None
    receipt = b""
    replies = []
    for place, outcome in enumerate(outcomes):
        if isinstance(outcome, ChatboothError):
            replies.append(
                encode_frame(actions.RESPONSE, encode_error(outcome, outcome.request_id or request_id(place)))
            )
            continue
        if outcome is not last:
            last, receipt = outcome, encode_frame(actions.RESPONSE, _OK + encode_receipt(outcome))
        replies.append(receipt)
    return replies
