"""The table of actions: its numbers never change, and the sets follow from it."""

from __future__ import annotations

from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.actions import ACTIONS, LISTS, LOG_INS, WITHOUT_SESSION, Action, UnaryAction, action_name
from chatbooth_grpc.booth.booth import PERFORM
from chatbooth_grpc.booth.tokens import Right

# The design's table. It is written down twice on purpose, because a number never changes.
NUMBERS = {
    "SIGN_UP": 1,
    "LIST": 2,
    "SEND": 3,
    "DELIVER": 4,
    "DELETE": 5,
    "LOG_IN": 6,
    "LOG_OUT": 7,
    "LISTEN": 8,
    "ACKNOWLEDGE": 9,
    "RESPONSE": 10,
    "MESSAGE": 11,
    "PING": 12,
    "CHANGE_PASSWORD": 13,
    "SET_BLOCK": 14,
    "LIST_BLOCKS": 15,
    "LIST_SESSIONS": 16,
    "END_SESSION": 17,
    "CREATE_TOKEN": 18,
}


def names_where(column: str, value: object) -> set[str]:
    """The names of the actions whose row has a value in a column."""
    return {row.name for row in ACTIONS.values() if getattr(row, column) == value}


def test_each_number_is_for_ever() -> None:
    assert {row.name: number for number, row in ACTIONS.items()} == NUMBERS
    assert all(number == row.number for number, row in ACTIONS.items())


def test_each_row_has_a_constant_of_its_name() -> None:
    numbers = {name: value for name, value in vars(actions).items() if type(value) in {int, UnaryAction}}
    assert numbers == NUMBERS


def test_a_unary_action_has_a_subject_and_the_booth_performs_it() -> None:
    unary = {name for name, value in vars(actions).items() if type(value) is UnaryAction}
    assert unary == {row.name for row in ACTIONS.values() if row.subject}
    assert unary == {action_name(number) for number in PERFORM}


def test_only_signing_up_and_logging_in_need_no_session() -> None:
    assert {action_name(number) for number in WITHOUT_SESSION} == {"SIGN_UP", "LOG_IN"}


def test_each_slow_action_has_its_bulkhead() -> None:
    assert names_where("bulkhead", LOG_INS) == {"SIGN_UP", "LOG_IN", "CHANGE_PASSWORD", "DELETE"}
    assert names_where("bulkhead", LISTS) == {"LIST"}
    assert {row.bulkhead for row in ACTIONS.values()} == {"", LOG_INS, LISTS}


def test_the_answers_of_deliver_and_list_are_large() -> None:
    assert {row.name: row.large_answers for row in ACTIONS.values() if row.large_answers} == {"DELIVER": 32, "LIST": 64}


def test_a_token_may_only_read_and_send() -> None:
    assert names_where("right", Right.READ) == {"DELIVER", "LISTEN", "ACKNOWLEDGE"}
    assert names_where("right", Right.SEND) == {"SEND"}
    assert Action(
        200, "NEW", needs_session=True, bulkhead="", large_answers=0, is_wire_only=False, subject=""
    ).right is (Right.NEVER)


def test_an_unknown_action_has_its_number_as_its_name() -> None:
    assert (action_name(actions.LOG_IN), action_name(200)) == ("LOG_IN", "200")
