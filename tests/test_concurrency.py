"""CONTRIBUTING.md lists every thread and every lock, and the order in which locks are taken."""

from __future__ import annotations

import ast
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chatbooth_grpc.addresses import look_up
from chatbooth_grpc.booth.actions import SIGN_UP, LogInRequest
from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.errors import ChatboothError, StoreUnavailable
from chatbooth_grpc.booth.model import Opening, OutgoingMessage
from chatbooth_grpc.booth.observing import Observer, one_observer
from chatbooth_grpc.booth.throttles import DEFAULT_RATES, Throttles
from chatbooth_grpc.client import ChatClient, MessageBatch
from chatbooth_grpc.client.library.grpc_transport import GrpcTransport
from chatbooth_grpc.client.library.lazy_transport import LazyTransport
from chatbooth_grpc.client.library.transport import Transport
from chatbooth_grpc.live.reaper import Reaper
from chatbooth_grpc.live.switchboard import Switchboard
from chatbooth_grpc.metrics.tally import Tally
from chatbooth_grpc.rpc.server.chat_server import ChatServer
from chatbooth_grpc.server.flags import parse_settings
from chatbooth_grpc.server.memory import return_memory
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from chatbooth_grpc.wire.client.wire_transport import WireTransport
from chatbooth_grpc.wire.server.wire_server import WireServer, WireSettings
from chatbooth_grpc.wire.streams.tls_stream import tls_client, tls_server
from tests.booth.cheap_passwords import PASSWORD, cheap_passwords
from tests.concurrency import Order, Place, TracedLock, locks_of, semaphores_of, sources, threads_of
from tests.rpc.another_grpcio import another_grpcio
from tests.rpc.health_of import NOT_SERVING, SERVING, watching_health
from tests.store.taking_away import rename_file

if TYPE_CHECKING:
    from tests.wire.certificates import Certificate

DOCUMENT = Path(__file__).parents[1] / "CONTRIBUTING.md"
PATIENCE = 30.0
OF_LIBRARIES = ("Thread-N (_serve)", "Thread-N (_run)", "OtelBatchSpanRecordProcessor")
"""grpcio gives its threads no names. All of ours have one, which another test finds in the source."""

SIGNAL = "signal"
"""The tier of a lock that one thread takes and another releases: it wakes somebody and guards nothing."""


