"""Messages of Deliver and Acknowledge."""

from __future__ import annotations

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.booth.actions import ACKNOWLEDGE, DELIVER, AcknowledgeRequest, DeliverRequest
from chatbooth_grpc.booth.model import Delivery
from chatbooth_grpc.rpc.converter import converter
from chatbooth_grpc.rpc.messages import message_from_pb, message_to_pb, opening_from_pb, opening_to_pb


def deliver_request_to_pb(request: DeliverRequest) -> pb.DeliverRequest:
    acknowledge_through, after, max_messages, epoch = request
    return pb.DeliverRequest(
        acknowledge_through=acknowledge_through, after=after, max_messages=max_messages, epoch=epoch
    )


def deliver_request_from_pb(request: pb.DeliverRequest) -> DeliverRequest:
    # An `after` of 0 starts with the first message. Without `after`, the delivery starts after the cursor.
    after = request.after if request.HasField("after") else None
    return DeliverRequest(request.acknowledge_through, after, request.max_messages, request.epoch)


def delivery_to_pb(delivery: Delivery) -> pb.DeliverResponse:
    """Encode a batch of messages."""
    return pb.DeliverResponse(
        opening=opening_to_pb(delivery.opening),
        messages=map(message_to_pb, delivery.messages),
        more=delivery.more,
    )


def delivery_from_pb(response: pb.DeliverResponse) -> Delivery:
    """Decode a batch of messages."""
    return Delivery(
        opening_from_pb(response.opening),
        [message_from_pb(message) for message in response.messages],
        response.more,
    )


def acknowledge_request_to_pb(request: AcknowledgeRequest) -> pb.AcknowledgeRequest:
    return pb.AcknowledgeRequest(through=request.through, epoch=request.epoch)


def acknowledge_request_from_pb(request: pb.AcknowledgeRequest) -> AcknowledgeRequest:
    return AcknowledgeRequest(request.through, request.epoch)


CONVERTERS = (
    converter(DELIVER, (deliver_request_to_pb, deliver_request_from_pb), (delivery_to_pb, delivery_from_pb)),
    converter(
        ACKNOWLEDGE,
        (acknowledge_request_to_pb, acknowledge_request_from_pb),
        (lambda _: pb.AcknowledgeResponse(), lambda _: None),
    ),
)
