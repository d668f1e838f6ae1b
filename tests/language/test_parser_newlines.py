"""Where newlines and comments may stand in a program, and which of them end a statement."""

from __future__ import annotations

import pytest

from tests.language.shown_programs import is_valid, show_program


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "# nothing",
        "# nothing\n",
        "counter a counter b /x/ { stop }",
        "counter c counter d by k\n/x/ { stop } /y/ { del d[1] } /z/ { c++\n}\n",
        "c++",
        "c++ # note",
        "c++ # note\n",
        "c++ # note\n\n",
        "c++ # note\n# another\nc++\n",
        "c++ # note\n  # another\n\n  c++\n",
        "/x/ {\n  c++ # note\n}\n",
        "/x/ {\n  c++ # note\n\n}\n",
        "/x/ {\n  c++ # note\n  /y/ {\n  }\n}\n",
        "/x/ # note\n{\n}\n",
        "/x/ # note\n&& /y/ {\n}\n",
        "/x/ { # note\n}\n",
        "/x/ {\n} # note\nelse # note\n{\n}\n",
        "def d # note\n{\n}\n@d # note\n{\n}\n",
        "otherwise # note\n{\n}\nbegin # note\n{\n}\n",
        'counter c by a, # first\n  b # then\n  as # note\n  "d" # note\n  limit # note\n  5\n',
        "hidden # note\n counter # note\n c\n",
        'c["1", # one\n  "2"]++\n',
        "c[ # note\n 1 # note\n ] # note\n [2]++\n",
        'g = len( # note\n "x" # note\n )\n',
        "g = 1 +\n  2\n",
        "g =\n  1\n",
        "g = 1 + # note\n  2\n",
        "g = 1 + # note\n\n  2\n",
        "g = 1 + # note\n  # another\n  2\n",
        "g = 1 +\n  # note\n  2\n",
        "g = ( # note\n 1 # note\n + 2 )\n",
        "g = 1 # note\n - 2\n",
        "$1 =~\n/x/ {\n}\n",
        "/x/ &&\n$1 == 2 ||\n$1 < 3 {\n}\n",
        "const X\n/x/ +\n/y/\n",
        "const X # note\n/x/ # note\n+ # note\n/y/\n",
        "del c[1] # note\nafter # note\n1h\n",
        'log_filter # note\n"a", # note\n"b"\n',
        "c++\r\n/x/ {\r\n  c++\r\n}\r\n",
        '/x/ {\n  5\n  "x"\n  $1\n  foo\n  len("x")\n  (a + 1)\n  -5\n}\n',
        "a # note\n-1\n",
        "a\u00a0=\u30001\u2028\n",
    ],
)
def test_text_is_valid(text: str) -> None:
    """Newlines and comments may stand where the specification allows them (section 3.3)."""
    assert is_valid(text)


@pytest.mark.parametrize(
    "text",
    [
        "/x/ { c++ }",
        "g = 1 +\n\n  2\n",
        "g = 1 +\n  # note\n\n  2\n",
        "g =\n\n1\n",
        "/x/\n{\n}\n",
        "/x/ {\n}\nelse {\n}\n",
        "g = 1\n+ 2\n",
        "g = (1\n)\n",
        "c[1\n]++\n",
        "c[1,\n2]++\n",
        "counter c by a,\nb\n",
        "counter\nc\n",
        "g = $1 -1\n",
        "g = 5-1\n",
        "a b\n",
        "g = a # note\n b\n c d\n",
    ],
)
def test_text_is_invalid(text: str) -> None:
    """Newlines end statements, and may not stand elsewhere."""
    assert not is_valid(text)


def test_comment_ends_a_statement_if_the_next_line_begins_one() -> None:
    """Its newline counts where one is needed, and nowhere else (section 3.3)."""
    assert show_program("g = a # note\n/x/ {\n}\n") == ["g = a", "/x/ {}"]
    assert show_program("g = a # note\n+ b\n") == ["g = (a + b)"]
    assert show_program("g = a # note\nelsewhere++\n") == ["g = a", "(elsewhere++)"]


def test_number_sign_in_a_pattern_or_string_is_no_comment() -> None:
    """Neither is a space at the beginning of a pattern left out."""
    assert show_program('/ # x/ {\n}\nt = " # x"\n') == ["/ # x/ {}", 't = " # x"']
