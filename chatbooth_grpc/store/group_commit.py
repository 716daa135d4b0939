"""Group commit: one thread writes, and one fsync serves all who wait.

Callers hand their work to a queue. The writer, which alone uses the engine, takes all that is queued, runs
it inside one transaction, commits (which fsyncs), and only then lets the callers go: whoever was told of no error has
its change on stable storage. A lone caller waits for nobody: the writer takes what is there and never waits for
company.

A caller blocks until its work is done (`run`), or is called back (`append_later`): by a thread that does nothing else,
so that the next transaction does not wait for answers to be written, or by the writer itself when nobody else waits.

Each piece of work runs in a savepoint, so one that raises, be it by a defect, undoes itself alone. Appends, which are
most of what is written, are spared that: those that wait next to each other are done together, in a few statements for
all. Should that raise, by a defect, the transaction is undone and each job of it has one of its own. When the database
fails, all of the transaction's callers get that failure, the transaction is rolled back, and the writer goes on. Work
whose deadline has passed is skipped if it has not begun; if it has, its outcome is unknown to its caller.
"""

from __future__ import annotations

import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from chatbooth_grpc.booth.deadline import time_remaining
from chatbooth_grpc.booth.errors import ChatboothError, Internal, StoreUnavailable
from chatbooth_grpc.booth.model import Receipt
from chatbooth_grpc.booth.store import NewMessage, Settle
from chatbooth_grpc.store.engine import Engine, Outcomes, TransactionT
from chatbooth_grpc.store.failures import failed_writing

T = TypeVar("T")

MAX_JOBS_PER_COMMIT = 1_000
"""Bounds how long the first of a transaction's callers waits for the last."""

REST = 0.02
"""Seconds without work after which the writer does what may wait a little."""

_OVERDUE_CHECK = 0.5
_SLOW_DISK = 5.0
"""A transaction that takes this many seconds is logged: the disk does not answer."""

_FEW = 2
"""So many callers are called back by the writer itself, when it has nothing else to do: that saves them a handoff."""

_TAKEN = object()

_log = logging.getLogger(__name__)


class Job(Generic[T]):
    """A piece of work, until when it may begin, its outcome, and how its caller learns of that."""

    __slots__ = ("deadline", "done", "error", "result", "work")

    def __init__(self, work: Callable[[Any], T] | None, deadline: float) -> None:
        self.work = work
        self.deadline = deadline
        self.done: threading.Lock | None = None  # held until the outcome stands, where a caller blocks on it
        self.result: T | None = None
        self.error: ChatboothError | None = None

    def admit(self, now: float) -> bool:
        """Say whether it may still begin; if not, it has failed."""
        self.error = None  # a transaction that was undone may have left one
        if self.deadline <= now:
            self.fail(StoreUnavailable())  # its caller waits no longer, or is told this
            return False
        return True

    def fail(self, error: ChatboothError) -> None:
        """Note the outcome."""
        self.error = error


class AppendJob(Job[Outcomes]):
    """Messages to append, perhaps in lanes, whose caller is called back."""

    __slots__ = ("_refusals", "messages", "settle")

    def __init__(self, messages: Sequence[NewMessage], settle: Settle) -> None:
        super().__init__(None, float("inf"))
        self.messages = messages
        self.settle = settle
        self._refusals: list[ChatboothError | None] = []  # one for each message, if there are any

    @property
    def fit(self) -> Sequence[NewMessage]:
        """The messages whose lanes had not failed when this was admitted."""
        if not self._refusals:
            return self.messages
        return [new for new, refusal in zip(self.messages, self._refusals, strict=True) if refusal is None]

    def admit(self, now: float) -> bool:
        """Say whether it may still begin; if so, what of it may."""
        if not super().admit(now):
            return False
        refusals = [None if new.lane is None else new.lane.error for new in self.messages]
        self._refusals = refusals if any(refusals) else []
        return True

    def note(self, outcomes: Iterator[Receipt | ChatboothError]) -> None:
        """Take the outcomes of what was fit, and note those of all."""
        if self._refusals:
            self.result = [next(outcomes) if refusal is None else refusal for refusal in self._refusals]
        else:
            self.result = [*itertools.islice(outcomes, len(self.messages))]

    def fail(self, error: ChatboothError) -> None:
        """Note the outcomes, and that nothing may follow in the lanes of its messages."""
        self.result = self.failed(error)

    def failed(self, error: ChatboothError) -> Outcomes:
        """Fail the lanes of its messages, and return the outcomes of all."""
        return [error if new.lane is None else new.lane.fail(error) for new in self.messages]


