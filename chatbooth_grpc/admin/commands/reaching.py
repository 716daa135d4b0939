"""Finding who acts on a store: the server that serves it, or this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chatbooth_grpc.booth.admin_store import MaintenanceFailed, StorePlace
from chatbooth_grpc.booth.administration import AdminActions


@contextmanager
def reach(store: Path, place: StorePlace) -> Iterator[AdminActions]:
    """Give an object that performs actions on a store. `store` is its real path. Raises MaintenanceFailed."""
    # Importing gRPC takes time. An error of usage must be reported without it.
    from chatbooth_grpc.rpc.admin_client import connected
    from chatbooth_grpc.rpc.admin_socket import socket_of

    if is_served(store):
        with connected(socket_of(store)) as client:
            yield client
        return

    from chatbooth_grpc.booth.administration import Administration

    with place.open() as opened:
        yield Administration(opened)


def is_served(store: Path) -> bool:
    """Return whether a server that can be administered serves a store. Raises MaintenanceFailed."""
    from chatbooth_grpc.rpc.admin_socket import is_answered, socket_of

    try:
        return is_answered(socket_of(store))
    except FileNotFoundError:
        # There is no such folder.
        return False
    except OSError as error:
        problem = (error.strerror or str(error)).lower()
        raise MaintenanceFailed(
            f"Cannot reach the server through {socket_of(store)}: {problem}. Only the user who runs it may; run this "
            "command as that user."
        ) from error
