"""Says which package is missing when a flag needs one of chatbooth's extras."""

from __future__ import annotations


class ExtraMissing(Exception):
    """A flag needs a package that is not installed. The text says which one, and how to install it."""

    def __init__(self, flag: str, package: str, extra: str) -> None:
        super().__init__(
            f"{flag} needs the package {package}: install it with pip install {package}, or with "
            f"pip install '.[{extra}]' in a clone of chatbooth"
        )
