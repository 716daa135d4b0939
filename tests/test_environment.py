"""chatbooth's variables: service links are recognised, and misspelt names are reported."""

from __future__ import annotations

import pytest

from chatbooth_grpc.environment import CLIENT_VARIABLES, SERVER_VARIABLES, is_service_link, remarks, value_of

LINKS = {
    # Kubernetes sets these for a service named chatbooth.
    "CHATBOOTH_SERVICE_HOST": "10.0.0.1",
    "CHATBOOTH_SERVICE_PORT": "50051",
    "CHATBOOTH_SERVICE_PORT_GRPC": "50051",
    "CHATBOOTH_PORT": "tcp://10.0.0.1:50051",
    "CHATBOOTH_PORT_50051_TCP": "tcp://10.0.0.1:50051",
    "CHATBOOTH_PORT_50051_TCP_PROTO": "tcp",
    "CHATBOOTH_PORT_50051_TCP_PORT": "50051",
    "CHATBOOTH_PORT_50051_TCP_ADDR": "10.0.0.1",
    # These are for services named chatbooth-wire and chatbooth-server.
    "CHATBOOTH_WIRE_SERVICE_HOST": "10.0.0.2",
    "CHATBOOTH_WIRE_SERVICE_PORT": "8080",
    "CHATBOOTH_WIRE_PORT": "tcp://10.0.0.2:8080",
    "CHATBOOTH_WIRE_PORT_8080_TCP": "tcp://10.0.0.2:8080",
    "CHATBOOTH_SERVER_PORT": "udp://10.0.0.3:1",
    # Docker sets these for a linked container.
    "CHATBOOTH_NAME": "/web/chatbooth",
    "CHATBOOTH_ENV_PATH": "/usr/bin",
}


@pytest.mark.parametrize("name", LINKS)
def test_a_service_link_is_no_setting(name: str) -> None:
    assert is_service_link(name, LINKS[name])
    assert value_of(name, LINKS) is None


@pytest.mark.parametrize("name", sorted(SERVER_VARIABLES | CLIENT_VARIABLES))
@pytest.mark.parametrize("value", ["50051", "chat.example:1", "/var/lib/chat.db"])
def test_a_setting_is_no_service_link(name: str, value: str) -> None:
    assert not is_service_link(name, value)
    assert value_of(name, {name: value}) == value


def test_service_links_in_place_of_a_setting_are_reported_in_one_line() -> None:
    [said] = remarks(LINKS, SERVER_VARIABLES)
    assert said.startswith("CHATBOOTH_PORT, CHATBOOTH_WIRE_PORT in the environment describes a service and is ignored")
    assert remarks(LINKS, CLIENT_VARIABLES) == []


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("CHATBOOTH_MAX_TEXTSIZE", "CHATBOOTH_MAX_TEXT_SIZE"),
        ("CHATBOOTH_PORTS", "CHATBOOTH_PORT"),
        ("CHATBOOTH_SERVR", "CHATBOOTH_SERVER"),
        ("CHATBOOTH_PASSWRD", "CHATBOOTH_PASSWORD"),
        ("CHATBOOTH_", None),
        ("CHATBOOTH_FAVOURITE_COLOUR", None),
    ],
)
def test_an_unknown_variable_is_named_and_its_value_is_not_printed(name: str, meant: str | None) -> None:
    [said] = remarks({name: "a secret", "PATH": "/bin", "CHATBOOTH_STORE": "x"}, SERVER_VARIABLES)
    question = f"; did you mean {meant}?" if meant else ""
    assert said == f"{name} in the environment is not a variable of chatbooth and is ignored{question}"


def test_known_variables_are_not_reported() -> None:
    known = (
        SERVER_VARIABLES | CLIENT_VARIABLES | {"CHATBOOTH_CLIENT_COMMAND", "CHATBOOTH_SERVER_COMMAND", "CHATBOOTH_VENV"}
    )
    assert remarks(dict.fromkeys(known, "1"), SERVER_VARIABLES) == []
