"""What the parser of patterns accepts, what it makes of it, and what it says about mistakes."""

from __future__ import annotations

import pytest

from pipeline.language.patterns import PatternError, parse_pattern
from pipeline.language.patterns.tree import (
    Alternate,
    Anchor,
    Assertion,
    Capture,
    CharClass,
    Concat,
    Empty,
    Literal,
    Node,
    Repeat,
)

A, B = Literal("a"), Literal("b")
BEGIN = Assertion(Anchor.BEGIN_TEXT)
A_STAR = Repeat(A, 0, None)
B_OR_C_STAR = Alternate((Repeat(B, 0, None), Repeat(Literal("c"), 0, None)))


def test_long_unions_of_ranges_stay_ascending() -> None:
    """A class in any order becomes sorted ranges that do not touch."""
    assert parse_pattern("[zx-yb-da]").root == CharClass(((0x61, 0x64), (0x78, 0x7A)))


@pytest.mark.parametrize(
    ("text", "root"),
    [
        ("", Empty()),
        ("()", Capture(Empty(), 1)),
        ("abc", Literal("abc")),
        ("ab*", Concat((A, Repeat(B, 0, None)))),
        ("(?:ab)*", Repeat(Literal("ab"), 0, None)),
        ("a(?:bc)d", Literal("abcd")),
        ("(?:a(?:b*c))", Concat((A, Repeat(B, 0, None), Literal("c")))),
        ("a|b|cd", Alternate((CharClass(((0x61, 0x62),)), Literal("cd")))),
        ("|a", Alternate((Empty(), A))),
        ("a||b", Alternate((A, Empty(), B))),
        ("a|||b", Alternate((A, Empty(), B))),
        ("a|a", A),
        ("(a|b)", Capture(CharClass(((0x61, 0x62),)), 1)),
        ("(?:ab|cd)|(?:ef|gh)", Alternate((Literal("ab"), Literal("cd"), Literal("ef"), Literal("gh")))),
        ("12|13", Concat((Literal("1"), CharClass(((0x32, 0x33),))))),
        ("12|1", Concat((Literal("1"), Alternate((Literal("2"), Empty()))))),
        ("abc|abd|x", Alternate((Concat((Literal("ab"), CharClass(((0x63, 0x64),)))), Literal("x")))),
        (r"\d\d|\d", Concat((CharClass(((0x30, 0x39),)), Alternate((CharClass(((0x30, 0x39),)), Empty()))))),
        (r"\d{2}a|\d{2}b", Concat((Repeat(CharClass(((0x30, 0x39),)), 2, 2), CharClass(((0x61, 0x62),))))),
        ("a*b|a*c", Alternate((Concat((Repeat(A, 0, None), B)), Concat((Repeat(A, 0, None), Literal("c")))))),
        ("(?i:a)b|ac", Alternate((Concat((Literal("A", True), B)), Literal("ac")))),
        ("ab*|a", Concat((A, Alternate((Repeat(B, 0, None), Empty()))))),
        ("a^b|a^c", Concat((A, Alternate((Concat((BEGIN, B)), Concat((BEGIN, Literal("c")))))))),
        (
            "xa*|xyb*|xyc*",
            Concat((Literal("x"), Alternate((A_STAR, Concat((Literal("y"), B_OR_C_STAR)))))),
        ),
        ("(a)|(a)", Alternate((Capture(A, 1), Capture(A, 2)))),
        ("(?P<n>a)(?<m>b)", Concat((Capture(A, 1, "n"), Capture(B, 2, "m")))),
        ("(?P<1>a)", Capture(A, 1, "1")),
        ("^*", Repeat(Assertion(Anchor.BEGIN_TEXT), 0, None)),
        ("$?", Repeat(Assertion(Anchor.END_TEXT), 0, 1)),
        (r"\b+", Repeat(Assertion(Anchor.WORD_EDGE), 1, None)),
        (r"\A\z\B", Concat(tuple(map(Assertion, (Anchor.BEGIN_TEXT, Anchor.END_TEXT, Anchor.NO_WORD_EDGE))))),
        ("(?m)^$", Concat((Assertion(Anchor.BEGIN_LINE), Assertion(Anchor.END_LINE)))),
        ("(x*)*", Repeat(Capture(Repeat(Literal("x"), 0, None), 1), 0, None)),
        ("a*(?i)*", Repeat(Repeat(A, 0, None), 0, None)),
        ("a{2}", Repeat(A, 2, 2)),
        ("a{2,}?", Repeat(A, 2, None, greedy=False)),
        ("a{0,1000}", Repeat(A, 0, 1000)),
        ("(?U)a+a+?", Concat((Repeat(A, 1, None, greedy=False), Repeat(A, 1, None)))),
        ("a{,3}", Literal("a{,3}")),
        ("a{", Literal("a{")),
        ("a{02}", Literal("a{02}")),
        ("a{1,02}", Literal("a{1,02}")),
        ("{", Literal("{")),
        ("(?)", Empty()),
        ("(?i)", Empty()),
        ("a(?i)b", Concat((A, Literal("B", True)))),
        ("((?i)a)b", Concat((Capture(Literal("A", True), 1), B))),
        ("(?i-i:a)", A),
        ("(?-i)a", A),
        (".", CharClass(((0, 9), (11, 0x10FFFF)))),
        ("(?s).", CharClass(((0, 0x10FFFF),))),
        (r"\Qa+b\E+", Concat((Literal("a+"), Repeat(B, 1, None)))),
        (r"\Qa(", Literal("a(")),
        (r"\Q\Eb", B),
        (r"\0", Literal("\0")),
        (r"\061\12\1011", Literal("1\nA1")),
        (r"\777", Literal("\u01ff")),
        (r"\x41\x{20ac}\x{0000041}", Literal("A€A")),
        (r"\a\f\t\n\r\v", Literal("\a\f\t\n\r\v")),
        (r"\.\-\ \_\/\"", Literal('.- _/"')),
        ("[]a]", CharClass(((0x5D, 0x5D), (0x61, 0x61)))),
        ("[^]a]", CharClass(((0, 0x5C), (0x5E, 0x60), (0x62, 0x10FFFF)))),
        ("[a-]", CharClass(((0x2D, 0x2D), (0x61, 0x61)))),
        ("[-a]", CharClass(((0x2D, 0x2D), (0x61, 0x61)))),
        (r"[\d-z]", CharClass(((0x2D, 0x2D), (0x30, 0x39), (0x7A, 0x7A)))),
        ("[a]", A),
        ("[aA]", Literal("A", True)),
        ("(?i)[k]", CharClass(((0x4B, 0x4B), (0x6B, 0x6B), (0x212A, 0x212A)))),
        ("(?i)1", Literal("1", True)),
        ("[[:digit:]x]", CharClass(((0x30, 0x39), (0x78, 0x78)))),
        ("[[:^ascii:]]", CharClass(((0x80, 0x10FFFF),))),
        ("[:alph]", CharClass(((0x3A, 0x3A), (0x61, 0x61), (0x68, 0x68), (0x6C, 0x6C), (0x70, 0x70)))),
        ("[[:alpha]", CharClass(((0x3A, 0x3A), (0x5B, 0x5B), (0x61, 0x61), (0x68, 0x68), (0x6C, 0x6C), (0x70, 0x70)))),
        (r"\s", CharClass(((0x09, 0x0A), (0x0C, 0x0D), (0x20, 0x20)))),
        (r"\D", CharClass(((0, 0x2F), (0x3A, 0x10FFFF)))),
        (r"[\W\w]", CharClass(((0, 0x10FFFF),))),
    ],
)
def test_pattern_becomes_this_tree(text: str, root: Node) -> None:
    """Each construct of the language, with what normalisation makes of it."""
    assert parse_pattern(text).root == root