def rows(heading: str) -> Iterator[list[str]]:
    """Yield the rows of the table below a heading of the document, cell by cell."""
    _, _, after = DOCUMENT.read_text(encoding="utf-8").partition(f"\n{heading}\n")
    section = re.split(r"^#+ ", after, maxsplit=1, flags=re.MULTILINE)[0]
    table = [line for line in section.splitlines() if line.startswith("|")]
    for line in table[2:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


def quoted(cell: str) -> list[str]:
    """Return the text in backquotes in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def documented_threads() -> dict[Place, list[str]]:
    """Return the threads of the document, each with all the names that it may have."""
    return {Place(quoted(row[1])[0], quoted(row[0])[0]): quoted(row[0]) for row in rows("### Threads")}


def documented_locks() -> dict[Place, str]:
    """Return the locks of the document, each with its tier."""
    return {Place(*quoted(row[1])[:2]): row[0] for row in rows("### Locks")}


def documented_semaphores() -> set[Place]:
    """Return the semaphores of the document."""
    return {Place(*quoted(row[0])[:2]) for row in rows("### Semaphores")}


def may_follow(outer: str, inner: str) -> bool:
    """Return whether a lock of the tier `inner` may be taken while one of the tier `outer` is held."""
    return SIGNAL in {outer, inner} or int(outer) < int(inner)


def test_every_thread_is_documented() -> None:
    assert set(documented_threads()) == {thread for path, tree in sources() for thread in threads_of(path, tree)}


def test_every_lock_is_documented() -> None:
    assert set(documented_locks()) == {lock for path, tree in sources() for lock in locks_of(path, tree).values()}


def test_every_semaphore_is_documented() -> None:
    assert documented_semaphores() == {place for path, tree in sources() for place in semaphores_of(path, tree)}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("threading.Thread(target=f, name='a')", {"a"}),
        ("threading.Thread(target=f)", {""}),
        ("Thread(name=f'a-{n}')", {"a-N"}),
        ("ThreadPoolExecutor(4, thread_name_prefix='a')", {"a_N"}),
        ("class A(threading.Thread):\n  def __init__(self):\n    super().__init__(name='a')", {"a"}),
        ("class A(threading.Thread):\n  pass", {""}),
        ("def start(name):\n  return Thread(name=name)\nstart('a')\nstart('b')", {"a", "b"}),
    ],
)
def test_a_thread_is_found_in_a_source(source: str, names: set[str]) -> None:
    assert threads_of("x.py", ast.parse(source)) == {Place("x.py", name) for name in names}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("_guard = threading.Lock()", {"_guard"}),
        ("class A:\n  def f(self):\n    self._a = threading.Condition()", {"A._a"}),
        ("class A:\n  def f(self):\n    self._a: Lock = Lock()", {"A._a"}),
        ("a = threading.Semaphore(2)", set()),
        ("a = threading.Condition(self._lock)", set()),
    ],
)
def test_a_lock_is_found_in_a_source(source: str, names: set[str]) -> None:
    assert set(locks_of("x.py", ast.parse(source)).values()) == {Place("x.py", name) for name in names}


def test_a_semaphore_is_found_in_a_source() -> None:
    assert semaphores_of("x.py", ast.parse("a = {one: threading.Semaphore(one) for one in b}")) == {Place("x.py", "a")}


# The order, as a running server takes its locks


NEVER_TAKEN: set[Place] = set()
"""The locks that the run below takes on no thread. Their order is not tested."""


class House:
    """A server over both wires, and over the wire protocol with TLS, all of whose locks are traced."""

    def __init__(self, path: Path, certificate: Certificate, ending: ExitStack) -> None:
        self.path = path
        # Without the package, this import skips the tests of the running servers, as that of the certificate does.
        tracing: Observer = ending.enter_context(import_module("tests.tracing.tracing_to_memory").tracing_to_memory())
        observer = one_observer([Tally(), tracing])
        store = ending.enter_context(SQLiteStore(path, observer=observer))
        switchboard = Switchboard(store, observer=observer)
        throttles = Throttles(DEFAULT_RATES)
        booth = Booth(
            store, passwords=cheap_passwords(), listens=switchboard.listens, observer=observer, throttles=throttles
        )
        self._reaper = Reaper(store, switchboard, 3600.0, retain=3600.0, sweep_interval=0.05)
        self._grpc = ChatServer(booth, switchboard, parse_settings(["--port", "0", "--drain-grace", "5s"], {}))
        settings = WireSettings(look_up("127.0.0.1"), 0, 1 << 20)
        self._wire = WireServer(booth, switchboard, settings)
        self._tls = WireServer(booth, switchboard, settings, tls_server(certificate.server))
        store.watch_availability(self._grpc.say_available)
        ending.callback(self._drain)
        self.grpc, self.wire, self.tls = self._grpc.start(), self._wire.start(), self._tls.start()
        self._reaper.start()
        return_memory()

    def _drain(self) -> None:
        self._reaper.stop()
        self._grpc.drain()
        self._wire.drain(5)
        self._tls.drain(5)


def live_through(address: str, name: str) -> None:
    """Do what people do, over one wire: each action, a stream of batches, a live stream, large answers."""
    with closing(ChatClient.connect(address)) as listener, closing(ChatClient.connect(address)) as sender:
        listener.sign_up(name, PASSWORD)
        sender.sign_up(f"{name}-sender", PASSWORD)
        assert list(sender.list(f"^{name}")) == [name, f"{name}-sender"]
        with pytest.raises(ChatboothError):
            sender.log_in(name, "a wrong password")
        sender.log_in(f"{name}-sender", PASSWORD)
        threads = [threading.Thread(target=sender.send, args=(name, "x" * 100_000)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(list(sender.send_many([(name, f"{number}") for number in range(400)]))) == 400
        left = 408
        for event in listener.listen():
            left -= len(event.messages) if isinstance(event, MessageBatch) else 0
            if not left:
                break
        listener.change_password(PASSWORD, f"{PASSWORD} too")
        sender.delete(PASSWORD)


def resume(address: str, name: str, state: Path) -> None:
    """Act as a program does that keeps its session and its place in a file."""
    with closing(ChatClient.connect(address)) as client:
        client.sign_up(name, PASSWORD)
        client.send(name, "hello")
    with closing(ChatClient.resume(address, name, PASSWORD, state=state)) as program:
        assert next(iter(program.messages())).text == "hello"


def lose_the_store(house: House, transport: Transport) -> None:
    """Take the store's file away from a running server and put it back, while clients send and watch the health."""
    token = transport.call(SIGN_UP, b"", LogInRequest("loser", PASSWORD), PATIENCE).token
    with watching_health(house.grpc) as statuses:
        assert next(statuses) == SERVING
        put_back = rename_file(house.path)
        with pytest.raises(StoreUnavailable):
            transport.send(token, OutgoingMessage("loser", b"m" * 16, b"lost"), timeout=PATIENCE)
        assert next(statuses) == NOT_SERVING
        put_back()
        assert next(statuses) == SERVING
    transport.close()


def follow(transport: Transport, name: str) -> threading.Thread:
    """Listen on a thread, until the server's drain ends the stream."""
    session = transport.call(SIGN_UP, b"", LogInRequest(name, PASSWORD), PATIENCE)
    stream = transport.listen(session.token, None)
    assert isinstance(next(iter(stream)), Opening)

    def read() -> None:
        with suppress(ChatboothError):
            for _ in stream:
                pass
        transport.close()

    thread = threading.Thread(target=read)
    thread.start()
    return thread


def live_in(house: House, certificate: Certificate) -> list[threading.Thread]:
    """Use a server in every way. Return threads that listen to it until it drains."""
    live_through(house.grpc, "over-grpc")
    live_through(f"wire://{house.wire}", "over-wire")
    resume(house.grpc, "program", house.path.with_name("state"))
    lose_the_store(house, WireTransport(house.wire))
    return [
        follow(GrpcTransport(house.grpc), "grpc-follower"),
        follow(LazyTransport(lambda: GrpcTransport(house.grpc), house.grpc), "lazy-follower"),
        follow(WireTransport(house.wire), "wire-follower"),
        follow(WireTransport(house.tls, tls_client(certificate.client(), "localhost")), "tls-follower"),
    ]


def live_without_private_names(house: House, _: Certificate) -> list[threading.Thread]:
    """Use a server that does without grpcio's private names."""
    live_through(house.grpc, "over-grpc")
    return [follow(GrpcTransport(house.grpc), "grpc-follower")]


def trace_locks_of_modules(order: Order, patch: pytest.MonkeyPatch) -> None:
    """Trace the locks that modules made when they were imported, before the order was traced."""
    for place in documented_locks():
        module = import_module(f"chatbooth_grpc.{place.path.removesuffix('.py').replace('/', '.')}")
        if hasattr(module, place.name):
            patch.setattr(module, place.name, TracedLock(getattr(module, place.name), place, order))


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Order, set[str]]:
    """The order in which servers took their locks while people used them, and the names of the threads that ran."""
    order = Order()
    folder = tmp_path_factory.mktemp("lived")
    # Without the package that makes certificates, this import skips the tests of the running servers alone.
    certificate = import_module("tests.wire.certificates").Certificate(folder)
    before, names = set(threading.enumerate()), set[str]()
    ways: list[tuple[AbstractContextManager[None], Callable[[House, Certificate], list[threading.Thread]]]] = [
        (nullcontext(), live_in),
        (another_grpcio(), live_without_private_names),
    ]
    with pytest.MonkeyPatch.context() as patch:
        for kind in ("Lock", "RLock"):
            patch.setattr(threading, kind, order.traced(getattr(threading, kind)))
        trace_locks_of_modules(order, patch)
        for number, (grpcio, live) in enumerate(ways):
            with grpcio, ExitStack() as ending:
                (home := folder / str(number)).mkdir()
                house = House(home / "chatbooth.db", certificate, ending)
                following = live(house, certificate)
                names |= {thread.name for thread in set(threading.enumerate()) - before - set(following)}
            for thread in following:
                thread.join(PATIENCE)
                assert not thread.is_alive()
    return order, names


def test_a_running_server_takes_its_locks_in_the_documented_order(lived: tuple[Order, set[str]]) -> None:
    tiers = documented_locks()
    order, _ = lived
    against = {(outer, inner) for outer, inner in order.pairs if not may_follow(tiers[outer], tiers[inner])}
    assert against == set()


def test_every_lock_was_seen_at_work(lived: tuple[Order, set[str]]) -> None:
    order, _ = lived
    assert set(documented_locks()) - order.taken == NEVER_TAKEN
    assert order.pairs


def test_the_threads_of_a_running_server_are_documented(lived: tuple[Order, set[str]]) -> None:
    _, names = lived
    known = [name for each in documented_threads().values() for name in each] + [*OF_LIBRARIES]
    patterns = [re.compile(re.escape(name).replace("N", r"\d+")) for name in known]
    assert {name for name in names if not any(pattern.fullmatch(name) for pattern in patterns)} == set()
