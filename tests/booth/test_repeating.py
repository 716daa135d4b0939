"""One table says which failures are worth another try, and every document says the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chatbooth_grpc.booth.error_reasons import concrete_errors
from chatbooth_grpc.booth.repeating import OUTCOME_UNKNOWN, PASSING, RETRIED, reasons_of
from chatbooth_grpc.client.library.chat_client import ChatClient

ROOT = Path(__file__).parents[2]
SOON = reasons_of(RETRIED)
LATER = sorted({*reasons_of(PASSING)} - {*SOON})


def text_of(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def test_the_table() -> None:
    assert SOON == [
        "DEADLINE_EXCEEDED",
        "RATE_LIMITED",
        "SERVER_DRAINING",
        "SERVER_UNREACHABLE",
        "STORE_UNAVAILABLE",
        "TOO_BUSY",
    ]
    assert LATER == ["INTERNAL", "STORE_FULL"]
    assert {*reasons_of(OUTCOME_UNKNOWN)} == {*SOON, *LATER} - {"TOO_BUSY", "RATE_LIMITED", "STORE_FULL"}


def test_the_delivery_page_has_the_same_table() -> None:
    rows = re.findall(
        r"^\| ([A-Z_]+)[^|]*\| [A-Z_]+ \| (perhaps|no) \| (soon|later) \|$", text_of("docs/delivery.md"), re.MULTILINE
    )
    assert sorted(reason for reason, _, when in rows if when == "soon") == SOON
    assert sorted(reason for reason, _, when in rows if when == "later") == LATER
    assert sorted(reason for reason, effect, _ in rows if effect == "perhaps") == reasons_of(OUTCOME_UNKNOWN)


def test_the_wire_protocols_page_names_them() -> None:
    found = re.search(
        r"After (STORE_.*?), try again soon\. After\s+(STORE_.*?), try again later\.",
        text_of("docs/wire-protocol.md"),
        re.DOTALL,
    )
    assert found
    assert sorted(re.findall(r"[A-Z_]{5,}", found[1])) == SOON
    assert sorted(re.findall(r"[A-Z_]{5,}", found[2])) == LATER


@pytest.mark.parametrize(
    "words", [text_of("proto/chatbooth/v1/chatbooth.proto").partition("syntax")[0], ChatClient.__doc__]
)
def test_the_contract_and_the_library_name_them(words: str) -> None:
    ours = {kind.reason for kind in concrete_errors()}
    named = {*re.findall(r"[A-Z_]{5,}", words)} & ours
    assert named >= {*SOON, *LATER} - {"SERVER_UNREACHABLE"}
    assert named - {*SOON, *LATER} <= {"MALFORMED_REQUEST", "SESSION_INVALID"}
