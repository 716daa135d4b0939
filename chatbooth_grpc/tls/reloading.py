"""Reads a server's certificate again when its files change."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable

from chatbooth_grpc.tls.certificate_files import CertificateFiles, CertificateUnusable
from chatbooth_grpc.tls.server_certificate import ServerCertificate, read_certificate

LOOK_INTERVAL = 2.0
"""How often to look whether the files have changed, in seconds."""

_SOON = 14 * 86_400.0
_DAY = 86_400.0

_log = logging.getLogger(__name__)


class CurrentCertificate:
    """The certificate that new connections see, and the thread that replaces it.

    Open connections are not touched. A new certificate is taken only if it can be used. Otherwise the log says why, and
    the old one stays.
    """

    def __init__(self, files: CertificateFiles, look_interval: float = LOOK_INTERVAL) -> None:
        """Read the files. Raises CertificateUnusable."""
        self._files = files
        self._look_interval = look_interval
        # How the files looked when they were read, and at the latest look.
        self._seen = self._last = _signature(files)
        self._now = read_certificate(files)
        self._watchers: list[Callable[[ServerCertificate], None]] = []
        # When the log last warned that the certificate expires, in seconds since 1970.
        self._warned = 0.0
        # The functions to call after the files were read again.
        self._askers: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._is_stopped = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tls-certificate", daemon=True)

    @property
    def now(self) -> ServerCertificate:
        """The certificate for a connection that begins now."""
        return self._now

    def watch(self, changed: Callable[[ServerCertificate], None]) -> None:
        """Call `changed` with the present certificate, and then with each new one. Call this before `start`."""
        self._watchers.append(changed)
        changed(self._now)

    def start(self) -> None:
        """Begin to look whether the files change."""
        self._warn_of_the_end()
        self._thread.start()

    def reload(self, done: Callable[[], None] = lambda: None) -> None:
        """Read the files again even if they look the same, and then call `done`. Returns at once. For any thread."""
        self._askers.put(done)
        self._wake.set()

    def stop(self) -> None:
        """End the thread."""
        self._is_stopped = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._wake.wait(self._look_interval)
            self._wake.clear()
            if self._is_stopped:
                return
            self._answer(self._askers.qsize())
            self._warn_of_the_end()

    def _answer(self, asked: int) -> None:
        """Look at the files, and call those who have asked for it."""
        self._look(is_asked=asked > 0)
        for _ in range(asked):
            self._askers.get()()

    def _look(self, *, is_asked: bool) -> None:
        signature = _signature(self._files)
        is_settled, self._last = signature == self._last, signature
        # The certificate and its key are replaced one after the other. So wait until nothing changes between two looks.
        if not is_asked and (signature == self._seen or not is_settled):
            return
        self._seen = signature
        try:
            read = read_certificate(self._files)
        except CertificateUnusable as error:
            _log.error("the new certificate is not taken, and the old one stays", extra={"cause": str(error)})
            return
        self._now = read
        for changed in self._watchers:
            changed(read)
        _log.info("new connections see the certificate that was just read", extra={"fingerprint": read.fingerprint})

    def _warn_of_the_end(self) -> None:
        """Log once a day that the certificate expires soon, or that it has expired."""
        now = time.time()
        if self._now.ends - now > _SOON or now - self._warned < _DAY:
            return
        self._warned = now
        words = "the certificate has expired" if self._now.ends <= now else "the certificate expires soon"
        _log.warning(f"{words}: replace {self._files.certificate}", extra={"ends": _date(self._now.ends)})


def _signature(files: CertificateFiles) -> object:
    """Return a value that differs when the files differ. A file that is missing is a difference too."""
    try:
        return files.signature()
    except OSError as error:
        return str(error)


def _date(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))
