"""Passwords whose hashing takes no time, and one to use."""

from __future__ import annotations

import argon2

from chatbooth_grpc.booth.credentials import Passwords

PASSWORD = "correct horse battery"

CHEAP = argon2.Parameters(
    type=argon2.Type.ID, version=0x13, salt_len=16, hash_len=32, time_cost=1, memory_cost=8, parallelism=1
)


def cheap_passwords(**parameters: int) -> Passwords:
    """Passwords that cost nothing; `parameters` change some of argon2's."""
    return Passwords(parameters=argon2.Parameters(**{**vars_of(CHEAP), **parameters}))


def vars_of(parameters: argon2.Parameters) -> dict[str, int]:
    """The parameters by their names."""
    return {name: getattr(parameters, name) for name in argon2.Parameters.__slots__}
