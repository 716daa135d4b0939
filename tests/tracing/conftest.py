"""Leaves out the tests whose library is an extra that is not installed."""

from __future__ import annotations

from importlib.util import find_spec

_NEED_IT = ["test_describing.py", "test_exporting.py", "test_observer.py", "test_sampling.py", "test_spans.py"]

collect_ignore = [] if find_spec("opentelemetry") else _NEED_IT
