"""python -m bench.attacks.attacker NAME …: one attacker, which attacks until it is killed."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import threading

from bench.attacks.catalogue import ATTACKS
from bench.attacks.target import Target

FULL_STRENGTH = "full strength"
"""The line that an attacker prints after its first round."""

_LEAST_IMPORTANT = 19


def main() -> None:
    """Attack. Another attacker would use the processor of its own machine, so this one gives way to all others."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=ATTACKS)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--target", type=json.loads, required=True)
    parsed = parser.parse_args()
    os.nice(_LEAST_IMPORTANT)
    _raise_file_limit()
    threading.excepthook = _end
    fields = {**parsed.target, "token": bytes.fromhex(parsed.target["token"])}
    rounds = ATTACKS[parsed.name].attacker(Target(**fields), parsed.size)
    next(rounds)
    print(FULL_STRENGTH, flush=True)
    for _ in rounds:
        pass


def _raise_file_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _end(failed: threading.ExceptHookArgs) -> None:
    """End the process when one of its threads fails, since it attacks no longer as it should."""
    threading.__excepthook__(failed)
    os._exit(1)


if __name__ == "__main__":
    main()
