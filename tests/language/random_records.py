"""Lines that are records, nearly are, or are not: JSON in any spelling, and some of each other kind."""

from __future__ import annotations

import json

from hypothesis import strategies as st

texts = st.one_of(
    st.sampled_from(
        ["error", "error 7", "/api/users", "users", "404", "true", "level", "er ror", "err\\or", 'err"or', ""]
    ),
    st.text(max_size=6),
)
numbers = st.sampled_from(
    ["404", "404.0", "4.04e2", "0.25", "1e400", "18446744073709551616", "-0", "NaN", "true", "null"]
)


@st.composite
def spell(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> str:
    """A text as JSON, with escapes where none need be."""
    written = ""
    for char in json.dumps(draw(texts), ensure_ascii=draw(st.booleans()))[1:-1]:
        escapes = char.isalnum() and char.isascii() and not written.endswith("\\") and draw(st.integers(0, 4)) == 0
        solidus = char == "/" and draw(st.booleans())
        written += f"\\u{ord(char):04x}" if escapes else "\\/" if solidus else char
    return f'"{written}"'


names = spell(st.sampled_from(["level", "x", "a", "status", "a.level", "level.x", "type", "app"]))
values = st.one_of(spell(texts), numbers)


def extend(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.lists(st.tuples(names, values), max_size=4)
    tables = st.builds(
        lambda items, gap: "{" + f",{gap}".join(f"{key}:{gap}{value}" for key, value in items) + "}",
        pairs,
        st.sampled_from(["", " "]),
    )
    return st.one_of(tables, st.lists(values, max_size=3).map(lambda items: f"[{','.join(items)}]"))


pairs = st.builds(
    "{{{}:{}}}".format, spell(st.sampled_from(["level", "x"])), spell(st.sampled_from(["error", "users"]))
)
records = st.one_of(pairs, extend(values), extend(st.recursive(values, extend, max_leaves=6)))
other_lines = st.sampled_from(
    [
        "level=error x=error a",
        'level="\\x65rror" x="err\\or"',
        'a,error,"error"',
        '<34>1 2003-10-11T22:14:15Z host error 7 - [id level="err\\"or"] error',
        "<34>Oct 11 22:14:15 host error[7]: text",
        "<34>error",
        "a;5",
    ]
)
lines = st.one_of(
    st.one_of(records, other_lines).map(str.encode),
    st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")),
    st.tuples(st.one_of(records, other_lines).map(str.encode), st.integers(0, 60), st.binary(max_size=2)).map(
        lambda parts: (parts[0][: parts[1]] + parts[2] + parts[0][parts[1] :]).replace(b"\n", b"")
    ),
)
