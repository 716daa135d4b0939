"""The shares of accounts and addresses in slow work."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from chatbooth_grpc.booth.actions import LISTS, LOG_INS
from chatbooth_grpc.booth.client_addresses import ClientAddresses
from chatbooth_grpc.booth.errors import TooBusy
from chatbooth_grpc.booth.fair_shares import FairShares, ShareLimits

LIMITS = ShareLimits(log_ins=2, lists=2)


def test_log_ins_are_shared_by_address() -> None:
    shares = FairShares(LIMITS)
    with ExitStack() as places:
        for port in (1, 2):
            places.enter_context(shares.place(LOG_INS, f"192.0.2.1:{port}", None))
        with pytest.raises(TooBusy, match="limit of 2 log-ins at once from one address"):
            places.enter_context(shares.place(LOG_INS, "192.0.2.1:3", None))
        places.enter_context(shares.place(LOG_INS, "192.0.2.2:1", None))
    with shares.place(LOG_INS, "192.0.2.1:3", None):
        pass


def test_a_trusted_address_has_no_share() -> None:
    shares = FairShares(LIMITS)
    with ExitStack() as places:
        for port in range(9):
            places.enter_context(shares.place(LOG_INS, f"127.0.0.1:{port}", None))
    distrusting = FairShares(LIMITS, ClientAddresses(()))
    with ExitStack() as places:
        for port in range(2):
            places.enter_context(distrusting.place(LOG_INS, f"127.0.0.1:{port}", None))
        with pytest.raises(TooBusy):
            places.enter_context(distrusting.place(LOG_INS, "127.0.0.1:9", None))


def test_lists_are_shared_by_account_wherever_it_calls_from() -> None:
    shares = FairShares(LIMITS)
    with ExitStack() as places:
        for host in ("127.0.0.1", "192.0.2.1"):
            places.enter_context(shares.place(LISTS, f"{host}:1", 7))
        with pytest.raises(TooBusy, match="limit of 2 lists at once of one account"):
            places.enter_context(shares.place(LISTS, "192.0.2.2:1", 7))
        places.enter_context(shares.place(LISTS, "192.0.2.1:1", 8))
