"""A password, and Passwords that hash it in no time."""

from __future__ import annotations

import argon2

from chatbooth_grpc.booth.credentials import Passwords

PASSWORD = "correct horse battery"


def cheap_passwords(*, time_cost: int = 1, memory_cost: int = 8, salt_len: int = 16, hash_len: int = 32) -> Passwords:
    """Return Passwords whose hashes take no time."""
    return Passwords(
        parameters=argon2.Parameters(
            type=argon2.Type.ID,
            version=0x13,
            salt_len=salt_len,
            hash_len=hash_len,
            time_cost=time_cost,
            memory_cost=memory_cost,
            parallelism=1,
        )
    )
