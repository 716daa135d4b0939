"""The actions' numbers, and that no request names an account to act as."""

from __future__ import annotations

import re
from collections.abc import Iterator

from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import Descriptor

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.rpc.actions import ACTIONS, OPEN_ACTIONS, SERVICE_NAME

# The design's table, written down a second time on purpose: a number is for ever.
NUMBERS = {
    "SignUp": 1,
    "List": 2,
    "Send": 3,
    "SendMany": 3,
    "Deliver": 4,
    "Delete": 5,
    "LogIn": 6,
    "LogOut": 7,
    "Listen": 8,
    "Acknowledge": 9,
    "Response": 10,
    "Message": 11,
    "Ping": 12,
    "ChangePassword": 13,
}
WITHOUT_METHOD = {"Response", "Message", "Ping"}

SERVICE = pb.DESCRIPTOR.services_by_name["ChatService"]

WHO = re.compile(r"user|account|name|sender|from|recipient|owner|session|token|mailbox|author|_id$|^id$")
"""What a field is called that says, or could say, who acts."""

NAMES_ANOTHER = {"chatbooth.v1.SendRequest.recipient"}
NAMES_NOBODY = {"chatbooth.v1.SendRequest.message_id", "chatbooth.v1.ListRequest.page_token"}


def fields_that_name_somebody(message: Descriptor, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """The full names of a message's fields, and its parts', that could say who acts."""
    if message.full_name in seen:
        return
    for field in message.fields:
        if WHO.search(field.name):
            yield field.full_name
        if field.message_type is not None:
            yield from fields_that_name_somebody(field.message_type, seen | {message.full_name})


def test_every_method_bears_its_own_number_of_the_design() -> None:
    numbers = {path.removeprefix(f"/{SERVICE_NAME}/"): action for path, action in ACTIONS.items()}
    assert set(numbers) == {method.name for method in SERVICE.methods}
    assert numbers == {name: number for name, number in NUMBERS.items() if name in numbers}
    assert len(set(numbers.values())) == len(numbers) - 1  # SendMany is Send, in batches
    assert set(numbers) | WITHOUT_METHOD <= set(NUMBERS)


def test_every_number_means_what_the_design_says() -> None:
    named = {value.number: value.name for value in pb.Action.DESCRIPTOR.values}
    assert named.pop(0) == "ACTION_UNSPECIFIED"
    for number, name in named.items():
        [method] = [method for method, other in NUMBERS.items() if other == number and method != "SendMany"]
        assert name == "ACTION" + re.sub("([A-Z])", r"_\1", method).upper()


def test_only_signing_up_and_logging_in_need_no_session() -> None:
    assert {pb.Action.Name(action) for action in OPEN_ACTIONS} == {"ACTION_SIGN_UP", "ACTION_LOG_IN"}


def test_no_request_names_an_account_to_act_as() -> None:
    authenticated = [
        method for method in SERVICE.methods if ACTIONS[f"/{SERVICE_NAME}/{method.name}"] not in OPEN_ACTIONS
    ]
    assert len(authenticated) == len(ACTIONS) - 2
    named = {name for method in authenticated for name in fields_that_name_somebody(method.input_type)}
    assert named == NAMES_ANOTHER | NAMES_NOBODY


def test_a_request_that_names_an_account_would_be_found() -> None:
    file = descriptor_pb2.FileDescriptorProto(name="bad.proto", package="bad", syntax="proto3")
    inner = file.message_type.add(name="Inner")
    inner.field.add(name="username", number=1, type="TYPE_STRING", label="LABEL_OPTIONAL")
    outer = file.message_type.add(name="BadRequest")
    outer.field.add(name="text", number=1, type="TYPE_STRING", label="LABEL_OPTIONAL")
    outer.field.add(name="inner", number=2, type="TYPE_MESSAGE", type_name=".bad.Inner", label="LABEL_OPTIONAL")
    outer.field.add(name="account_id", number=3, type="TYPE_UINT64", label="LABEL_OPTIONAL")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = set(fields_that_name_somebody(pool.FindMessageTypeByName("bad.BadRequest")))
    assert found == {"bad.Inner.username", "bad.BadRequest.account_id"}
