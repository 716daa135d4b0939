"""Passwords and session tokens: how they are made, hashed and compared."""

from __future__ import annotations

import hashlib
import os
import secrets

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from chatbooth_grpc.booth.actions import LOG_INS
from chatbooth_grpc.booth.bulkhead import Bulkhead
from chatbooth_grpc.booth.rules import TOKEN_SIZE

# OWASP's minimum for argon2id. A hash takes about 20 ms of one core.
PASSWORD_PARAMETERS = argon2.Parameters(
    type=argon2.Type.ID,
    version=0x13,
    salt_len=16,
    hash_len=32,
    time_cost=2,
    memory_cost=19_456,
    parallelism=1,
)

MAX_WAITING = 64
"""How many calls may wait until their password is hashed. More would wait past their deadlines."""


def new_token() -> bytes:
    """Return a session's secret: 16 random bytes."""
    return secrets.token_bytes(TOKEN_SIZE)


def hash_token(token: bytes) -> bytes:
    """Return the hash of a token, which a store keeps. The token's 128 random bits need no salt and no slow hash."""
    return hashlib.sha256(token).digest()


class Passwords:
    """Hashes passwords with argon2id, in a bounded number of threads at once: log-ins cannot starve other calls."""

    def __init__(self, parameters: argon2.Parameters = PASSWORD_PARAMETERS) -> None:
        """Tests pass cheaper `parameters`."""
        self._hasher = argon2.PasswordHasher.from_parameters(parameters)
        self._bulkhead = Bulkhead(LOG_INS, working=os.cpu_count() or 1, waiting=MAX_WAITING)
        self._nobodys_hash = self._hasher.hash(secrets.token_bytes(16))

    def hash(self, password: bytes) -> str:
        """Return the password's salted hash. Raises TooBusy, DeadlineExceeded."""
        with self._bulkhead:
            return self._hasher.hash(password)

    def matches(self, password: bytes, password_hash: str | None) -> bool:
        """Return whether the password has this hash. For None, an account that does not exist, it takes as long.

        Raises TooBusy, DeadlineExceeded.
        """
        with self._bulkhead:
            try:
                self._hasher.verify(password_hash or self._nobodys_hash, password)
            except (VerificationError, InvalidHashError):
                return False
        return password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Return whether the hash was made with other parameters than those in use now."""
        return self._hasher.check_needs_rehash(password_hash)
