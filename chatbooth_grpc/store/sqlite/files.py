"""Whether the paths of a store's files still lead to the files that the server writes."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from chatbooth_grpc.booth.lasting_state import LastingState
from chatbooth_grpc.store.sqlite.lock import FileId

# How often the files are checked while nothing is committed, in seconds.
CHECK_INTERVAL = 0.5

# Longer than a tick of any system's clock, in nanoseconds.
_TICK = 50_000_000

_log = logging.getLogger(__name__)


class StoreFiles:
    """The store's file and its log, as they were when they were opened.

    The writer checks after each commit and a thread checks in between, so any thread may find that the files are lost:
    removed, renamed or replaced. They count as lost until the very same files are back. A file into which somebody else
    wrote is lost until the server is started again. Only the writer's thread can tell, since it writes the file too.
    """

    def __init__(self, path: Path, file_id: FileId) -> None:
        """`file_id` is the id of the store's file. The file and its log are open. Raises OSError if there is no log."""
        log = Path(f"{path}-wal")
        pairs = ((path, file_id), (log, FileId.of(log.stat())))
        # Each path with the inode and the device of its file. They are plain text and plain tuples, to be quick.
        self._expected = tuple((str(one), (found.inode, found.device)) for one, found in pairs)
        self._folder = str(path.parent)
        # The folder's state at the latest check of the files, if they were in place.
        self._checked_folder: tuple[int, int, int] | None = None
        # The file's size and modification time after the server last wrote to it, and the generations that it may have
        # since.
        self._written: tuple[int, int] | None = None
        self._generations: tuple[bytes, ...] = ()
        self.is_overwritten = False
        self.are_lost = False
        self._guard = threading.Lock()
        self._watchers: list[Callable[[], None]] = []
        self._losing = LastingState(
            _log,
            "a file of the store was removed, renamed, replaced or overwritten: nothing is accepted until the same "
            "file is back, or the server is stopped and started again",
            "the files of the store are back in their place: messages are accepted again",
            quiet=0,
        )
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, tend: Callable[[], None], look_inside: Callable[[], None]) -> None:
        """Start the thread that checks.

        The thread calls `tend` each time that the files are in place. It calls the argument `look_inside` when somebody
        may have written into the file. That makes the writer's thread call the method `look_inside`.
        """
        arguments = (tend, look_inside)
        self._thread = threading.Thread(target=self._watch, args=arguments, name="store-files", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread. After this, closing the store removes the log, which is no loss."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed` whenever the files are lost, and when they are back. Call this before `start`."""
        self._watchers.append(changed)

    @property
    def problem(self) -> str:
        """Words for the problem with the files. Empty if they are in place."""
        return self._losing.cause

    def note_written(self, generation: bytes) -> None:
        """Note that the writer has copied its log into the file. `generation` is the store's generation since then."""
        self._generations = (*self._generations[-1:], generation)
        self._written = self._state_of_file()

    def look_inside(self, read_generation: Callable[[], bytes | None]) -> None:
        """Find out whether somebody has written other content into the file. For the writer's thread alone.

        `read_generation` reads the file without its log. One of SQLite's own programs may have copied the log into the
        file, which does no harm.
        """
        state = self._state_of_file()
        if state == self._written or state is None:
            return
        if read_generation() in self._generations:
            self._written = state
        else:
            self.is_overwritten = True
            self._look(None)

    def _state_of_file(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._expected[0][0])  # noqa: PTH116  # the path is text, to be quick
        except OSError:
            return None
        return found.st_size, found.st_mtime_ns

    def check(self) -> bool:
        """Return whether the files are in place now. If that has changed, the watchers are called first."""
        folder = self._folder_state()
        if folder is not None and folder == self._checked_folder and not self.are_lost:
            return True
        return self._look(folder)

    def _look(self, folder: tuple[int, int, int] | None) -> bool:
        """Look at the files, and note the result. `folder` is the folder's state before that."""
        # One thread looks at a time, so that no thread notes an older state after another thread has looked.
        with self._guard:
            problem = self._problem()
            if (not problem) == self.are_lost:
                self._note(problem)
            self._checked_folder = None if problem else folder
        return not problem

    def _folder_state(self) -> tuple[int, int, int] | None:
        """Return a value that changes with every file that is made, removed or renamed in the folder.

        None: the folder has changed so recently that a further change might leave the value the same. Each commit waits
        for this call, and for a look at the files themselves only if the value has changed. On Linux 6.13 and later, a
        look at the log's times would make the next commit a fifth slower, because it then has to write new times.
        """
        try:
            found = os.stat(self._folder)  # noqa: PTH116  # the path is text, to be quick
        except OSError:
            return None
        # Two changes within one tick of the system's clock have the same time.
        if time.time_ns() - found.st_ctime_ns < _TICK:
            return None
        return found.st_ino, found.st_dev, found.st_ctime_ns

    def _problem(self) -> str:
        """Return what is wrong with the first file that is not in its place, or nothing."""
        if self.is_overwritten:
            return f"{self._expected[0][0]}: other content was written into it"
        for path, expected in self._expected:
            try:
                found = os.stat(path)  # noqa: PTH116  # the path is text, to be quick
            except OSError as error:
                return f"{path}: {(error.strerror or str(error)).lower()}"
            if found[1:3] != expected:
                return f"{path}: another file has taken its place"
        return ""

    def _note(self, problem: str) -> None:
        self.are_lost = bool(problem)
        if problem:
            self._losing.refused(problem)
        else:
            self._losing.worked()
        for changed in self._watchers:
            changed()

    def _watch(self, tend: Callable[[], None], look_inside: Callable[[], None]) -> None:
        while not self._stopped.wait(CHECK_INTERVAL):
            # A mount over a file changes no folder, so this looks at the files each time.
            self._checked_folder = None
            if self.check():
                tend()
                if self._state_of_file() != self._written:
                    look_inside()
