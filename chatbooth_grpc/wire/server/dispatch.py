"""Performs the action of a request on the booth, and returns the body of the reply."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any

from chatbooth_grpc.booth.actions import ACTIONS, action_name
from chatbooth_grpc.booth.booth import PERFORM, Booth
from chatbooth_grpc.booth.bulkhead import Bulkhead
from chatbooth_grpc.booth.call_log import Call, calling, current_call, log_defect
from chatbooth_grpc.booth.errors import (
    ChatboothError,
    Internal,
    MalformedRequest,
    UnknownAction,
)
from chatbooth_grpc.booth.observing import WIRE, Observer
from chatbooth_grpc.live.unread import Unread
from chatbooth_grpc.wire.encoding.codec import Codec
from chatbooth_grpc.wire.encoding.codecs import CODECS
from chatbooth_grpc.wire.encoding.codes import OK, encode_error
from chatbooth_grpc.wire.encoding.frames import Frame
from chatbooth_grpc.wire.encoding.primitives import BodyError

Peer = Callable[[], str]
"""Returns the address of a client, HOST:PORT, as the logs write it."""

_OK = bytes((OK,))


class Dispatcher:
    """Answers requests. Many threads may use one dispatcher."""

    def __init__(self, booth: Booth, unread: Unread) -> None:
        """`unread` counts the bytes that clients have not read."""
        self.booth = booth
        self._unread = unread
        self._answers = {action: self._answering(codec) for action, codec in CODECS.items()}
        self._at_once = {
            number: Bulkhead(f"{row.name} answers at once", working=row.large_answers)
            for number, row in ACTIONS.items()
            if row.large_answers
        }

    def at_once(self, action: int) -> contextlib.AbstractContextManager[object]:
        """Return a context to enter while the reply to an action is made and written. It limits their number."""
        return self._at_once.get(action, contextlib.nullcontext())

    def answer(self, frame: Frame, peer: Peer) -> bytes:
        """Perform any action but SEND and LISTEN. Return the body of its reply, which may be an error."""
        return answered(partial(self._perform, frame), frame.action, peer, self.booth.observer)

    def _perform(self, frame: Frame) -> bytes:
        self.booth.throttles.check_request()
        return self._answers.get(frame.action, _unknown)(frame)

    def _answering(self, codec: Codec[Any, Any]) -> Callable[[Frame], bytes]:
        """Return the function that answers an action: it decodes the request, asks the booth, encodes the reply."""
        booth, perform = self.booth, PERFORM[codec.action]
        is_large = ACTIONS[codec.action].large_answers > 0
        bulkhead = ACTIONS[codec.action].bulkhead

        def answer(frame: Frame) -> bytes:
            request = codec.decode_request(frame.body)
            if is_large:
                self.admit(frame.action, frame.token)
            with self._place(bulkhead, frame.token) if bulkhead else contextlib.nullcontext():
                return _OK + codec.encode_reply(perform(booth, frame.token, request))

        return answer

    def _place(self, bulkhead: str, token: bytes) -> contextlib.AbstractContextManager[None]:
        """Return a context that takes a place of slow work. It raises TooBusy if the client has its share."""
        call = current_call()
        session = self.booth.cached_session(token)
        account = token if session is None else session.account_id
        return self.booth.shares.place(bulkhead, call.peer() if call else "", account)

    def admit(self, action: int, token: bytes) -> None:
        """Refuse the large answer of an action if the account leaves too much unread.

        Raises TooBusy, SessionInvalid, NotPermitted.
        """
        self._unread.check(self.booth.authenticated(token, action).account_id)


def answered(perform: Callable[[], bytes], action: int, peer: Peer, observer: Observer | None = None) -> bytes:
    """Log the call of `perform`. Return its result, or the body of the error that it raises."""
    call = Call(action_name(action), peer, WIRE, observer)
    refusal: ChatboothError
    try:
        with calling(call):
            reply = perform()
    except BodyError:
        refusal = MalformedRequest()
    except ChatboothError as error:
        refusal = error
    except Exception:  # noqa: BLE001  # a bug must be answered too
        log_defect(call)
        refusal = Internal()
    else:
        call.end()
        return reply
    call.end(refusal)
    return encode_error(refusal, call.request_id)


def refused(error: ChatboothError, action: str, peer: Peer) -> bytes:
    """Log that a request was refused before it became a call. Return the body of the error."""
    call = Call(action, peer, WIRE)
    call.end(error)
    return encode_error(error, call.request_id)


def _unknown(frame: Frame) -> bytes:
    raise UnknownAction(frame.action)
