"""Has the system drop the packets of some addresses before a listening socket sees them."""

from __future__ import annotations

import contextlib
import ctypes
import ipaddress
import os
import socket
import struct
import sys
from collections.abc import Iterable, Iterator

from chatbooth_grpc.server.open_sockets import OpenSocket, open_sockets

MOST_ADDRESSES = 400
"""How many addresses a filter can have. The system takes programs of up to 4,096 instructions."""

# Python does not name these options of Linux.
_ATTACH_FILTER, _DETACH_FILTER = 26, 27

# The codes of classic BPF: load a half word or a word of the packet, compare, jump, return.
_LOAD_HALF, _LOAD_WORD, _IF_EQUAL, _JUMP, _RETURN = 0x28, 0x20, 0x15, 0x05, 0x06
_INSTRUCTION = struct.Struct("HBBI")
_PROGRAM = struct.Struct("HP")
# Linux gives the protocol at this offset, and the network's header from the next one on.
_PROTOCOL, _HEADER = 0xFFFFF000, 0xFFF00000
_IPV4 = 0x0800
# Where the headers of IPv4 and IPv6 have the address of the sender.
_IPV4_SOURCE, _IPV6_SOURCE = _HEADER + 12, _HEADER + 8
_TAKE, _DROP = 0xFFFFFFFF, 0

CAN_FILTER = sys.platform == "linux"


def drop_packets_of(keys: Iterable[str], ports: Iterable[int]) -> None:
    """Let no client at these addresses open a connection to the ports of this process. Others can.

    A key is an IPv4 address or an IPv6 network of 64 bits, as ClientAddresses makes it. Connections that are open
    stay. Raises OSError if the system shows no descriptors, or takes no filter.
    """
    program = b"".join(_program(list(keys)[:MOST_ADDRESSES]))
    for each in open_sockets():
        _set_filter(each, program, set(ports))


def _set_filter(one: OpenSocket, program: bytes, ports: set[int]) -> None:
    """Give the socket the filter, if it listens on one of the ports."""
    try:
        duplicate = socket.socket(fileno=os.dup(one.descriptor))
    except OSError:
        return
    with duplicate:
        if not _is_listening(duplicate, ports):
            return
        if program:
            memory = ctypes.create_string_buffer(program, len(program))
            length = len(program) // _INSTRUCTION.size
            pointer = _PROGRAM.pack(length, ctypes.addressof(memory))
            duplicate.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, pointer)
            return
        # It may have none.
        with contextlib.suppress(FileNotFoundError):
            duplicate.setsockopt(socket.SOL_SOCKET, _DETACH_FILTER, 0)


def _is_listening(one: socket.socket, ports: set[int]) -> bool:
    if one.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    return bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)) and one.getsockname()[1] in ports


def _program(keys: list[str]) -> Iterator[bytes]:
    """Yield the instructions of a filter. There are none if there is no address."""
    if not keys:
        return
    networks = [ipaddress.ip_network(key) for key in keys]
    of_ipv4 = b"".join(_checks_of_ipv4(network) for network in networks if network.version == 4)
    of_ipv6 = b"".join(_checks_of_ipv6(network) for network in networks if network.version == 6)
    take = _INSTRUCTION.pack(_RETURN, 0, 0, _TAKE)
    load = _INSTRUCTION.pack(_LOAD_WORD, 0, 0, _IPV4_SOURCE)
    yield _INSTRUCTION.pack(_LOAD_HALF, 0, 0, _PROTOCOL)
    # The jump of a comparison is short, so it only skips the long jump.
    yield _INSTRUCTION.pack(_IF_EQUAL, 1, 0, _IPV4)
    yield _INSTRUCTION.pack(_JUMP, 0, 0, len(load + of_ipv4 + take) // _INSTRUCTION.size)
    yield from (load, of_ipv4, take, of_ipv6, take)


def _checks_of_ipv4(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bytes:
    """Return the instructions that drop a packet from an address, which is loaded."""
    return _drop_unless_other(int(network.network_address))


def _checks_of_ipv6(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bytes:
    """Return the instructions that load the address of a packet, and drop the packet if it is in the network."""
    high = int(network.network_address) >> 64
    second = _INSTRUCTION.pack(_LOAD_WORD, 0, 0, _IPV6_SOURCE + 4) + _drop_unless_other(high & 0xFFFFFFFF)
    first = _INSTRUCTION.pack(_LOAD_WORD, 0, 0, _IPV6_SOURCE)
    return first + _INSTRUCTION.pack(_IF_EQUAL, 0, len(second) // _INSTRUCTION.size, high >> 32) + second


def _drop_unless_other(word: int) -> bytes:
    return _INSTRUCTION.pack(_IF_EQUAL, 0, 1, word) + _INSTRUCTION.pack(_RETURN, 0, 0, _DROP)