def test_lone_surrogate_can_be_written_although_no_subject_has_it() -> None:
    """Go accepts it too."""
    assert parse_pattern(r"[\x{d800}]a").root == Literal("\ud800a")


def test_names_are_kept_in_the_order_of_the_groups() -> None:
    """A group without a name has its place; the same name twice is for the checker to report."""
    assert parse_pattern("(a)(?P<x>b(?P<x>c))").names == (None, "x", "x")


HELP_FLAGS = "the flags are i, m, s and U, as in `(?i)` and `(?i-s:…)`"
HELP_STACKED = "put what is repeated into `(?:…)`, or write a backslash before the character"
HELP_HEX = r"write two hexadecimal digits, `\x41`, or up to `10ffff` in braces, `\x{20ac}`"
HELP_NAME = "a name consists of letters, digits and `_`"
NOT_PART = "is not part of the pattern language"


@pytest.mark.parametrize(
    ("text", "guilty", "message", "help"),
    [
        (
            "x(?=a)",
            "(?=",
            f"look-ahead {NOT_PART}",
            "match what follows as well, or test for it with a pattern of its own",
        ),
        ("(?!a)", "(?!", f"look-ahead {NOT_PART}", "test what must not follow with a pattern of its own and `!~`"),
        (
            "(?<=a)",
            "(?<=",
            f"look-behind {NOT_PART}",
            "match what precedes as well, and capture what you need in a group",
        ),
        ("(?<!a)", "(?<!", f"look-behind {NOT_PART}", "test what must not precede with a pattern of its own and `!~`"),
        ("(?>a)", "(?>", f"atomic grouping {NOT_PART}", "write `(?:…)`; a search takes linear time anyway"),
        ("(?#a)", "(?#", f"a comment {NOT_PART}", "put it after a `#` outside of the pattern"),
        ("(?P=n)", "(?P=", f"a backreference {NOT_PART}", "capture both texts and compare them"),
        (
            "(?P>n)",
            "(?P>",
            f"a call of a group {NOT_PART}",
            "give the group's text a name with `const` and paste it with `+`",
        ),
        ("(?(1)a)", "(?(", f"a condition {NOT_PART}", "write both cases as branches, `(?:…|…)`"),
        ("(?|a)", "(?|", f"a branch reset {NOT_PART}", "write `(?:…|…)`; each group has a number of its own"),
        ("a(?x)b", "(?x", "`x` is not a flag", HELP_FLAGS),
        ("(?in:a)", "(?in", "`n` is not a flag", HELP_FLAGS),
        ("(?i-)", "(?i-)", "`(?i-)` is invalid", HELP_FLAGS),
        ("(?--i)", "(?--", "`(?--` is invalid", HELP_FLAGS),
        ("a(?i", "(?", "`(?` is not closed", "write `(?i)`, `(?:…)` or `(?P<name>…)`"),
        ("(?P<n", "(?P<n", "the name of this group has no closing `>`", "write `(?P<name>…)`"),
        ("(?P<a-b>x)", "(?P<a-b>", "`a-b` cannot name a group", HELP_NAME),
        ("(?<>x)", "(?<>", "the name of this group is empty", HELP_NAME),
        (
            r"(a)\1",
            r"\1",
            "backreferences are not part of the pattern language",
            r"capture both texts and compare them; the character itself is written `\x01`",
        ),
        (
            r"\8",
            r"\8",
            "backreferences are not part of the pattern language",
            r"capture both texts and compare them; the character itself is written `\x08`",
        ),
        (r"\C", r"\C", r"`\C` has no meaning in a pattern", "a pattern matches characters; write `.` or `(?s:.)`"),
        (r"\Z", r"\Z", r"`\Z` has no meaning in a pattern", "write `$`"),
        (
            r"\G",
            r"\G",
            r"`\G` has no meaning in a pattern",
            "a search always begins at the start of the text; write `^`",
        ),
        (r"\e", r"\e", r"`\e` has no meaning in a pattern", r"write `\x1b`"),
        (r"\h", r"\h", r"`\h` has no meaning in a pattern", r"write `[ \t]`"),
        (r"\R", r"\R", r"`\R` has no meaning in a pattern", r"write `\r?\n`"),
        (r"\N", r"\N", r"`\N` has no meaning in a pattern", "write `.`"),
        (
            r"\u0041",
            r"\u",
            r"`\u` has no meaning in a pattern",
            r"write the character by its number, such as `\x{20ac}`",
        ),
        (r"\cA", r"\c", r"`\c` has no meaning in a pattern", r"write the character by its number, such as `\x01`"),
        (r"\y", r"\y", r"`\y` has no meaning in a pattern", ""),
        (r"\ä", r"\ä", r"`\ä` has no meaning in a pattern", "write `ä` without the backslash"),
        (r"[a\b]", r"\b", r"`\b` has no meaning in a pattern", r"a backspace is written `\x08`"),
        ("a\\", "\\", "a pattern cannot end with a backslash", r"a backslash itself is written `\\`"),
        ("(a", "(", "`(` is not closed", r"a parenthesis itself is written `\(`"),
        ("a)b", ")", "`)` closes nothing", r"the character itself is written `\)`"),
        ("x[a", "[", "`[` is not closed", r"the character itself is written `\[`"),
        ("x[a-", "[", "`[` is not closed", r"the character itself is written `\[`"),
        ("[]", "[", "`[` is not closed", r"the character itself is written `\[`"),
        (
            "[z-a]",
            "z-a",
            "the range `z-a` is in the wrong order",
            "write the smaller character first; a `-` itself stands first or last in the class",
        ),
        (r"[a-\d]", r"\d", r"`\d` has no meaning in a pattern", ""),
        ("a**", "**", "`*` repeats a repetition", HELP_STACKED),
        ("a*+", "*+", "`+` repeats a repetition", HELP_STACKED),
        ("a{2}{3}", "{2}{3}", "`{3}` repeats a repetition", HELP_STACKED),
        ("a???", "???", "`?` repeats a repetition", HELP_STACKED),
        ("+a", "+", "`+` has nothing to repeat", r"the character itself is written `\+`"),
        ("(*a)", "*", "`*` has nothing to repeat", r"the character itself is written `\*`"),
        ("a|?", "?", "`?` has nothing to repeat", r"the character itself is written `\?`"),
        ("a{1001}", "{1001}", "a count in braces can be at most 1000", "write fewer, or `*` or `+` for any number"),
        (
            "a{2,99999999999999}",
            "{2,99999999999999}",
            "a count in braces can be at most 1000",
            "write fewer, or `*` or `+` for any number",
        ),
        ("a{3,2}", "{3,2}", "the counts in `{3,2}` are in the wrong order", "write `{2,3}`"),
        (
            "(a{100}){11}",
            "{11}",
            "the counts in braces around each other multiply to 1,100",
            "they may multiply to 1,000",
        ),
        (
            "[[:foo:]]",
            "[:foo:]",
            "`[:foo:]` is not a class of characters",
            "the names are `alnum`, `alpha`, `ascii`, `blank`, `cntrl`, `digit`, `graph`, `lower`, `print`, `punct`, "
            "`space`, `upper`, `word`, `xdigit`",
        ),
        (
            r"\p{Foo}",
            r"\p{Foo}",
            r"`\p{Foo}` is not a class of characters",
            r"write a category, such as `\pL` or `\p{Lu}`, or a script, such as `\p{Greek}`",
        ),
        (
            r"\pX",
            r"\pX",
            r"`\pX` is not a class of characters",
            r"write a category, such as `\pL` or `\p{Lu}`, or a script, such as `\p{Greek}`",
        ),
        (r"\p{L", r"\p{", r"`\p{` has no closing `}`", r"write `\p{Greek}`"),
        (r"\x{110000}", r"\x{110000}", r"`\x{110000}` is not a character", HELP_HEX),
        (r"\x{41", r"\x{41", r"`\x{41` is not a character", HELP_HEX),
        (r"\x{}", r"\x{}", r"`\x{}` is not a character", HELP_HEX),
        (r"\x4", r"\x4", r"`\x4` is not a character", HELP_HEX),
        (r"\xg1", r"\xg1", r"`\xg1` is not a character", HELP_HEX),
        (
            "(" * 1100 + ")" * 1100,
            "(" * 1100 + ")" * 1100,
            "the pattern is nested too deep",
            "split it into several patterns",
        ),
        (
            "(?:[a-z]{999}x){1}" * 1100,
            "(?:[a-z]{999}x){1}" * 1100,
            "the pattern is too large when its counts are written out",
            "lower the counts in braces",
        ),
    ],
)
def test_mistake_is_named_where_it_is(text: str, guilty: str, message: str, help: str) -> None:
    """The message, the smallest guilty text, and what to write instead."""
    with pytest.raises(PatternError) as caught:
        parse_pattern(text)
    error = caught.value
    assert (error.message, text[error.start : error.end], error.help) == (message, guilty, help)


def test_nesting_up_to_the_limit_is_read() -> None:
    """Depth costs no Python stack."""
    assert parse_pattern("(" * 990 + "a" + ")" * 990).root.height == 991
    assert parse_pattern("(?:" * 5000 + "a" + ")" * 5000).root == A


def test_branches_that_share_ever_more_text_are_read() -> None:
    """Factoring stops at a depth of its own."""
    text = "|".join("a" * count for count in range(1, 300))
    assert parse_pattern(text).root.height > 50


def test_product_of_counts_may_be_a_thousand() -> None:
    """`{0}` and `*` do not count."""
    assert parse_pattern("((a{10}){10}){10}").root.nesting == 1000
    assert parse_pattern("((a{1000})*){0}").root.nesting == 1000
