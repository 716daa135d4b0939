"""A search of many names at once finds the same as a search of each name by itself."""

from __future__ import annotations

import time
from itertools import product

import pytest
import re2
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from chatbooth_grpc.booth import name_search
from chatbooth_grpc.booth.errors import InvalidPattern
from chatbooth_grpc.booth.name_search import MAX_PATTERN_SIZE, NameSearch

FIRST, FURTHER = "abks01", "abks01_.-"
NAMES = st.lists(
    st.builds(str.__add__, st.sampled_from(FIRST), st.text(FURTHER, max_size=5)) | st.text(FURTHER, min_size=1),
    min_size=1,
    max_size=12,
)

ATOMS = [
    *("a", "b", "k", "S", "0", "_", "-", r"\.", ".", "", "ab", "\u017f", "\u212a", "é", " ", "\n", "%s", "]", "}"),
    *("^", "$", r"\A", r"\z", r"\b", r"\B", r"\n", r"\x0a", r"\012", r"\r", r"\s", r"\S", r"\d", r"\D", r"\w", r"\W"),
    *("[a-k]", "[^a]", "[^a-z]", "[^\\n]", "[\\n]", "[\\na]", r"[\s\S]", r"[^\s]", r"[^\S]", r"[\x00-\x7f]", "[^-_.]"),
    *("[[:space:]]", "[[:^space:]]", "[[:^alpha:]]", "[[:cntrl:]]", r"[^[:^cntrl:]]", "[]a]", "[^]a]", r"[\Aa]"),
    *(r"\pL", r"\PL", r"\p{Greek}", r"\P{Greek}", r"[^\pL]", r"\p{^Lu}", r"\pC", r"\PN", r"[^\PC]", r"\p{Any}"),
    *(r"\C", r"\Qa.b\E", r"\Q.", r"\Q^", r"\Q\E", r"\\A", r"\\z", r"\\C", r"\\Q", r"\\", r"\E", r"\Z", r"\G"),
    *("(?m)", "(?-m)", "(?s)", "(?i)", "(?-i)", "(?U)", "(?-s)", "(?ims-U)", "(?i-m)", "(?s-im)", "(?-U)"),
    *("(?-m:^)", "(?s:.)", "(?m:$)", "(?-i:A)", "(?s-m:a$)", "(?P<n>a)", "(?<m>b)", "(?#c)", "(?=a)", r"\1"),
    *("(", ")", "|", ")(", "a)(b", "[", "*", "+", "?", "{2}", "{1,2}", "{,2}", "{", "a{1", "\\"),
]


def combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    repeats = ["*", "+", "?", "*?", "+?", "??", "{2}", "{0,2}", "{1,}?", "{0}"]
    groups = ["(%s)", "(?:%s)", "(?P<x>%s)", "(?i:%s)", "(?-i:%s)", "(?s:%s)", "(?m:%s)", "(?-m:%s)", "(?U:%s)"]
    return (
        st.lists(inner, min_size=2, max_size=4).map("".join)
        | st.lists(inner, min_size=2, max_size=3).map("|".join)
        | st.builds(lambda group, within: group.replace("%s", within), st.sampled_from(groups), inner)
        | st.builds(lambda within, repeat: f"(?:{within}){repeat}", inner, st.sampled_from(repeats))
        | st.builds(str.__add__, inner, st.sampled_from(repeats))
    )


PATTERNS = st.recursive(st.sampled_from(ATOMS), combined, max_leaves=8) | st.text(
    "ab01_.-^$|()[]{}?*+\\AzCQEbBnsSdDwWpPLmiU:<>,=!#% \n", max_size=12
)


def found_one_by_one(pattern: str, names: list[str]) -> list[str]:
    """The definition: an unanchored search of each name, which ignores case. Raises re2.error."""
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    compiled = re2.compile(pattern, options)
    return [name for name in names if compiled.search(name)]


def found(pattern: str, names: list[str]) -> list[str]:
    search = NameSearch(pattern)
    return [name for piece in search.pieces("\n".join(names).encode()) for name in search.find(piece)]


@settings(max_examples=1_000)
@given(PATTERNS, NAMES)
@example("a\nb", ["a", "b"])
@example(r"a\C*b", ["a", "b"])
@example(r"\Qa", ["b", "a"])
@example("(?-m)^b$", ["a", "b", "a"])
@example("(?-m:^b)", ["a", "b", "a"])
@example("(?is-Um)b$", ["a", "b", "a"])
@example("a)(b", ["ab"])
@example("a)|(?:b", ["ab"])
def test_lines_are_found_as_names_are_by_themselves(pattern: str, names: list[str]) -> None:
    try:
        expected = found_one_by_one(pattern, names)
    except re2.error:
        with pytest.raises(InvalidPattern):
            NameSearch(pattern)
    else:
        assert found(pattern, names) == expected


