"""No log, metric or trace has a password, a token or a text, whatever clients do (P7)."""

from __future__ import annotations

import base64
import re
import secrets
import signal
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.invites import new_code
from chatbooth_grpc.booth.model import Session
from chatbooth_grpc.client import ChatClient
from tests.acceptance.logged_server import LoggedServer
from tests.acceptance.test_administration import admin
from tests.waiting import wait_until

if TYPE_CHECKING:
    from tests.tracing.collector import Collector

NO_ACCOUNT = "mallory"


def marked(what: str) -> str:
    """Return a secret of which no part is in any other word. It differs in each run."""
    return f"{what} é/+? {secrets.token_hex(12)}"


def forms_of(secret: bytes) -> set[bytes]:
    """Return a secret as a log might show it: plain, escaped, in hex, in base64 and as a part of a URL."""
    text = secret.decode(errors="backslashreplace")
    plain = {secret, repr(secret)[2:-1].encode(), repr(text)[1:-1].encode(), ascii(text)[1:-1].encode()}
    encoded = {secret.hex().encode(), secret.hex().upper().encode(), quote(secret, safe="").encode()}
    # Three starts, because base64 of longer data depends on where the secret begins in it.
    shifted = {
        code(b"\0" * skipped + secret)[start:-4]
        for code in (base64.b64encode, base64.urlsafe_b64encode)
        for skipped, start in ((0, 0), (1, 2), (2, 3))
    }
    return plain | encoded | shifted


def refused(call: Callable[[], object]) -> None:
    """Make a call that the server must refuse."""
    with pytest.raises(ChatboothError):
        call()


class Person:
    """An account with secrets, which acts in every way, and fails in every way, over one wire."""

    def __init__(self, address: str, username: str, code: str) -> None:
        """`code` is that of an invite."""
        self.username = username
        self.passwords = [marked("password"), marked("another password"), marked("wrong password")]
        self.texts = [marked("text"), marked("text for nobody"), marked("text of an unknown session")]
        self.typed_as_names = [marked("password as a name")]
        self.tokens: list[bytes] = []
        self.codes = [code, new_code()]
        self._client = ChatClient.connect(address, timeout=30)
        self._address = address

    def secrets(self) -> Iterator[bytes]:
        """Return all that no log may have."""
        yield from (word.encode() for word in (*self.passwords, *self.texts, *self.typed_as_names, *self.codes))
        # A store has them without dashes.
        yield from (code.replace("-", "").encode() for code in self.codes)
        yield from self.tokens

    def act(self) -> None:
        """Perform every action with success, and most with a refusal."""
        password, new_password, wrong = self.passwords
        client, name = self._client, self.username
        good, wrong_code = self.codes
        refused(lambda: client.sign_up(name, password))
        refused(lambda: client.sign_up(name, password, invite=wrong_code))
        refused(lambda: client.sign_up(good, password, invite=good))
        self.tokens.append(client.sign_up(name, password, invite=good.lower()).token)
        refused(lambda: client.sign_up(name, password))
        refused(lambda: client.sign_up(self.typed_as_names[0], password))
        refused(lambda: client.log_in(name, wrong))
        refused(lambda: client.log_in(NO_ACCOUNT, wrong))
        refused(lambda: client.log_in(self.typed_as_names[0], wrong))
        self.tokens.append(client.log_in(name, password).token)
        self._send()
        refused(lambda: client.deliver(acknowledge_through=99))
        refused(lambda: client.list_page(f"({self.typed_as_names[0]}"))
        client.list_page(name)
        self._listen()
        client.acknowledge(1)
        refused(lambda: client.change_password(wrong, new_password))
        client.change_password(password, new_password)
        refused(lambda: client.delete(wrong))
        self._with_a_token()
        self._with_an_unknown_session()

    def end(self) -> None:
        """Log out and delete the account."""
        self._client.log_out()
        self.tokens.append(self._client.log_in(self.username, self.passwords[1]).token)
        self._client.delete(self.passwords[1])
        self._client.close()

    def _send(self) -> None:
        text, for_nobody, _ = self.texts
        receipt = self._client.send(self.username, text)
        assert receipt
        refused(lambda: self._client.send(NO_ACCOUNT, for_nobody))
        refused(lambda: self._client.send(self.typed_as_names[0], text))
        outcomes = list(self._client.send_many([(self.username, text), (NO_ACCOUNT, for_nobody)]))
        assert len(outcomes) == 2

    def _listen(self) -> None:
        stream = self._client.listen()
        next(iter(stream))
        stream.close()

    def _with_a_token(self) -> None:
        made = self._client.create_token("bot", recipient=self.username)
        self.tokens.append(made.session.token)
        refused(lambda: self._client.create_token("bot", may_read=True))
        with ChatClient.connect(self._address, token=made.text, timeout=30) as bot:
            bot.send(self.username, self.texts[0])
            refused(lambda: bot.send(NO_ACCOUNT, self.texts[1]))
            refused(bot.deliver)
            refused(lambda: bot.create_token("another", may_send=True))
        self._client.end_session(made.session_id)

    def _with_an_unknown_session(self) -> None:
        token = secrets.token_bytes(16)
        self.tokens.append(token)
        unknown = Session(token, 1, self.username, b"")
        with ChatClient.connect(self._address, session=unknown, timeout=30) as stranger:
            refused(lambda: stranger.send(self.username, self.texts[2]))
            refused(stranger.deliver)
            refused(lambda: next(iter(stranger.listen())))


