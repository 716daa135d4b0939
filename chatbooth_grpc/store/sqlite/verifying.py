"""Checks whether a file that nobody serves, such as a backup, is a whole store."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw

from chatbooth_grpc.booth.admin_store import Finding, MaintenanceFailed, Progress, Verified
from chatbooth_grpc.store.sqlite.checking import check, check_file
from chatbooth_grpc.store.sqlite.copying import open_alone
from chatbooth_grpc.store.sqlite.opening import APPLICATION_ID
from chatbooth_grpc.store.sqlite.sql import ADMIN_SQL, load_migrations


def verify(file: Path) -> Iterator[Progress | Finding | Verified]:
    """Check a file as `StorePlace.verify` describes. Raises MaintenanceFailed if it is no store that can be read."""
    _refuse_incomplete(file)
    try:
        with closing(open_alone(file)) as connection:
            schema, newest = _schema(connection, file), load_migrations()[-1][0]
            yield from check(connection) if schema == newest else check_file(connection)
            messages = connection.execute(ADMIN_SQL["kept_messages"]).get
            yield Verified(schema, messages, schema == newest)
    except (apsw.NotADBError, apsw.CantOpenError) as error:
        raise MaintenanceFailed(f"{file} is not a chatbooth store: {error}.") from error
    except apsw.CorruptError as error:
        yield Finding("file", str(error))
    except apsw.Error as error:
        raise MaintenanceFailed(f"{file} cannot be read: {error}.") from error


def _refuse_incomplete(file: Path) -> None:
    """Refuse a file that is not there, or that is not the whole store."""
    try:
        is_file = stat.S_ISREG(file.stat().st_mode)
        log = Path(f"{file}-wal")
        has_log = log.exists() and log.stat().st_size > 0
    except OSError as error:
        raise MaintenanceFailed(f"{file}: {(error.strerror or str(error)).lower()}.") from error
    if not is_file:
        # Opening a pipe would wait for its writer.
        raise MaintenanceFailed(f"{file} is not a chatbooth store: it is not a regular file.")
    if has_log:
        raise MaintenanceFailed(
            f"{file} is not whole: its newest changes are in the log beside it, {log.name}. A store in use has one. To "
            f"make a whole file of both, back that store up: --store {file} backup NEW_FILE"
        )


def _schema(connection: apsw.Connection, file: Path) -> int:
    if connection.pragma("application_id") != APPLICATION_ID:
        raise MaintenanceFailed(f"{file} is not a chatbooth store.")
    schema: int = connection.pragma("user_version")
    newest = load_migrations()[-1][0]
    if schema > newest:
        raise MaintenanceFailed(
            f"{file} was written by a newer chatbooth (schema {schema}, this one knows {newest}). Upgrade chatbooth."
        )
    return schema
