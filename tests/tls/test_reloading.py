"""The certificate follows its files, but a bad one never takes the place of a good one."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from chatbooth_grpc.tls import reloading
from chatbooth_grpc.tls.certificate_files import CertificateFiles, CertificateUnusable
from chatbooth_grpc.tls.reloading import CurrentCertificate
from tests.tls.issuing import PAST, Authority, replace
from tests.waiting import wait_until

SELDOM = 3_600.0


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def started(files: CertificateFiles, stack: ExitStack, look_interval: float = 0.01) -> CurrentCertificate:
    """Return the certificate of files, which are looked at often, until the test ends."""
    current = CurrentCertificate(files, look_interval)
    current.start()
    stack.callback(current.stop)
    return current


def test_a_bad_certificate_keeps_the_server_from_starting(authority: Authority) -> None:
    files = authority.issue()
    files.key.unlink()
    with pytest.raises(CertificateUnusable):
        CurrentCertificate(files)


def test_a_replaced_certificate_is_taken_and_all_who_watch_learn_of_it(authority: Authority, stack: ExitStack) -> None:
    files = authority.issue()
    current = CurrentCertificate(files, 0.01)
    seen: list[str] = []
    current.watch(lambda certificate: seen.append(certificate.fingerprint))
    first = current.now.fingerprint
    assert seen == [first]
    current.start()
    stack.callback(current.stop)
    authority.issue()
    wait_until(lambda: current.now.fingerprint != first)
    wait_until(lambda: seen == [first, current.now.fingerprint])


def test_a_bad_pair_is_logged_once_and_the_old_one_stays_until_a_good_one_comes(
    authority: Authority, stack: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    files = authority.issue()
    current = started(files, stack)
    first = current.now
    replace(files.key, authority.issue(label="other").key.read_bytes())
    wait_until(lambda: "the old one stays" in caplog.text)
    rounds: list[int] = []
    look, count = current._look, 5

    def counted(*, is_asked: bool) -> None:
        rounds.append(1)
        look(is_asked=is_asked)

    current._look = counted  # type: ignore[method-assign]
    wait_until(lambda: len(rounds) >= count)
    assert current.now is first
    causes = [record.cause for record in caplog.records if hasattr(record, "cause")]
    assert len(causes) == 1
    assert "does not fit the certificate" in causes[0]
    authority.issue(not_after=PAST)
    wait_until(lambda: "has expired" in [record.cause for record in caplog.records if hasattr(record, "cause")][-1])
    assert current.now is first
    authority.issue()
    wait_until(lambda: current.now is not first)


def test_files_that_vanish_and_come_back_are_read_again(
    authority: Authority, stack: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    files = authority.issue()
    current = started(files, stack)
    first = current.now
    files.certificate.unlink()
    wait_until(lambda: "the old one stays" in caplog.text)
    authority.issue()
    wait_until(lambda: current.now is not first)


def test_a_reload_reads_files_that_look_the_same(authority: Authority, stack: ExitStack) -> None:
    current = started(authority.issue(), stack, SELDOM)
    first = current.now
    current.reload()
    wait_until(lambda: current.now is not first)
    assert current.now.fingerprint == first.fingerprint


def test_the_log_warns_before_the_end_once_a_day(
    authority: Authority, stack: ExitStack, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    current = CurrentCertificate(authority.issue(), SELDOM)
    monkeypatch.setattr(reloading, "_SOON", current.now.ends - time.time() - 3_600)
    caplog.set_level(logging.WARNING)
    current._warn_of_the_end()
    assert caplog.text == ""
    monkeypatch.setattr(reloading, "_SOON", current.now.ends - time.time() + 3_600)
    for _ in range(2):
        current._warn_of_the_end()
    assert caplog.text.count("the certificate expires soon") == 1
