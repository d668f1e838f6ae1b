"""The parser's tables, made of its grammar by Lark: `python -m tests.grammar_tables`, which `make format` runs.

Lark works out the LALR(1) automaton of `grammar.lark`, for which it needs 0.1 s. `grammar.json` keeps
what comes of it, so that a command starts without Lark. The same grammar gives the same file,
whatever the machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from lark import Lark, Token, lexer
from lark.grammar import Rule
from lark.lexer import TerminalDef

from pipeline.language.automaton import find_reserved
from pipeline.language.tables import TABLES_FILE, Tables

GRAMMAR_FILE = TABLES_FILE.with_suffix(".lark")


def make_lark(*, strict: bool = False) -> Lark:
    """Return Lark's own parser of the grammar. A strict one refuses a grammar with ambiguities."""
    # Where interegular is installed, Lark compares all terminals with each other, which takes 0.4 s.
    lexer.has_interegular = strict
    return Lark(
        GRAMMAR_FILE.read_text("utf-8"),
        parser="lalr",
        lexer="contextual",
        start="program",
        keep_all_tokens=True,
        maybe_placeholders=False,
        lexer_callbacks={"NAME": mark_reserved},
        strict=strict,
    )


def mark_reserved(token: Token) -> Token:
    """Give what cannot be a name its own type; Lark asks about each NAME that is no keyword where it stands."""
    return token.update(type=find_reserved(token))


def make_tables(lark: Lark) -> Tables:
    """Return what the parser needs of Lark's; ValueError if the grammar has what it does not know."""
    parser = lark.serialize()["parser"]
    terminals = sorted(lark.terminals, key=rank)
    tables = Tables(
        patterns={item.name: item.pattern.to_regexp() for item in terminals if not is_word(item)},
        words={item.pattern.value: item.name for item in terminals if is_word(item)},
        ignored=sorted(parser["lexer_conf"]["ignore"]),
        rules=[(str(rule.origin.name), len(rule.expansion), name_method(rule)) for rule in lark.rules],
        rows=list(make_rows(lark.rules, parser["parser"])),
    )
    for row in tables.rows:
        if "NAME" not in row and row.keys() & tables.words.values():
            raise ValueError(f"a keyword would not be found where a NAME cannot stand: {sorted(row)}")
    return tables


def rank(terminal: TerminalDef) -> tuple[int, int, int, str]:
    """Return the place of a terminal in the order in which they are tried (Lark's documents, "Grammar Reference")."""
    return -terminal.priority, -terminal.pattern.max_width, -len(terminal.pattern.value), terminal.name


def is_word(terminal: TerminalDef) -> bool:
    return terminal.pattern.value.isidentifier()


def name_method(rule: Rule) -> str:
    """Return the name of the builder's method for a rule, or nothing where none is needed."""
    name = str(rule.alias or rule.origin.name)
    if name.startswith("_"):
        return ""
    if rule.alias or not rule.options.expand1:
        return name
    if len(rule.expansion) > 1:
        raise ValueError(f"{rule}: an alternative of several parts needs a name, written `-> name`")
    return ""


def make_rows(rules: Sequence[Rule], automaton: Mapping[str, Any]) -> Iterator[dict[str, int]]:
    """Yield the states in the order in which they are met: Lark's own numbers differ from run to run."""
    states: Mapping[int, Mapping[int, tuple[int, Any]]] = automaton["states"]
    symbols: Mapping[int, str] = automaton["tokens"]
    rule_numbers = {spell_rule(rule.serialize()): number for number, rule in enumerate(rules)}
    numbers = {automaton["start_states"]["program"]: 0}
    pending = list(numbers)
    for state in pending:
        row = {}
        for symbol, (is_rule, target) in sorted((symbols[key], action) for key, action in states[state].items()):
            if is_rule:
                row[symbol] = ~rule_numbers[spell_rule(target)]
                continue
            if target not in numbers:
                numbers[target] = len(numbers)
                pending.append(target)
            row[symbol] = numbers[target]
        # Behind a whole program Lark stops. Here the end of the text is a token like any other.
        yield row if state != automaton["end_states"]["program"] else {"$END": 0}


def spell_rule(rule: Mapping[str, Any]) -> str:
    """Return a text that no other rule has."""
    return " ".join([rule["origin"]["name"], *(symbol["name"] for symbol in rule["expansion"])])


def spell_tables(tables: Tables) -> str:
    """Return the text of `grammar.json`: a line for each terminal, rule and state."""
    parts = []
    for field in fields(tables):
        value = getattr(tables, field.name)
        if isinstance(value, Mapping):
            lines = [f"{json.dumps(key)}: {json.dumps(item)}" for key, item in value.items()]
            opening, closing = "{}"
        else:
            lines = [json.dumps(item) for item in value]
            opening, closing = "[]"
        parts.append(f'"{field.name}": {opening}\n  ' + ",\n  ".join(lines) + f"\n{closing}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    TABLES_FILE.write_text(spell_tables(make_tables(make_lark())), "utf-8")