@settings(max_examples=300)
@given(PATTERNS, NAMES)
def test_name_by_name_finds_the_same(pattern: str, names: list[str]) -> None:
    """The search name by name, which the exceptions need, is right for every pattern."""
    try:
        expected = found_one_by_one(pattern, names)
    except re2.error:
        assume(False)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(name_search, "_compiled_for_lines", lambda pattern: None)
        assert found(pattern, names) == expected


@pytest.mark.parametrize("atom", ATOMS)
def test_nothing_reaches_over_the_end_of_a_name(atom: str) -> None:
    """Try each atom of a pattern between the characters of each pair of short names."""
    short = ["a", "b", "ab", "-", "a-", "-b"]
    names = [name for pair in product(short, repeat=2) for name in pair]
    for pattern in (f"a{atom}b", f"a{atom}+b", f"({atom})", f"^{atom}*$", f"-{atom}{{0,3}}-", f"b{atom}"):
        try:
            expected = found_one_by_one(pattern, names)
        except re2.error:
            continue
        assert found(pattern, names) == expected, pattern


@pytest.mark.parametrize(
    "pattern", ["", "a", "^a", "0$", "[13579]$", "^$", r"\A.*7", "x*", "(?-m)^a1", ".{12}", "never"]
)
@pytest.mark.parametrize("size", [1, 2, 5_000])
def test_pieces_hold_every_name_once_and_whole(pattern: str, size: int) -> None:
    names = sorted(f"a{number:0{number % 30 + 1}}" for number in range(size))
    joined = "\n".join(names).encode()
    pieces = list(NameSearch(pattern).pieces(joined))
    assert b"\n".join(pieces) == joined
    assert len(pieces) > 1 or size < 5_000
    assert found(pattern, names) == found_one_by_one(pattern, names)


def test_the_heavier_a_pattern_the_smaller_its_pieces() -> None:
    names = "\n".join(["0123456789"] * 5_000).encode()
    light, heavy, heaviest = (
        max(map(len, NameSearch(pattern).pieces(names))) for pattern in ("a", "(.?){300}!", "(.?){1000}" * 8 + "!")
    )
    assert 10 <= heaviest < 100 < heavy < 2_000 < light < 50_000


def test_a_million_names_take_less_than_a_second_of_searching() -> None:
    names = "\n".join(f"user{number:07}" for number in range(200_000)).encode()
    for pattern in ("99999$", ".", "[02468]$"):
        search = NameSearch(pattern)
        started = time.thread_time()
        count = sum(len(search.find(piece)) for piece in search.pieces(names))
        assert time.thread_time() - started < 0.2 * 3, "three times that, on a busy machine"
        assert count in (2, 200_000, 100_000)


@pytest.mark.parametrize("pattern", ["(", "[", "a{1001}", "*a", r"(?=x)", r"\1", "a**b)", "\\", "é(" * 300, "a)(b"])
def test_an_ill_formed_pattern_is_refused_in_re2s_words(pattern: str) -> None:
    with pytest.raises(InvalidPattern) as refusal:
        NameSearch(pattern)
    assert refusal.value.field == "pattern"
    assert refusal.value.problem


def test_patterns_have_a_size_in_bytes() -> None:
    NameSearch("a" * MAX_PATTERN_SIZE)
    NameSearch("é" * (MAX_PATTERN_SIZE // 2))
    for pattern in ("a" * (MAX_PATTERN_SIZE + 1), "é" * (MAX_PATTERN_SIZE // 2) + "a"):
        with pytest.raises(InvalidPattern):
            NameSearch(pattern)


@pytest.mark.parametrize(
    ("pattern", "name", "finds"),
    [
        ("NN", "ann", True),
        ("^nn", "ann", False),
        (".", "a.b", True),
        (r"\.", "ann", False),
        ("(?i)ANN", "ann", True),
        ("(?-i)ANN", "ann", False),
        ("", "ann", True),
    ],
)
def test_patterns_are_searched_for_ignoring_case(pattern: str, name: str, *, finds: bool) -> None:
    assert found(pattern, [name]) == ([name] if finds else [])
