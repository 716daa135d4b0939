"""Why a server cannot be reached: a stable code for programs, and advice for a person."""

from __future__ import annotations

NAME_UNKNOWN = "NAME_UNKNOWN"
REFUSED = "REFUSED"
TIMED_OUT = "TIMED_OUT"
NO_ROUTE = "NO_ROUTE"
NOT_PERMITTED = "NOT_PERMITTED"
CLOSED = "CLOSED"
SPEAKS_WIRE = "SPEAKS_WIRE"
SPEAKS_GRPC = "SPEAKS_GRPC"
SPEAKS_HTTP = "SPEAKS_HTTP"
SPEAKS_TLS = "SPEAKS_TLS"
SPEAKS_PLAIN = "SPEAKS_PLAIN"
NOT_VERIFIED = "NOT_VERIFIED"
CLIENT_CERTIFICATE = "CLIENT_CERTIFICATE"
SPEAKS_OTHER = "SPEAKS_OTHER"
PROXY = "PROXY"

_UNKNOWN = "Check the address and that the server runs, then try again."

_WORDS = {
    NAME_UNKNOWN: "That name is not known here. Check its spelling, and that this machine has a network.",
    REFUSED: "Nothing listens on that port. Check the port and that the server runs, then try again.",
    TIMED_OUT: "Nothing answers there. The machine may be off, or a firewall may drop the connection.",
    NO_ROUTE: "There is no way to that address from here. Check the address and the network.",
    NOT_PERMITTED: "This system does not permit that connection. Check its firewall.",
    CLOSED: "Something there ends the connection at once. Check the port. If that server uses TLS, write grpc+tls:// "
    "before its address. If it does already, it may ask for a client certificate.",
    SPEAKS_WIRE: "That port speaks the wire protocol. Use the address wire://{server}",
    SPEAKS_GRPC: "That port speaks gRPC. Use the address {server} without wire://",
    SPEAKS_HTTP: "A web server answers there, not chatbooth. Check the port.",
    SPEAKS_TLS: "That port speaks TLS. Use the address wire+tls://{server}, or grpc+tls:// for gRPC.",
    SPEAKS_PLAIN: "That port does not speak TLS. Check the port, or ask the server's operator to turn TLS on. On this "
    "machine, or with --insecure, leave out +tls.",
    NOT_VERIFIED: "The server's certificate is not one that this client trusts.",
    CLIENT_CERTIFICATE: "That server asks for a client certificate that it trusts. Give --client-cert and "
    "--client-key.",
    SPEAKS_OTHER: "Something else than chatbooth answers there. Check the port.",
    PROXY: "The variable {variable} sends the connection through a proxy. For a connection without the proxy, add the "
    "server's host to no_proxy.",
}

CAUSES = frozenset(_WORDS)
"""Every cause that an error may have. An empty cause means that the cause is not known."""


def advice(cause: str, server: str, variable: str) -> str:
    """Return advice for a person. `variable` is the name of the environment variable that sets a proxy."""
    return _WORDS.get(cause, _UNKNOWN).format(server=server, variable=variable)
