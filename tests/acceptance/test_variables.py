"""The variables of the command line that are empty, misspelt or of Kubernetes."""

from __future__ import annotations

from tests.acceptance.processes import CommandLine

VARIABLES = {
    "CHATBOOTH_PORT": "tcp://10.0.0.1:50051",
    "CHATBOOTH_SERVICE_HOST": "10.0.0.1",
    "CHATBOOTH_SERVER_PORT": "tcp://10.0.0.2:1",
    "CHATBOOTH_PASSWRD": "hushhush",
    "CHATBOOTH_AS": "",
    "CHATBOOTH_TIMEOUT": " ",
}


def test_a_person_is_warned_of_a_misspelt_variable_and_of_nothing_else(chatbooth: CommandLine) -> None:
    assert chatbooth("signup", "variable").code == 0
    done = chatbooth("list", "^variable$", **VARIABLES)
    assert (done.code, done.out) == (0, "variable\n")
    [said] = done.err.splitlines()
    assert said.startswith("CHATBOOTH_PASSWRD in the environment is not a variable of chatbooth and is ignored")
    assert said.endswith("did you mean CHATBOOTH_PASSWORD?")


def test_a_program_is_not_warned(chatbooth: CommandLine) -> None:
    assert chatbooth("signup", "variable_json").code == 0
    done = chatbooth("--json", "list", "^variable_json$", **VARIABLES)
    assert (done.code, done.err) == (0, "")
