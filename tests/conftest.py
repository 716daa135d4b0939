"""Settings for all tests."""

from __future__ import annotations

import importlib.util

# With requirements.txt alone, hypothesis is missing. The tests that do without it run anyway.
if importlib.util.find_spec("hypothesis"):
    from hypothesis import settings

    # An example takes any time on a busy machine. The timeout of a test finds an example that never ends.
    settings.register_profile("patient", deadline=None)
    settings.load_profile("patient")
