"""The place of a store in one file, where an administrator opens or restores it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chatbooth_grpc.booth.admin_store import AdminStore, Finding, MaintenanceFailed, Progress, Restoration, Verified
from chatbooth_grpc.store.sqlite.opening import StoreOpenError
from chatbooth_grpc.store.sqlite.restoring import restore
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from chatbooth_grpc.store.sqlite.verifying import verify


class SQLitePlace:
    """A `StorePlace` for the file of one store. `StorePlace` documents the methods."""

    def __init__(self, path: Path) -> None:
        """`path` is the real path of the file."""
        self._path = path

    @contextmanager
    def open(self) -> Iterator[AdminStore]:
        if not self._path.exists():
            raise MaintenanceFailed(f"There is no store {self._path}. Name its file with --store.")
        self._refuse_another_owner()
        try:
            store = SQLiteStore(self._path)
        except StoreOpenError as error:
            raise MaintenanceFailed(f"{error}.") from error
        with store:
            yield store.administration

    def verify(self, file: Path) -> Iterator[Progress | Finding | Verified]:
        return verify(file)

    def restore(self, file: Path) -> Iterator[Progress | Restoration]:
        self._refuse_another_owner()
        return restore(self._path, file)

    def _refuse_another_owner(self) -> None:
        """Refuse to make files that the server's user could not read then."""
        try:
            owner = self._path.stat().st_uid
        except OSError:
            return
        if owner != os.geteuid():
            raise MaintenanceFailed(
                f"The store {self._path} belongs to the user with the id {owner}. Run this command as that user, as "
                f"with sudo -u '#{owner}': otherwise the server could not read the files that it makes."
            )
