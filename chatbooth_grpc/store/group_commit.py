"""Group commit: one thread writes, and one fsync serves all who wait.

Callers hand their work to a queue and block. The writer, which alone uses the writing connection, takes all that is
queued, runs it inside one transaction, commits (which fsyncs), and only then lets the callers go: a caller that was
let go without an error has its change on stable storage. A lone caller waits for nobody: the writer takes what is
there and never waits for company.

Each piece of work runs in a savepoint, so one that raises, be it by a defect, undoes itself alone. When SQLite itself
fails, all of the transaction's callers get that failure, the transaction is rolled back, and the writer goes on. A
caller that stops waiting marks its work abandoned: it is then skipped if it has not begun, and unknown to the caller
otherwise.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import apsw

from chatbooth_grpc.booth.deadline import time_remaining
from chatbooth_grpc.booth.errors import ChatboothError, Internal, StoreUnavailable
from chatbooth_grpc.store.failures import store_failure

T = TypeVar("T")
Work = Callable[[apsw.Connection], T]

MAX_JOBS_PER_COMMIT = 1_000
"""Bounds how long the first of a transaction's callers waits for the last."""

_log = logging.getLogger(__name__)


class _Job(Generic[T]):
    """A piece of work, its outcome, and a lock that is released once the outcome stands."""

    __slots__ = ("abandoned", "done", "error", "result", "work")

    def __init__(self, work: Work[T]) -> None:
        self.work = work
        self.done = threading.Lock()
        self.done.acquire()
        self.result: T | None = None
        self.error: ChatboothError | None = None
        self.abandoned = False


class GroupCommit:
    """Runs work on the writing connection, in the order in which it was handed over."""

    def __init__(self, connection: apsw.Connection, wait: float, settled: Callable[[bool], None]) -> None:
        """`wait`: the longest that a caller waits, in seconds, where its own deadline is not sooner.

        `settled` is called on the writer's thread after each transaction, with whether it was committed.
        """
        self._settled = settled
        self._connection = connection
        self._wait = wait
        self._queue: queue.SimpleQueue[_Job[object] | None] = queue.SimpleQueue()
        self._entrance = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._write, name="store-writer", daemon=True)
        self._thread.start()

    def run(self, work: Work[T]) -> T:
        """Run `work` inside a transaction and return its result once that is on stable storage.

        Raises what `work` raised; StoreFull, StoreUnavailable: the transaction failed; DeadlineExceeded.
        """
        wait = time_remaining(self._wait)
        job = _Job(work)
        self._enqueue(job)
        if not job.done.acquire(timeout=wait):
            job.abandoned = True
            time_remaining(self._wait)  # the caller's own deadline, if it was that
            raise StoreUnavailable
        if job.error is not None:
            raise job.error
        return job.result  # type: ignore[return-value]  # a job without error holds its result

    def run_later(self, work: Work[object]) -> None:
        """Hand over work whose outcome nobody waits for; dropped after `close`."""
        with self._entrance:
            if not self._closed:
                self._queue.put(_Job(work))

    def close(self) -> None:
        """Finish what was handed over, then close the connection; later work is refused."""
        with self._entrance:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _enqueue(self, job: _Job[T]) -> None:
        with self._entrance:
            if self._closed:
                raise StoreUnavailable
            self._queue.put(job)  # type: ignore[arg-type]  # the writer does not look at the result

    def _write(self) -> None:
        is_open = True
        while is_open:
            jobs, is_open = self._take()
            if jobs:
                self._commit(jobs)
        self._connection.close()

    def _take(self) -> tuple[list[_Job[object]], bool]:
        """Wait for a job, take all that are queued, and say whether more may come."""
        jobs: list[_Job[object]] = []
        job = self._queue.get()
        while job is not None:
            jobs.append(job)
            if len(jobs) == MAX_JOBS_PER_COMMIT:
                return jobs, True
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                return jobs, True
        return jobs, False

    def _commit(self, jobs: list[_Job[object]]) -> None:
        failure: Exception | None = None
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for job in jobs:
                if not job.abandoned:
                    self._perform(job)
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001  # nobody may be told of a success, and the thread lives on
            _log.exception("a store transaction failed", extra={"callers": len(jobs)})
            failure = error
            self._roll_back()
        for job in jobs:
            if failure is not None:
                job.error = store_failure(failure) if isinstance(failure, apsw.Error) else Internal()
            job.done.release()
        try:
            self._settled(failure is None)
        except Exception:  # noqa: BLE001  # the writer outlives whoever listens to it
            _log.exception("hints of a store transaction were lost")

    def _perform(self, job: _Job[object]) -> None:
        connection = self._connection
        connection.execute("SAVEPOINT job")
        try:
            job.result = job.work(connection)
        except ChatboothError as refusal:
            connection.execute("ROLLBACK TO job")
            job.error = refusal
        except Exception as defect:
            if isinstance(defect, apsw.Error) and not isinstance(defect, apsw.ConstraintError):
                raise  # SQLite's own failure, not this job's: the transaction is lost
            _log.exception("a piece of work for the store failed")
            connection.execute("ROLLBACK TO job")
            job.error = Internal()
        connection.execute("RELEASE job")

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except apsw.Error:
                _log.exception("a failed store transaction could not be rolled back")
