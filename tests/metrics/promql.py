"""Reads which metrics and labels a PromQL expression names."""

from __future__ import annotations

import re
from typing import NamedTuple

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_RANGE = re.compile(r"\[[^\]]*\]")
_SELECTOR = re.compile(r"([A-Za-z_:][\w:]*)\s*\{([^}]*)\}")
_LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_NAME = re.compile(r"\b[A-Za-z_:][\w:]*\b(?!\s*\()")
_WORDS = {"by", "without", "on", "ignoring", "group_left", "group_right", "or", "and", "unless", "bool", "offset"}


class Expression(NamedTuple):
    """The names in an expression."""

    series: set[str]
    # The labels that it asks of each series.
    selected: dict[str, set[str]]
    # The labels by which it groups or matches.
    grouped: set[str]


def read(text: str) -> Expression:
    """Return the names in an expression."""
    rest = _RANGE.sub("", _STRING.sub("", text))
    selected: dict[str, set[str]] = {}
    for name, labels in _SELECTOR.findall(rest):
        selected.setdefault(name, set()).update(_LABEL.findall(labels))
    rest = re.sub(r"\{[^}]*\}", "", rest)
    grouped = {label.strip() for labels in _GROUPING.findall(rest) for label in labels.split(",") if label.strip()}
    series = set(_NAME.findall(_GROUPING.sub("", rest))) - _WORDS
    return Expression(series, selected, grouped)
