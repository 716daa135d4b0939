"""Finding the proxy that gRPC takes from the environment, by gRPC's own rules."""

from __future__ import annotations

from collections.abc import Mapping

_PROXIES = ("grpc_proxy", "https_proxy", "http_proxy")
_EXCEPTIONS = ("no_grpc_proxy", "no_proxy")


def proxy_variable(server: str, environment: Mapping[str, str]) -> str:
    """Return the variable that sends connections to `HOST:PORT` through a proxy. Empty if none does."""
    variable = next((name for name in _PROXIES if environment.get(name)), "")
    exceptions = next((environment[name] for name in _EXCEPTIONS if environment.get(name)), "")
    host = server.rpartition(":")[0].strip("[]")
    if any(host.endswith(entry.strip()) for entry in exceptions.split(",") if entry.strip()):
        return ""
    return variable
