"""Group commit: one thread writes, and one fsync serves all callers that wait.

Callers put their work into a queue. One thread, the writer, uses the engine; no other thread does. The writer takes all
work that is queued, runs it in one transaction and commits, which fsyncs. Only then does any caller learn an outcome.
So a caller that gets no error has its change on stable storage. The writer never waits for more work to come: it
serves a lone caller at once.

A caller of `run` blocks until its work is done. A caller of `append_later` is called back. A second thread, the
settler, makes these callbacks, so that the next transaction does not wait until answers are written. If only a few
callbacks are due and no work is queued, the writer makes them itself.

Each piece of work runs in a savepoint. If one raises, even because of a bug, it is undone alone. Appends are most of
the work, and have no savepoints: the writer appends the messages of neighbouring jobs together, in a few statements. If
a bug makes this raise, the transaction is rolled back and each job is retried in its own transaction.

If the database fails, the transaction is rolled back, all of its callers get that failure, and the writer continues.
The writer skips a job whose deadline has passed before the job has begun. If a deadline passes later, the caller does
not know the outcome.
"""

from __future__ import annotations

import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from chatbooth_grpc.booth.call_log import current_call
from chatbooth_grpc.booth.deadline import time_remaining
from chatbooth_grpc.booth.errors import ChatboothError, Internal, StoreUnavailable
from chatbooth_grpc.booth.observing import Observer
from chatbooth_grpc.booth.store import NewMessage, Settle
from chatbooth_grpc.store.engine import Engine, Outcomes, TransactionT
from chatbooth_grpc.store.failures import failed_writing
from chatbooth_grpc.store.jobs import AnyJob, AppendJob, Job

T = TypeVar("T")

# This bounds how long the first caller of a transaction waits for the last one.
MAX_JOBS_PER_COMMIT = 1_000

# After this many seconds without work, the writer does the work that can wait a little.
REST = 0.02

# How often the settler looks for deadlines that have passed, in seconds.
_OVERDUE_CHECK = 0.5

# A transaction that takes this many seconds is logged: the disk does not answer.
_SLOW_DISK = 5.0

# How often a database that cannot be written is tried, in seconds, while no caller tries it.
_PROBE_INTERVAL = 1.0

# The writer itself calls back at most this many callers, if no work is queued. This saves a handoff to the settler.
_FEW = 2

_TAKEN = object()

_log = logging.getLogger(__name__)


class _Spoiled(Exception):
    """A bug made appending fail, and the transaction may hold a part of what it should write."""


