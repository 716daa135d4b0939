"""Settings for all tests."""

from __future__ import annotations

import importlib.util
import signal

# A shell that starts a program in the background lets it ignore SIGINT. Then no test could interrupt its own process.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# With requirements.txt alone, hypothesis is missing. The tests that do without it run anyway.
if importlib.util.find_spec("hypothesis"):
    from hypothesis import settings

    # An example takes any time on a busy machine. The timeout of a test finds an example that never ends.
    settings.register_profile("patient", deadline=None)
    settings.load_profile("patient")
