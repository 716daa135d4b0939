"""The log of calls: the action, the client's address, the account and the outcome of each.

A transport makes a `Call` for each request and logs its end. The booth notes the account in the call of the current
context, as soon as it knows the account. An account's name and a peer's address may be logged. A password, a token and
a text may not, and neither may a name that no account can have: people type passwords into the wrong field.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

from chatbooth_grpc.booth.actions import LOG_IN, action_name
from chatbooth_grpc.booth.deadline import current_deadline
from chatbooth_grpc.booth.errors import ChatboothError, InvalidUsername, WrongCredentials, WrongPassword
from chatbooth_grpc.booth.observing import Observer
from chatbooth_grpc.booth.request_ids import HEADER, is_request_id, new_request_id

OK = "OK"
"""The outcome of a call that succeeded. Any other outcome is the reason of a ChatboothError."""

_LOG_IN = action_name(LOG_IN)
_WRONG_PASSWORD = frozenset({WrongCredentials.reason, WrongPassword.reason})

_log = logging.getLogger(__name__)


Header = Callable[[str], str | None]
"""Returns what a client sent under a name with its request. None if it sent nothing."""


class Call:
    """One call, as the log describes it."""

    __slots__ = (
        *("_header", "_observer", "_peer", "_request_id"),
        *("account", "account_id", "action", "started", "trace", "wire"),
    )

    def __init__(
        self,
        action: str,
        peer: Callable[[], str],
        wire: str = "",
        observer: Observer | None = None,
        *,
        header: Header | None = None,
    ) -> None:
        """`peer` returns the client's address, HOST:PORT. It is called only when it is needed.

        `observer` is called with the end of the call. `header` returns what the client sent under a name with its
        request, if the wire has such headers. It is called only if somebody needs it.
        """
        self.action = action
        self.wire = wire
        # The name of the account that acts, once it is known.
        self.account: str | None = None
        # The number of its account, if a session acts and is known. 0 otherwise.
        self.account_id = 0
        # The spans of the call, if an observer makes traces. None: it has not decided whether there are any.
        self.trace: Sequence[Any] | None = None
        self._peer = peer
        self._header = header
        # It is drawn when somebody asks for it, because most calls need none.
        self._request_id = ""
        self._observer = observer
        # In monotonic seconds.
        self.started = time.monotonic()

    def end(self, error: ChatboothError | None = None) -> None:
        """Log the call's outcome: a failed log-in as a warning, anything else at debug level."""
        if error is not None and is_failed_log_in(self.action, error):
            _log.warning("log-in failed", extra={**self.fields(), "outcome": error.reason})
        elif _log.isEnabledFor(logging.DEBUG):
            milliseconds = round((time.monotonic() - self.started) * 1_000, 3)
            _log.debug("call", extra={**self.fields(), "outcome": outcome_of(error), "milliseconds": milliseconds})
        if self._observer is not None:
            self._observer.call_ended(self, error)

    @property
    def request_id(self) -> str:
        """The id of the request: the client's, or one that is drawn now."""
        if not self._request_id:
            asked = self.header(HEADER)
            self._request_id = asked if is_request_id(asked) else new_request_id()
        return self._request_id

    def header(self, name: str) -> str:
        """Return what the client sent under a name. Empty if it sent nothing."""
        return (self._header(name) if self._header else None) or ""

    def peer(self) -> str:
        """Return the client's address, HOST:PORT."""
        return self._peer()

    def fields(self) -> dict[str, object]:
        """Return the fields that every line about this call has."""
        return {
            "action": self.action,
            "peer": self._peer(),
            "account": self.account,
            "request_id": self.request_id,
        }


def outcome_of(error: ChatboothError | None) -> str:
    """Return the name of a call's outcome: OK, or the error's reason."""
    return OK if error is None else error.reason


def is_failed_log_in(action: str, error: ChatboothError) -> bool:
    """Whether a call failed because of a wrong name or password."""
    return error.reason in _WRONG_PASSWORD or (error.reason == InvalidUsername.reason and action == _LOG_IN)


_current_call: ContextVar[Call | None] = ContextVar("current_call", default=None)


# A function with @contextmanager would take three times as long, and every call needs it.
class calling:  # noqa: N801  # it reads as a function
    """Make a call the current one inside a `with` block, so that the booth notes its account there."""

    __slots__ = ("_call", "_reset")

    def __init__(self, call: Call | None) -> None:
        self._call = call

    def __enter__(self) -> None:
        self._reset = _current_call.set(self._call)

    def __exit__(self, *_: object) -> None:
        _current_call.reset(self._reset)


def begin_call(call: Call, seconds: float | None) -> None:
    """Make a call the current one, with a deadline `seconds` from now if it has one.

    This holds for the rest of the current context, which must be the call's own.
    """
    _current_call.set(call)
    current_deadline.set(None if seconds is None else time.monotonic() + seconds)


def log_defect(call: Call | None) -> None:
    """Log the exception that is being handled: a bug made the call fail."""
    _log.exception("an action failed", extra=call.fields() if call else None)


def note_account(name: str, account_id: int = 0) -> None:
    """Note the account that makes the current call."""
    call = _current_call.get()
    if call is not None:
        call.account = name
        call.account_id = account_id


def current_call() -> Call | None:
    """Return the call that this context answers."""
    return _current_call.get()


def is_logging_calls() -> bool:
    """Whether every call is logged. If so, a transport that answers many calls at once must log each of them."""
    return _log.isEnabledFor(logging.DEBUG)
