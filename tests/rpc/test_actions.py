"""The contract agrees with the table of actions, and no request names the acting account."""

from __future__ import annotations

import re
from collections.abc import Iterator

from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import Descriptor

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.booth.actions import ACTIONS, WITHOUT_SESSION
from chatbooth_grpc.rpc.actions import METHODS, SERVICE_NAME

SERVICE = pb.DESCRIPTOR.services_by_name["ChatService"]

WHO = re.compile(r"user|account|name|sender|from|recipient|owner|session|token|mailbox|author|_id$|^id$")
"""Names of a field that says, or could say, which account acts."""

NAMES_ANOTHER = {
    "chatbooth.v1.SendRequest.recipient",
    "chatbooth.v1.SetBlockRequest.username",
    "chatbooth.v1.TokenLimits.recipient",
    "chatbooth.v1.TokenLimits.recipient_id",
}
NAMES_NOBODY = {
    "chatbooth.v1.SendRequest.message_id",
    "chatbooth.v1.ListRequest.page_token",
    "chatbooth.v1.ListBlocksRequest.page_token",
    "chatbooth.v1.ListSessionsRequest.page_token",
    "chatbooth.v1.EndSessionRequest.session_id",
}


def fields_that_name_somebody(message: Descriptor, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield the full names of the fields of a message and its parts that could say which account acts."""
    if message.full_name in seen:
        return
    for field in message.fields:
        if WHO.search(field.name):
            yield field.full_name
        if field.message_type is not None:
            yield from fields_that_name_somebody(field.message_type, seen | {message.full_name})


def test_the_contracts_numbers_are_the_tables() -> None:
    expected = {f"ACTION_{row.name}": number for number, row in ACTIONS.items() if not row.is_wire_only}
    assert dict(pb.Action.items()) == {"ACTION_UNSPECIFIED": 0, **expected}


def test_the_contract_gives_the_wires_own_numbers_to_nothing_else() -> None:
    contract = descriptor_pb2.EnumDescriptorProto()
    pb.Action.DESCRIPTOR.CopyToProto(contract)
    reserved = {number for span in contract.reserved_range for number in range(span.start, span.end + 1)}
    assert reserved == {number for number, row in ACTIONS.items() if row.is_wire_only}


def test_each_method_performs_the_action_of_its_name() -> None:
    named = {path.removeprefix(f"/{SERVICE_NAME}/"): ACTIONS[action].name for path, action in METHODS.items()}
    assert set(named) == {method.name for method in SERVICE.methods}
    assert named.pop("SendMany") == "SEND"
    assert named == {method: re.sub("(?<!^)([A-Z])", r"_\1", method).upper() for method in named}


def test_each_action_has_a_method_unless_only_the_wire_needs_it() -> None:
    assert set(METHODS.values()) == {number for number, row in ACTIONS.items() if not row.is_wire_only}


def test_no_request_names_an_account_to_act_as() -> None:
    authenticated = [
        method for method in SERVICE.methods if METHODS[f"/{SERVICE_NAME}/{method.name}"] not in WITHOUT_SESSION
    ]
    assert len(authenticated) == len(METHODS) - 2
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