class _Spoiled(Exception):
    """Appending failed by a defect, with something written."""


class GroupCommit(Generic[TransactionT]):
    """Runs work in the transactions of an engine, in the order in which it was handed over."""

    def __init__(self, engine: Engine[TransactionT], wait: float) -> None:
        """`wait`: the longest that a caller waits, in seconds, where its own deadline is not sooner."""
        self._engine = engine
        self._rests = False  # whether `rest` was called since the last transaction
        self._wait = wait
        self._queue: queue.SimpleQueue[Job[object] | None] = queue.SimpleQueue()
        self._settled: queue.SimpleQueue[list[AppendJob] | None] = queue.SimpleQueue()
        self._unsettled: dict[AppendJob, object] = {}  # in order; who takes a job out of it calls back, nobody else
        self._entrance = threading.Lock()
        self._closed = False
        self._failing = failed_writing()
        self._committing_since: float | None = None
        self._threads = [
            threading.Thread(target=self._write, name="store-writer", daemon=True),
            threading.Thread(target=self._settle, name="store-settler", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def run(self, work: Callable[[TransactionT], T]) -> T:
        """Run `work` inside a transaction and return its result once that is on stable storage.

        Raises what `work` raised; StoreFull, StoreUnavailable: the transaction failed; DeadlineExceeded.
        """
        job = Job(work, self._deadline())
        done = job.done = threading.Lock()
        done.acquire()
        with self._entrance:
            if self._closed:
                raise StoreUnavailable
            self._queue.put(job)  # type: ignore[arg-type]  # nobody here looks at the result
        if not done.acquire(timeout=max(0.0, job.deadline - time.monotonic())):
            time_remaining(self._wait)  # the caller's own deadline, if it was that
            raise StoreUnavailable
        if job.error is not None:
            raise job.error
        return job.result  # type: ignore[return-value]  # a job without error holds its result

    def append_later(self, messages: Sequence[NewMessage], settle: Settle) -> None:
        """Append messages and return at once. `settle` is called once, as the store's protocol describes."""
        self._hand_over(AppendJob(messages, settle))

    def run_later(self, work: Callable[[TransactionT], object]) -> None:
        """Hand over work whose outcome nobody waits for; dropped after `close`."""
        with self._entrance:
            if not self._closed:
                self._queue.put(Job(work, float("inf")))

    def close(self) -> None:
        """Finish what was handed over, then close the connection; later work is refused."""
        with self._entrance:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def _deadline(self) -> float:
        return time.monotonic() + time_remaining(self._wait)

    def _hand_over(self, job: AppendJob) -> None:
        try:
            job.deadline = self._deadline()
            with self._entrance:
                if self._closed:
                    raise StoreUnavailable
                self._unsettled[job] = None
                self._queue.put(job)  # type: ignore[arg-type]  # nobody here looks at the result
        except ChatboothError as error:
            job.settle(job.failed(error))

    # The writer's thread

    def _write(self) -> None:
        is_open = True
        while is_open:
            jobs, is_open = self._take()
            if jobs:
                self._commit(jobs)
        self._engine.close()
        self._settled.put(None)

    def _take(self) -> tuple[list[Job[object]], bool]:
        """Wait for a job, take all that are queued, and say whether more may come."""
        jobs: list[Job[object]] = []
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

    def _wait_for_job(self) -> Job[object] | None:
        """Return the next job; None: no more come. Rests meanwhile."""
        if not self._rests:
            try:
                return self._queue.get(timeout=REST)
            except queue.Empty:
                self._rests = True
                self._engine.rest()
        job = self._queue.get()
        self._rests = False
        return job

    def _commit(self, jobs: list[Job[object]]) -> None:
        engine = self._engine
        is_committed = has_written = False
        now = self._committing_since = time.monotonic()
        try:
            transaction = engine.begin()
            self._perform_all([job for job in jobs if job.admit(now)], transaction)
            has_written = engine.commit()
            is_committed = True
        except _Spoiled as spoiled:
            _log.exception("appending to the store failed", exc_info=spoiled.__cause__)
            self._roll_back()
            if len(jobs) > 1:
                engine.end(committed=False)
                engine.announce(committed=False)
                for job in jobs:
                    self._commit([job])
                return
            jobs[0].fail(Internal())
        except StoreUnavailable as lost:  # logged once where it was found, not for each transaction
            self._undo(jobs, lost)
        except Exception as error:  # noqa: BLE001  # nobody may be told of a success, and the thread lives on
            self._undo(jobs, self._logged(error, len(jobs)))
        self._committing_since = None
        # A transaction that changed nothing succeeds on a full disk too.
        if has_written:
            self._failing.worked()
        engine.end(committed=is_committed)
        self._answer(jobs)
        try:
            engine.announce(committed=is_committed)
        except Exception:  # noqa: BLE001  # the writer outlives whoever listens to it
            _log.exception("hints of a store transaction were lost")

    def _answer(self, jobs: list[Job[object]]) -> None:
        """Let the callers of a transaction go, and call back or hand on those who do not wait."""
        for job in jobs:
            if job.done is not None:
                job.done.release()
        to_settle = [job for job in jobs if isinstance(job, AppendJob)]
        if len(to_settle) > _FEW or (to_settle and not self._queue.empty()):
            self._settled.put(to_settle)
        else:
            self._call_back_all(to_settle)

    def _perform_all(self, jobs: list[Job[object]], transaction: TransactionT) -> None:
        for are_appends, run in itertools.groupby(jobs, lambda job: isinstance(job, AppendJob)):
            if are_appends:
                self._append_all([*run])  # type: ignore[list-item]  # by their type
            else:
                for job in run:
                    self._perform(job, transaction)

    def _append_all(self, jobs: list[AppendJob]) -> None:
        """Append the messages of all of these in one go, and give each its outcomes."""
        try:
            outcomes = iter(self._engine.append([new for job in jobs for new in job.fit]))
        except Exception as defect:
            if self._engine.failure(defect) is not None:
                raise
            raise _Spoiled from defect
        for job in jobs:
            job.note(outcomes)

    def _perform(self, job: Job[object], transaction: TransactionT) -> None:
        assert job.work is not None  # noqa: S101  # only an append has none
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
            _log.exception("a piece of work for the store failed")
            engine.undo_to_savepoint()
            job.fail(Internal())
        engine.release_savepoint()

    def _undo(self, jobs: list[Job[object]], error: ChatboothError) -> None:
        """Roll the transaction back, and fail all of its jobs."""
        self._roll_back()
        for job in jobs:
            job.fail(error)

    def _roll_back(self) -> None:
        try:
            self._engine.roll_back()
        except Exception as error:  # noqa: BLE001  # the callers get the error for which this rolls back
            self._logged(error, 0)

    def _logged(self, error: Exception, callers: int) -> ChatboothError:
        """Log an error that ended a transaction; return the one that its callers get."""
        failure = self._engine.failure(error)
        if failure is None:
            _log.error("a store transaction failed", exc_info=error, extra={"callers": callers})
            return Internal()
        self._failing.refused(failure.cause, callers)
        return failure.error

    # The settler's thread

    def _settle(self) -> None:
        looked = time.monotonic()
        while True:
            try:
                jobs = self._settled.get(timeout=_OVERDUE_CHECK)
            except queue.Empty:
                jobs = []
            if jobs is None:
                return
            self._call_back_all(jobs)
            now = time.monotonic()
            if now - looked >= _OVERDUE_CHECK:
                looked = now
                self._notice_slow_disk(now)
                self._give_up_overdue(now)

    def _notice_slow_disk(self, now: float) -> None:
        since = self._committing_since
        if since is not None and now - since > _SLOW_DISK:
            self._failing.refused("the disk does not answer", 0)

    def _give_up_overdue(self, now: float) -> None:
        """Tell those whose deadline has passed: the disk does not answer."""
        for job in [job for job in list(self._unsettled) if job.deadline <= now]:
            # The job itself is the writer's, which may be about to commit it.
            self._call_back(job, job.failed(StoreUnavailable()))

    # Either thread

    def _call_back_all(self, jobs: list[AppendJob]) -> None:
        for job in jobs:
            self._call_back(job, job.result or [])

    def _call_back(self, job: AppendJob, outcomes: Outcomes) -> None:
        """Settle a job, unless the other thread has done so."""
        if self._unsettled.pop(job, _TAKEN) is _TAKEN:
            return
        try:
            job.settle(outcomes)
        except Exception:  # noqa: BLE001  # one caller's bug is not the others'
            _log.exception("an outcome of the store could not be told")
