"""The variables by which a connection uses a proxy."""

from __future__ import annotations

import pytest

from chatbooth_grpc.client.library.proxies import proxy_variable

PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("environment", "variable"),
    [
        ({}, ""),
        ({"http_proxy": ""}, ""),
        ({"http_proxy": PROXY}, "http_proxy"),
        ({"http_proxy": PROXY, "https_proxy": PROXY}, "https_proxy"),
        ({"http_proxy": PROXY, "grpc_proxy": PROXY}, "grpc_proxy"),
        ({"http_proxy": PROXY, "no_proxy": "other.example"}, "http_proxy"),
        ({"http_proxy": PROXY, "no_proxy": "a.example, chat.example.org"}, ""),
        ({"http_proxy": PROXY, "no_proxy": ".example.org"}, ""),
        ({"http_proxy": PROXY, "no_proxy": "chat.example.org", "no_grpc_proxy": "x"}, "http_proxy"),
        ({"HTTP_PROXY": PROXY}, ""),
    ],
)
def test_the_right_variable_counts(environment: dict[str, str], variable: str) -> None:
    assert proxy_variable("chat.example.org:50051", environment) == variable
