"""chatbooth's environment variables, those that look like them, and misspelt ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

PREFIX = "CHATBOOTH_"

# One for each flag of the server. A test compares them with the flags.
SERVER_VARIABLES = frozenset(
    PREFIX + name
    for name in (
        "CONNECTIONS_PER_ADDRESS",
        "DRAIN_GRACE",
        "FAILED_LOG_INS_PER_ACCOUNT",
        "FAILED_LOG_INS_PER_ADDRESS",
        "HOST",
        "IDLE_TIMEOUT",
        "INSECURE",
        "KEEPALIVE_TIME",
        "KEEPALIVE_TIMEOUT",
        "LOG_FORMAT",
        "LOG_INS_PER_ADDRESS",
        "LOG_LEVEL",
        "MAX_CALLS",
        "MAX_CONNECTIONS",
        "MAX_CONNECTION_AGE",
        "MAX_CONNECTIONS_PER_ADDRESS",
        "MAX_GRPC_CONNECTIONS",
        "MAX_HANDSHAKES_PER_ADDRESS",
        "MAX_INCOMPLETE_CALLS_PER_ADDRESS",
        "MAX_LISTENERS",
        "MAX_MAILBOX",
        "MAX_LISTENERS_PER_ACCOUNT",
        "MAX_LISTS_PER_ACCOUNT",
        "MAX_LOG_INS_PER_ADDRESS",
        "MAX_SEND_STREAMS",
        "MAX_SEND_STREAMS_PER_ACCOUNT",
        "MAX_TEXT_SIZE",
        "METRICS",
        "NAME_HOLD",
        "NO_GRPC",
        "PORT",
        "PROXY_PROTOCOL",
        "REFLECTION",
        "REQUESTS_PER_ADDRESS",
        "RESERVED_NAMES",
        "RESTORED",
        "RETAIN",
        "SENDS_PER_ACCOUNT",
        "SESSION_EXPIRY",
        "SIGN_UP",
        "SIGN_UPS_PER_ADDRESS",
        "STORE",
        "THREADS",
        "TLS",
        "TLS_CERT",
        "TLS_CLIENT_CA",
        "TLS_KEY",
        "TRACES",
        "TRACE_SAMPLE",
        "TRUSTED_ADDRESSES",
        "WIRE_PORT",
    )
)
CLIENT_VARIABLES = frozenset(
    PREFIX + name
    for name in (
        *("SERVER", "AS", "TIMEOUT", "PASSWORD", "NEW_PASSWORD", "INVITE"),
        *("TRUST", "CLIENT_CERT", "CLIENT_KEY", "INSECURE", "TOKEN_FILE"),
    )
)
# A test reads TEST_AWAY. The scripts read the others.
_OTHER_VARIABLES = frozenset(PREFIX + name for name in ("CLIENT_COMMAND", "SERVER_COMMAND", "VENV", "TEST_AWAY"))
_VARIABLES = SERVER_VARIABLES | CLIENT_VARIABLES | _OTHER_VARIABLES

_ON = ("1", "true", "yes", "on")

# Kubernetes and Docker describe a service or a linked container named chatbooth, or chatbooth-wire, in such variables:
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_LINK_NAME = r"CHATBOOTH_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?|ENV_\w+)"
_LINK_PORT = r"CHATBOOTH_(\w+_)?PORT"
_LINK_PORT_VALUE = r"(tcp|udp|sctp)://.*"
_LINK_PARENT = r"CHATBOOTH_(\w+_)?NAME"


def is_service_link(name: str, value: str) -> bool:
    """Whether Kubernetes or Docker has set a variable to describe a service. Such a variable configures nothing."""
    if name in _VARIABLES and not name.endswith("_PORT"):
        return False
    return bool(
        re.fullmatch(_LINK_NAME, name)
        or (re.fullmatch(_LINK_PORT, name) and re.fullmatch(_LINK_PORT_VALUE, value))
        or (re.fullmatch(_LINK_PARENT, name) and value.startswith("/"))
    )


def is_on(name: str, environment: Mapping[str, str]) -> bool:
    """Whether a switch is on: a variable with the value 1, true, yes or on."""
    return (value_of(name, environment) or "").strip().lower() in _ON


def value_of(name: str, environment: Mapping[str, str]) -> str | None:
    """Return the value of a variable. None means that it is unset, empty or a service link."""
    value = environment.get(name, "")
    return None if not value.strip() or is_service_link(name, value) else value


def remarks(environment: Mapping[str, str], used: Iterable[str]) -> list[str]:
    """Return a sentence for each problem of chatbooth's variables that a person should know. No sentence shows a value.

    `used` are the variables that the program reads.
    """
    found = []
    links = sorted(name for name in used if name in environment and is_service_link(name, environment[name]))
    if links:
        found.append(
            f"{', '.join(links)} in the environment describes a service and is ignored; in Kubernetes set "
            "enableServiceLinks: false in the pod, or name the service otherwise"
        )
    unknown = sorted(name for name in environment if name.startswith(PREFIX) and name not in _VARIABLES)
    found += [_unknown(name) for name in unknown if not is_service_link(name, environment[name])]
    return found


def _unknown(name: str) -> str:
    # It is slow to import, and seldom needed.
    from difflib import get_close_matches

    known = [known.removeprefix(PREFIX) for known in _VARIABLES]
    near = get_close_matches(name.removeprefix(PREFIX), known, n=1, cutoff=0.7)
    question = f"; did you mean {PREFIX}{near[0]}?" if near else ""
    return f"{name} in the environment is not a variable of chatbooth and is ignored{question}"
