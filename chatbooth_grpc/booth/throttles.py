"""The limits on how often an address or an account may do something."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from chatbooth_grpc.booth.call_log import Call, current_call
from chatbooth_grpc.booth.client_addresses import ClientAddresses
from chatbooth_grpc.booth.errors import ChatboothError, RateLimited
from chatbooth_grpc.booth.rates import MOST_KEYS, Rate, RateTable

MOST_IN_A_BATCH = 1_000
"""A sender that is refused waits until it may send this many messages at once.

The client library has about as many in flight. So each of its attempts gets at least one batch through.
"""


REFUSALS = Rate(20, 1.0, 200)
"""How many requests of one address may be refused because it makes too many. It insists if there are more.

An honest client waits after each refusal, as the refusal says.
"""


@dataclass(frozen=True)
class RateLimits:
    """The rates. None means no limit."""

    requests_per_address: Rate | None = None
    """Requests of one address."""
    connections_per_address: Rate | None = None
    """New wire connections of one address."""
    sign_ups_per_address: Rate | None = None
    """Sign-ups from one address."""
    log_ins_per_address: Rate | None = None
    """Log-ins from one address, whether they succeed or not."""
    failed_log_ins_per_address: Rate | None = None
    """Wrong passwords for one account from one address."""
    failed_log_ins_per_account: Rate | None = None
    """Wrong passwords for one account from all addresses together."""
    sends_per_account: Rate | None = None
    """Messages that one account sends."""


DEFAULT_RATES = RateLimits(
    requests_per_address=Rate(200, 1.0, 2_000),
    connections_per_address=Rate(20, 1.0, 256),
    sign_ups_per_address=Rate(10, 3_600.0, 10),
    log_ins_per_address=Rate(60, 60.0, 60),
    failed_log_ins_per_address=Rate(20, 3_600.0, 10),
    failed_log_ins_per_account=Rate(200, 3_600.0, 200),
    sends_per_account=Rate(1_000, 1.0, 20_000),
)
"""The rates of a server whose operator sets none."""


class Throttles:
    """Refuses calls that come too often. Many threads may use it.

    It finds the address of the client by the call of the current context. A client without an address, or with a
    trusted one, has no limits by address.
    """

    def __init__(
        self,
        rates: RateLimits | None = None,
        addresses: ClientAddresses | None = None,
        clock: Callable[[], float] = time.monotonic,
        insisted: Callable[[Call], None] = lambda _: None,
    ) -> None:
        """Without `rates`, there is no limit.

        `insisted` is called with a call of an address that makes requests although many were refused in a short time.
        It must return at once.
        """
        rates = rates or RateLimits()
        self._addresses = addresses or ClientAddresses()
        self._requests = _Limit("requests from one address", rates.requests_per_address, clock)
        self._connections = _Limit("new connections from one address", rates.connections_per_address, clock)
        self._refusals = RateTable(REFUSALS, clock=clock)
        self._insisted = insisted
        self._sign_ups = _Limit("sign-ups from one address", rates.sign_ups_per_address, clock)
        self._log_ins = _Limit("log-ins from one address", rates.log_ins_per_address, clock)
        self._failed = _Limit("failed log-ins to one account from one address", rates.failed_log_ins_per_address, clock)
        self._account_failed = _Limit("failed log-ins to one account", rates.failed_log_ins_per_account, clock)
        self._sends = _Limit("messages from one account", rates.sends_per_account, clock, resume=MOST_IN_A_BATCH)
        # The addresses from which owners have logged in, each with the account, by the hash of both. The oldest comes
        # first. A hash takes a third of the memory, and its secret seed keeps anyone from finding two that are equal.
        self._proven: dict[int, None] = {}
        # Takes the tokens for messages, by a session's `sender_key`, as RateTable.take does. Every Send calls this.
        self.take_sends = _unlimited if self._sends.table is None else self._sends.table.take

    def check_request(self) -> None:
        """Count a request. Raises RateLimited."""
        if self._requests.table is None:
            return
        address = self._address()
        try:
            self._requests.check(address)
        except RateLimited:
            if self._refusals.take(address):
                self._note_insisting()
            raise

    def check_connection(self, peer: str) -> None:
        """Count a new connection of a client, whose address is HOST:PORT. Raises RateLimited."""
        if self._connections.table is not None:
            self._connections.check(self._addresses.key(peer))

    def check_sign_up(self) -> None:
        """Count a sign-up. Raises RateLimited."""
        self._sign_ups.check(self._address())

    def check_log_in(self) -> None:
        """Count a log-in. Raises RateLimited."""
        self._log_ins.check(self._address())

    def sends_refused(self, wait: float) -> RateLimited:
        """Return the error for a sender whose `take_sends` has returned `wait`."""
        return self._sends.refusal(wait)

    def guess(self, account: str, is_right: Callable[[], bool]) -> bool:
        """Call `is_right`, which compares a password with an account's, and return its result. Count a wrong password.

        Raises RateLimited, without the comparison, if there were too many wrong passwords. Two limits apply:

        - The few wrong passwords that one address may give for one account.
        - The wrong passwords for one account from all addresses. An address from which the owner has logged in is
          exempt, so wrong passwords from elsewhere never lock the owner out there.

        Each password takes its tokens before the comparison, and a right one gives them back. So passwords that come
        at the same time are all counted. An account that does not exist has the same limits.
        """
        address = self._address()
        taken: list[tuple[_Limit, object]] = []
        try:
            self._failed.check(address and (address, account), taken)
            if hash((address, account)) not in self._proven:
                self._account_failed.check(account, taken)
            matched = is_right()
        except ChatboothError:
            # No password was compared.
            _give_back(taken)
            raise
        if matched:
            _give_back(taken)
            self.prove(account)
        return matched

    def prove(self, account: str) -> None:
        """Note that the client of the current call has shown that the account is its own."""
        address = self._address()
        if address is None:
            return
        proven = hash((address, account))
        self._proven.pop(proven, None)
        self._proven[proven] = None
        while len(self._proven) > MOST_KEYS:
            # Another thread may remove it at the same time.
            self._proven.pop(next(iter(list(self._proven))), None)

    def _note_insisting(self) -> None:
        call = current_call()
        if call is not None:
            self._insisted(call)

    def _address(self) -> str | None:
        call = current_call()
        return None if call is None else self._addresses.key(call.peer())


class _Limit:
    """One limit: its name in a refusal, and its table unless there is no limit."""

    def __init__(self, name: str, rate: Rate | None, clock: Callable[[], float], resume: int = 1) -> None:
        self._words = f"{rate.count:,} {name} in {_time_words(rate.seconds)}" if rate else name
        self.table = RateTable(rate, resume=resume, clock=clock) if rate else None

    def check(self, key: object, taken: list[tuple[_Limit, object]] | None = None) -> None:
        """Take a token for a key, and add it to `taken`. A key of None has no limit. Raises RateLimited."""
        if key is None or self.table is None:
            return
        # As in `_proven`, a hash saves memory.
        hashed = hash(key)
        if wait := self.table.take(hashed):
            raise self.refusal(wait)
        if taken is not None:
            taken.append((self, hashed))

    def refusal(self, wait: float) -> RateLimited:
        """Return the error for a key that has to wait."""
        # The time is rounded up, since a client that comes too early is refused again.
        return RateLimited(self._words, math.ceil(wait * 1_000) / 1_000)


def _give_back(taken: list[tuple[_Limit, object]]) -> None:
    for limit, key in taken:
        if limit.table is not None:
            limit.table.give_back(key)


def _unlimited(_key: object, _tokens: int = 1) -> float:
    return 0.0


def _time_words(seconds: float) -> str:
    names = {1.0: "a second", 60.0: "a minute", 3_600.0: "an hour", 86_400.0: "a day"}
    return names.get(seconds, f"{seconds:,g} s")