class GroupCommit(Generic[TransactionT]):
    """Runs work in the transactions of an engine, in the order in which it was handed over."""

    def __init__(
        self,
        engine: Engine[TransactionT],
        wait: float,
        observer: Observer | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """`wait` is the longest time that a caller waits, in seconds, unless its own deadline comes first.

        `changed` is called when `is_failing` may have changed. It returns at once.
        """
        self._engine = engine
        self._observer = observer
        # Whether the engine's `rest` was called since the last transaction.
        self._rests = False
        self._wait = wait
        self._queue: queue.SimpleQueue[AnyJob | None] = queue.SimpleQueue()
        self._settled: queue.SimpleQueue[list[AppendJob] | None] = queue.SimpleQueue()
        # The jobs whose callers have not been called back, in order. A thread that removes a job from here calls back.
        self._unsettled: dict[AppendJob, object] = {}
        self._entrance = threading.Lock()
        self._closed = False
        self._failing = failed_writing()
        self._changed = changed
        # When the settler last tried whether the database can be written again.
        self._probed = 0.0
        self._committing_since: float | None = None
        # Since when the writer has the work that it does, including the answers. None: it waits for work.
        self._busy_since: float | None = None
        # When the settler last looked for deadlines that have passed.
        self._looked = time.monotonic()
        self._threads = [
            threading.Thread(target=self._write, name="store-writer", daemon=True),
            threading.Thread(target=self._settle, name="store-settler", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def run(self, work: Callable[[TransactionT], T]) -> T:
        """Run `work` inside a transaction, and return its result after the commit is on stable storage.

        Raises any error that `work` raises. Raises StoreFull or StoreUnavailable if the transaction failed. Raises
        DeadlineExceeded.
        """
        job = Job(work, time.monotonic() + time_remaining(self._wait))
        done = job.done = threading.Lock()
        done.acquire()
        with self._entrance:
            if self._closed:
                raise StoreUnavailable
            self._queue.put(job)  # type: ignore[arg-type]
        if not done.acquire(timeout=max(0.0, job.deadline - time.monotonic())):
            # This raises DeadlineExceeded if the caller's own deadline has passed.
            time_remaining(self._wait)
            raise StoreUnavailable
        if job.error is not None:
            raise job.error
        # A job without an error holds its result.
        return job.result  # type: ignore[return-value]

    def append_later(self, messages: Sequence[NewMessage], settle: Settle) -> None:
        """Append messages and return at once. `settle` is called once, as the store's protocol describes."""
        self.hand_over(AppendJob(messages, settle))

    def hand_over(self, job: AppendJob) -> None:
        """Do what `append_later` does."""
        try:
            job.queued_time = now = time.monotonic()
            job.deadline = now + time_remaining(self._wait)
            job.call = current_call()
            with self._entrance:
                if self._closed:
                    raise StoreUnavailable
                self._unsettled[job] = None
                self._queue.put(job)
        except ChatboothError as error:
            job.settle(job.failed(error))

    def run_later(self, work: Callable[[TransactionT], object]) -> None:
        """Queue work whose outcome no caller waits for. After `close`, the work is dropped."""
        with self._entrance:
            if not self._closed:
                self._queue.put(Job(work, float("inf")))

    def close(self) -> None:
        """Finish the queued work, then close the engine. Later work is refused."""
        with self._entrance:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    # The writer's thread

    def _write(self) -> None:
        is_open = True
        while is_open:
            jobs, is_open = self._take()
            if jobs:
                self._busy_since = time.monotonic()
                self._commit(jobs)
                self._busy_since = None
        self._engine.close()
        self._settled.put(None)

    def _take(self) -> tuple[list[AnyJob], bool]:
        """Wait for a job, and take all that are queued. Return them, and whether more may come."""
        jobs: list[AnyJob] = []
        job = self._wait_for_job()
        while job is not None:
            jobs.append(job)
            if len(jobs) == MAX_JOBS_PER_COMMIT:
                return jobs, True
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                return jobs, True
        return jobs, False

    def _wait_for_job(self) -> AnyJob | None:
        """Return the next job. None means that no more jobs will come. Let the engine rest while no job comes."""
        if not self._rests:
            try:
                return self._queue.get(timeout=REST)
            except queue.Empty:
                self._rests = True
                self._engine.rest()
        job = self._queue.get()
        self._rests = False
        return job

    def _commit(self, jobs: list[AnyJob]) -> None:
        """Run jobs in one transaction. Then tell their callers the outcomes, and the watchers what has changed."""
        began = self._committing_since = time.monotonic()
        try:
            is_committed, has_written = self._transact(jobs, began)
        except _Spoiled:
            self._commit_singly(jobs)
            return
        self._committing_since = None
        # A transaction that changed nothing succeeds on a full disk too.
        if has_written and self._failing.lasts:
            self._failing.worked()
            self._changed()
        self._engine.end(committed=is_committed)
        if self._observer is not None:
            self._observe(self._observer, jobs, began, committed=is_committed)
        self._answer(jobs)
        self._announce(committed=is_committed, is_idle=self._queue.empty())

    def _transact(self, jobs: list[AnyJob], began: float) -> tuple[bool, bool]:
        """Run jobs in one transaction. Return whether it was committed, and whether it has written anything.

        Each job has its outcome afterwards. Raises _Spoiled, with the transaction undone, if a bug made appending fail
        and there are several jobs.
        """
        engine = self._engine
        try:
            transaction = engine.begin()
            self._perform_all([job for job in jobs if job.admit(began)], transaction)
            has_written = engine.commit()
        except _Spoiled as spoiled:
            # The call is known if the messages are those of one.
            call = jobs[0].call if len(jobs) == 1 else None
            _log.exception(
                "appending to the store failed", exc_info=spoiled.__cause__, extra=call.fields() if call else None
            )
            self._roll_back()
            if len(jobs) > 1:
                raise
            jobs[0].fail(Internal())
        except StoreUnavailable as lost:
            # The loss was logged when it was found. It is not logged again for each transaction.
            self._undo(jobs, lost)
        except Exception as error:  # noqa: BLE001
            # No caller may learn of a success, and the writer must continue.
            self._undo(jobs, self._logged(error, sum(job.has_caller for job in jobs)))
        else:
            return True, has_written
        return False, False

    def _commit_singly(self, jobs: list[AnyJob]) -> None:
        """Run each job in a transaction of its own, so that a bug affects only the job that meets it."""
        self._engine.end(committed=False)
        self._announce(committed=False, is_idle=False)
        for job in jobs:
            self._commit([job])

    def _announce(self, *, committed: bool, is_idle: bool) -> None:
        try:
            self._engine.announce(committed=committed, is_idle=is_idle)
        except Exception:  # noqa: BLE001
            # A bug in a watcher must not end the writer.
            _log.exception("hints of a store transaction were lost")

    def _observe(self, observer: Observer, jobs: list[AnyJob], began: float, *, committed: bool) -> None:
        try:
            appends = [job for job in jobs if isinstance(job, AppendJob)]
            observer.transaction_ended(appends, began, committed=committed)
        except Exception:  # noqa: BLE001
            # A bug in an observer must not end the writer.
            _log.exception("a transaction was not observed")

    @property
    def is_failing(self) -> bool:
        """Whether the latest transactions could not be written."""
        return self._failing.lasts

    def is_moving(self, patience: float) -> bool:
        """Return whether both threads live, and neither has worked on one piece for more than `patience` seconds.

        A transaction that fails counts as work too. `patience` is longer than a second.
        """
        oldest = time.monotonic() - patience
        return (
            all(thread.is_alive() for thread in self._threads)
            and (self._busy_since or oldest) >= oldest
            and self._looked >= oldest
        )

    @property
    def problem(self) -> str:
        """Why the latest transactions could not be written. It is empty if they were."""
        return self._failing.cause

    @property
    def queue_depth(self) -> int:
        """How many pieces of work wait for the next transaction."""
        return self._queue.qsize()

    def _answer(self, jobs: list[AnyJob]) -> None:
        """Release the callers that block, and call back the others or leave that to the settler."""
        to_settle = [job for job in jobs if isinstance(job, AppendJob)]
        if len(to_settle) < len(jobs):
            for job in jobs:
                if isinstance(job, Job) and job.done is not None:
                    job.done.release()
        if len(to_settle) > _FEW or (to_settle and not self._queue.empty()):
            self._settled.put(to_settle)
        else:
            self._call_back_all(to_settle)

    def _perform_all(self, jobs: list[AnyJob], transaction: TransactionT) -> None:
        for kind, run in itertools.groupby(jobs, type):
            if issubclass(kind, AppendJob):
                self._append_all([*run])  # type: ignore[list-item]
            else:
                for job in run:
                    self._perform(job, transaction)  # type: ignore[arg-type]

    def _append_all(self, jobs: list[AppendJob]) -> None:
        """Append the messages of all these jobs together, and give each job its outcomes."""
        try:
            outcomes = iter(self._engine.append([new for job in jobs for new in job.fit]))
        except Exception as defect:
            if self._engine.failure(defect) is not None:
                raise
            raise _Spoiled from defect
        for job in jobs:
            job.note(outcomes)

    def _perform(self, job: Job[object], transaction: TransactionT) -> None:
        engine = self._engine
        engine.savepoint()
        try:
            job.result = job.work(transaction)
        except ChatboothError as refusal:
            engine.undo_to_savepoint()
            job.fail(refusal)
        except Exception as defect:
            if engine.failure(defect) is not None:
                raise
            _log.exception("a piece of work for the store failed", extra=job.call.fields() if job.call else None)
            engine.undo_to_savepoint()
            job.fail(Internal())
        engine.release_savepoint()

    def _undo(self, jobs: list[AnyJob], error: ChatboothError) -> None:
        """Roll the transaction back, and fail all of its jobs."""
        self._roll_back()
        for job in jobs:
            job.fail(error)

    def _roll_back(self) -> None:
        try:
            self._engine.roll_back()
        except Exception as error:  # noqa: BLE001
            # The callers get the error that made the rollback necessary.
            self._logged(error, 0)

    def _logged(self, error: Exception, callers: int) -> ChatboothError:
        """Log an error that ended a transaction, and return the error that its callers get."""
        failure = self._engine.failure(error)
        if failure is None:
            _log.error("a store transaction failed", exc_info=error, extra={"callers": callers})
            return Internal()
        self._failing.refused(failure.cause, callers)
        self._changed()
        return failure.error

    # The settler's thread

    def _settle(self) -> None:
        while True:
            try:
                jobs = self._settled.get(timeout=_OVERDUE_CHECK)
            except queue.Empty:
                jobs = []
            if jobs is None:
                return
            self._call_back_all(jobs)
            now = time.monotonic()
            if now - self._looked >= _OVERDUE_CHECK:
                self._looked = now
                self._notice_slow_disk(now)
                self._give_up_overdue(now)
                self._probe(now)

    def _notice_slow_disk(self, now: float) -> None:
        since = self._committing_since
        if since is not None and now - since > _SLOW_DISK:
            self._failing.refused("the disk does not answer", 0)
            self._changed()

    def _give_up_overdue(self, now: float) -> None:
        """Call back the callers whose deadline has passed, because the disk does not answer."""
        for job in [job for job in list(self._unsettled) if job.deadline <= now]:
            # This leaves the job's own result alone, because the writer may be about to commit the job.
            self._call_back(job, job.failed(StoreUnavailable()))

    def _probe(self, now: float) -> None:
        """Try whether a database that could not be written can be written again. Other work does that too."""
        if self._failing.lasts and self._busy_since is None and now - self._probed >= _PROBE_INTERVAL:
            self._probed = now
            self.run_later(lambda _: self._engine.probe())

    # Either thread

    def _call_back_all(self, jobs: list[AppendJob]) -> None:
        for job in jobs:
            self._call_back(job, job.result or [])

    def _call_back(self, job: AppendJob, outcomes: Outcomes) -> None:
        """Call back the caller of a job, unless the other thread has done so."""
        if self._unsettled.pop(job, _TAKEN) is _TAKEN:
            return
        try:
            job.settle(outcomes)
        except Exception:  # noqa: BLE001
            # A bug in one callback must not affect the other callers.
            _log.exception("an outcome of the store could not be told")
