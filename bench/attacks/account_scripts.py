"""Attackers that make ordinary calls, far too many of them. Their connections take turns with the two wires."""

from __future__ import annotations

from bench.attacks import http2_scripts, wire_scripts
from bench.attacks.crowd import Script
from bench.attacks.target import ATTACKER, VICTIM, Target, other_address

_TRIES = 10
_ALLOWED_SIGN_UPS = 10

# RE2 compiles each of them to a large program, and none of them finds a name.
_PATTERNS = [f"(?:[a-z0-9]{{0,30}}[{first}-z]){{3}}!" for first in "abcdefghij"]


def log_ins_of_one(target: Target, number: int) -> Script:
    """Guess the password of one account, from one address."""
    return _log_ins(target, number, [VICTIM] * _TRIES, ATTACKER)


def log_ins_of_many(target: Target, number: int) -> Script:
    """Guess the passwords of many accounts, from one address."""
    return _log_ins(target, number, [f"user{number}-{each}" for each in range(_TRIES)], ATTACKER)


def log_ins_from_many(target: Target, number: int) -> Script:
    """Guess the password of one account, and of others, from a new address each time."""
    names = [VICTIM, *[f"user{number}-{each}" for each in range(_TRIES - 1)]]
    return _log_ins(target, number, names, other_address(number))


def sign_ups_from_one(target: Target, number: int) -> Script:
    """Make many accounts from one address."""
    return _sign_ups(target, number, ATTACKER)


def sign_ups_from_many(target: Target, number: int) -> Script:
    """Make as many accounts as one address may, from a new address each time."""
    return _sign_ups(target, number, other_address(number))


def hostile_lists(target: Target, number: int) -> Script:
    """List by patterns that are expensive, again and again."""
    make = wire_scripts.hostile_lists if number % 2 else http2_scripts.hostile_lists
    return make(target, _PATTERNS)


def _log_ins(target: Target, number: int, usernames: list[str], source: str) -> Script:
    make = wire_scripts.log_ins if number % 2 else http2_scripts.log_ins
    return make(target, usernames, source)


def _sign_ups(target: Target, number: int, source: str) -> Script:
    usernames = [f"made{number}-{each}" for each in range(_ALLOWED_SIGN_UPS)]
    make = wire_scripts.sign_ups if number % 2 else http2_scripts.sign_ups
    return make(target, usernames, source)
