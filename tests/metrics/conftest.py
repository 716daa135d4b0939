"""Leaves out the tests whose library is an extra that is not installed."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore = [] if find_spec("prometheus_client") else ["test_endpoint.py", "test_exposition.py"]
