"""From a request's frame to its reply's body: one table of actions over the booth."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.call_log import OK as SUCCEEDED
from chatbooth_grpc.booth.call_log import Call, calling, log_defect
from chatbooth_grpc.booth.errors import (
    ChatboothError,
    Internal,
    MalformedRequest,
    UnknownAction,
)
from chatbooth_grpc.live.unread import Unread
from chatbooth_grpc.wire.encoding import accounts, delivering, lists
from chatbooth_grpc.wire.encoding.codes import OK, encode_error
from chatbooth_grpc.wire.encoding.frames import Frame
from chatbooth_grpc.wire.encoding.primitives import BodyError, decode_empty, encode_varint

Peer = Callable[[], str]
"""Returns a client's address, HOST:PORT, as the logs write it."""

_OK = bytes((OK,))

_AT_ONCE = {actions.DELIVER: 32, actions.LIST: 64}
"""How many large replies are made at once: a reply takes memory before it can be held until its client reads it."""


class Dispatcher:
    """Answers requests. Safe to use from many threads."""

    def __init__(self, booth: Booth, unread: Unread) -> None:
        """`unread` holds what clients have not read."""
        self.booth = booth
        self._unread = unread
        self._actions: dict[int, Callable[[Frame], bytes]] = {
            actions.SIGN_UP: self._sign_up,
            actions.LIST: self._list,
            actions.DELIVER: self._deliver,
            actions.DELETE: self._delete,
            actions.LOG_IN: self._log_in,
            actions.LOG_OUT: self._log_out,
            actions.ACKNOWLEDGE: self._acknowledge,
            actions.CHANGE_PASSWORD: self._change_password,
        }
        self._at_once = {action: threading.BoundedSemaphore(count) for action, count in _AT_ONCE.items()}

    def at_once(self, action: int) -> contextlib.AbstractContextManager[object]:
        """Return what to enter while an action's reply is made and written: too many at once wait there."""
        return self._at_once.get(action, contextlib.nullcontext())

    def answer(self, frame: Frame, peer: Peer) -> bytes:
        """Perform one action but SEND and LISTEN; return its reply's body, whatever comes of it."""
        perform = self._actions.get(frame.action, _unknown)
        return answered(lambda: _OK + perform(frame), frame.action, peer)

    def _sign_up(self, frame: Frame) -> bytes:
        request = accounts.decode_log_in(frame.body)
        return accounts.encode_session(self.booth.sign_up(request.username, request.password, request.token))

    def _log_in(self, frame: Frame) -> bytes:
        request = accounts.decode_log_in(frame.body)
        return accounts.encode_session(self.booth.log_in(request.username, request.password, request.token))

    def _log_out(self, frame: Frame) -> bytes:
        decode_empty(frame.body)
        self.booth.log_out(frame.token)
        return b""

    def _change_password(self, frame: Frame) -> bytes:
        change = accounts.decode_password_change(frame.body)
        return encode_varint(self.booth.change_password(frame.token, change.old, change.new))

    def _delete(self, frame: Frame) -> bytes:
        password = accounts.decode_password(frame.body)
        return accounts.encode_removal(self.booth.delete(frame.token, password))

    def _list(self, frame: Frame) -> bytes:
        request = lists.decode_list_request(frame.body)
        self.admit(frame.token)
        page = self.booth.list(frame.token, request.pattern, request.prefix, request.page_size, request.page_token)
        return lists.encode_page(page)

    def _deliver(self, frame: Frame) -> bytes:
        request = delivering.decode_deliver_request(frame.body)
        self.admit(frame.token)
        delivery = self.booth.deliver(
            frame.token, request.acknowledge_through, request.after, request.max_messages, request.epoch
        )
        return delivering.encode_delivery(delivery)

    def _acknowledge(self, frame: Frame) -> bytes:
        request = delivering.decode_acknowledge_request(frame.body)
        self.booth.acknowledge(frame.token, request.through, request.epoch)
        return b""

    def admit(self, token: bytes) -> None:
        """Refuse a large answer to an account that leaves too much unread. Raises TooBusy, SessionInvalid."""
        self._unread.check(self.booth.authenticated(token).account_id)


def answered(perform: Callable[[], bytes], action: int, peer: Peer) -> bytes:
    """Return what `perform` returns, or the body of the error that it raises; log the call."""
    call = Call(actions.action_name(action), peer)
    refusal: ChatboothError
    try:
        with calling(call):
            reply = perform()
    except BodyError:
        refusal = MalformedRequest()
    except ChatboothError as error:
        refusal = error
    except Exception:  # noqa: BLE001  # a defect must answer too
        log_defect(call)
        refusal = Internal()
    else:
        call.end(SUCCEEDED)
        return reply
    call.end(refusal.reason)
    return encode_error(refusal)


def _unknown(frame: Frame) -> bytes:
    raise UnknownAction(frame.action)
