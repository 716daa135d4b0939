"""Performs the action of a request on the booth, and returns the body of the reply."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial

from chatbooth_grpc.booth.actions import ACTIONS, action_name
from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.bulkhead import Bulkhead
from chatbooth_grpc.booth.call_log import OK as SUCCEEDED
from chatbooth_grpc.booth.call_log import Call, calling, log_defect
from chatbooth_grpc.booth.errors import (
    ChatboothError,
    Internal,
    MalformedRequest,
    UnknownAction,
)
from chatbooth_grpc.booth.model import Delivery, Page, Removal, Session
from chatbooth_grpc.live.unread import Unread
from chatbooth_grpc.wire.encoding import codecs
from chatbooth_grpc.wire.encoding.accounts import LogInRequest, PasswordChange
from chatbooth_grpc.wire.encoding.codecs import Codec, Reply, Request
from chatbooth_grpc.wire.encoding.codes import OK, encode_error
from chatbooth_grpc.wire.encoding.delivering import AcknowledgeRequest, DeliverRequest
from chatbooth_grpc.wire.encoding.frames import Frame
from chatbooth_grpc.wire.encoding.lists import ListRequest
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
        self._answers: dict[int, Callable[[Frame], bytes]] = {}
        self._add(codecs.SIGN_UP, self._sign_up)
        self._add(codecs.LIST, self._list)
        self._add(codecs.DELIVER, self._deliver)
        self._add(codecs.DELETE, self._delete)
        self._add(codecs.LOG_IN, self._log_in)
        self._add(codecs.LOG_OUT, self._log_out)
        self._add(codecs.ACKNOWLEDGE, self._acknowledge)
        self._add(codecs.CHANGE_PASSWORD, self._change_password)
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
        answer = self._answers.get(frame.action, _unknown)
        return answered(partial(answer, frame), frame.action, peer)

    def _add(self, codec: Codec[Request, Reply], perform: Callable[[bytes, Request], Reply]) -> None:
        """Let `perform` answer an action. It gets the token of the request and the decoded body."""
        is_large = ACTIONS[codec.action].large_answers > 0

        def answer(frame: Frame) -> bytes:
            request = codec.decode_request(frame.body)
            if is_large:
                self.admit(frame.token)
            return _OK + codec.encode_reply(perform(frame.token, request))

        self._answers[codec.action] = answer

    def _sign_up(self, _token: bytes, request: LogInRequest) -> Session:
        return self.booth.sign_up(request.username, request.password, request.token)

    def _log_in(self, _token: bytes, request: LogInRequest) -> Session:
        return self.booth.log_in(request.username, request.password, request.token)

    def _log_out(self, token: bytes, _request: None) -> None:
        self.booth.log_out(token)

    def _change_password(self, token: bytes, change: PasswordChange) -> int:
        return self.booth.change_password(token, change.old, change.new)

    def _delete(self, token: bytes, password: str) -> Removal:
        return self.booth.delete(token, password)

    def _list(self, token: bytes, request: ListRequest) -> Page:
        return self.booth.list(token, request.pattern, request.prefix, request.page_size, request.page_token)

    def _deliver(self, token: bytes, request: DeliverRequest) -> Delivery:
        return self.booth.deliver(
            token, request.acknowledge_through, request.after, request.max_messages, request.epoch
        )

    def _acknowledge(self, token: bytes, request: AcknowledgeRequest) -> None:
        self.booth.acknowledge(token, request.through, request.epoch)

    def admit(self, token: bytes) -> None:
        """Refuse a large answer if the account leaves too much unread. Raises TooBusy, SessionInvalid."""
        self._unread.check(self.booth.authenticated(token).account_id)


def answered(perform: Callable[[], bytes], action: int, peer: Peer) -> bytes:
    """Log the call of `perform`. Return its result, or the body of the error that it raises."""
    call = Call(action_name(action), peer)
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
        call.end(SUCCEEDED)
        return reply
    call.end(refusal.reason)
    return encode_error(refusal)


def _unknown(frame: Frame) -> bytes:
    raise UnknownAction(frame.action)