@pytest.fixture
def collector() -> Iterator[Any]:
    """A receiver of traces."""
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    from tests.tracing.collector import Collector

    with Collector() as receiving:
        yield receiving


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_log_metric_or_trace_has_a_secret(tmp_path: Path, log_format: str, collector: Collector) -> None:
    (tmp_path / "home").mkdir()
    store = tmp_path / "home" / "store.db"
    shown = ("--metrics", "127.0.0.1:0", "--traces", collector.url, "--trace-sample", "1")
    flags = ("--log-level", "debug", "--log-format", log_format, "--sign-up", "invite", *shown)
    server = LoggedServer(store, *flags)
    log = tmp_path / "server.log"
    try:
        people = [Person(address, f"user-{wire}", made_code(store)) for wire, address in server.addresses.items()]
        for person in people:
            person.act()
        reset = marked("reset password")
        assert admin(store, "reset-password", people[0].username, "--password-stdin", typed=reset).code == 0
        assert admin(store, "export", people[0].username).code == 0
        assert admin(store, "delete", "a long password as a name", "--yes").code != 0
        people[0].passwords[1] = reset
        for person in people:
            with suppress(ChatboothError):
                person.end()
        metrics = page_of(log)
    finally:
        server.end(signal.SIGTERM)
    said = log.read_bytes()
    # The log is at the level debug, and has a line for each call over both wires.
    assert all(said.count(action) >= 2 for action in (b"SIGN_UP", b"LOG_IN", b"DELIVER", b"CHANGE_PASSWORD", b"DELETE"))
    assert b"chatbooth_requests_total" in metrics
    traces = b"".join(collector.bodies)
    assert {"Send", "LogIn", "commit", "push"} <= {span.name.rpartition("/")[2] for span in collector.spans()}
    assert not [name for name in (*(person.username for person in people), NO_ACCOUNT) if name.encode() in traces]
    found = {
        form
        for secret in (reset.encode(), *(secret for person in people for secret in person.secrets()))
        for form in forms_of(secret)
        if form in said or form in metrics or form in traces
    }
    assert found == set()


def made_code(store: Path) -> str:
    """Make an invite on the server, and return its code."""
    done = admin(store, "invite", "create", "--note", "for a test")
    assert done.code == 0, done.err
    return done.out.strip()


def page_of(log: Path) -> bytes:
    """Return the page of metrics of the server that writes this log."""
    wait_until(lambda: b"/metrics" in log.read_bytes())
    address = re.search(rb"http://[\d.:]+/metrics", log.read_bytes())
    assert address
    with urllib.request.urlopen(address[0].decode(), timeout=30) as page:
        return bytes(page.read())


@pytest.mark.parametrize(
    "written",
    [
        lambda secret: secret,
        lambda secret: secret.hex().encode(),
        base64.b64encode,
        lambda secret: base64.b64encode(b"longer " + secret + b" data"),
        lambda secret: quote(secret, safe="").encode(),
        lambda secret: repr(secret).encode(),
        lambda secret: repr(secret.decode()).encode(),
    ],
    ids=["plain", "hex", "base64", "within base64", "of a URL", "bytes", "a string"],
)
def test_a_secret_is_found_in_each_form(written: Callable[[bytes], bytes]) -> None:
    secret = marked("password").encode()
    line = b"debug: call password=" + written(secret) + b" outcome=OK"
    assert any(form in line for form in forms_of(secret))
