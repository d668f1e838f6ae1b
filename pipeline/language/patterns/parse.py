"""Pattern text → tree: the syntax of RE2 as Go's `regexp/syntax` has it with Perl's flags (spec section 11.2).

The parser keeps a stack of its own, so that a pattern cannot exhaust Python's. What is read is pushed;
a bar or a closing parenthesis makes one node of what was pushed since the one before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import NoReturn

from pipeline.language.patterns.branches import alternate, concatenate, is_char, unite_chars
from pipeline.language.patterns.classes import (
    ANY,
    NOT_LINE_FEED,
    POSIX_CLASSES,
    fold_char,
    fold_ranges,
    negate_ranges,
    normalize_ranges,
)
from pipeline.language.patterns.escapes import read_class_escape, read_escape
from pipeline.language.patterns.size import MAX_INSTRUCTIONS, count_instructions
from pipeline.language.patterns.tree import (
    Anchor,
    Assertion,
    Capture,
    CharClass,
    CharRanges,
    Literal,
    Node,
    PatternError,
    Regex,
    Repeat,
)

MAX_COUNT = 1000
"""What Go and RE2 allow in `{n,m}`, and for the product of such counts around each other."""

MAX_HEIGHT = 1000
"""What Go allows as the height of a tree."""

COUNT = re.compile(r"\{(0|[1-9][0-9]*)(?:(,)(0|[1-9][0-9]*)?)?\}")
GROUP_NAME = re.compile(r"\(\?P?<([^>]*)>")
LOOKS = {
    "(?=": ("look-ahead", "match what follows as well, or test for it with a pattern of its own"),
    "(?!": ("look-ahead", "test what must not follow with a pattern of its own and `!~`"),
    "(?<=": ("look-behind", "match what precedes as well, and capture what you need in a group"),
    "(?<!": ("look-behind", "test what must not precede with a pattern of its own and `!~`"),
    "(?>": ("atomic grouping", "write `(?:…)`; a search takes linear time anyway"),
    "(?#": ("a comment", "put it after a `#` outside of the pattern"),
    "(?P=": ("a backreference", "capture both texts and compare them"),
    "(?P>": ("a call of a group", "give the group's text a name with `const` and paste it with `+`"),
    "(?(": ("a condition", "write both cases as branches, `(?:…|…)`"),
    "(?|": ("a branch reset", "write `(?:…|…)`; each group has a number of its own"),
}
ANCHOR_ESCAPES = {
    "A": Anchor.BEGIN_TEXT,
    "z": Anchor.END_TEXT,
    "b": Anchor.WORD_EDGE,
    "B": Anchor.NO_WORD_EDGE,
}
OPERATORS = {"*": (0, None), "+": (1, None), "?": (0, 1)}


@dataclass(frozen=True, slots=True)
class Flags:
    """The flags i, m, s and U."""

    i: bool = False
    m: bool = False
    s: bool = False
    U: bool = False


@dataclass(frozen=True, slots=True)
class Opening:
    """An open parenthesis on the stack. `flags` are those outside; number 0 is a group that captures nothing."""

    start: int
    flags: Flags
    number: int = 0
    name: str | None = None


class Bar:
    """A `|` on the stack: below it, up to the parenthesis, are branches; above it is the next one."""


def parse_pattern(text: str) -> Regex:
    """Read a pattern; PatternError says what is wrong with it and where."""
    regex = Parser(text).parse()
    if count_instructions(regex.root) > MAX_INSTRUCTIONS:
        raise PatternError(
            "the pattern is too large when its counts are written out", 0, len(text), "lower the counts in braces"
        )
    return regex


class Parser:
    """The state of reading one pattern."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.flags = Flags()
        self.stack: list[Node | Opening | Bar] = []
        self.names: list[str | None] = []
        self.repeated_from = -1

    def parse(self) -> Regex:
        while self.position < len(self.text):
            start = self.position
            repeats = self.read_token()
            self.repeated_from = start if repeats else -1
        root = self.finish_group()
        if self.stack:
            opening = self.stack[-1]
            assert isinstance(opening, Opening)
            self.fail("`(` is not closed", opening.start, opening.start + 1, "a parenthesis itself is written `\\(`")
        return Regex(self.text, root, tuple(self.names))

    def fail(self, message: str, start: int, end: int, help: str) -> NoReturn:
        raise PatternError(message, start, min(end, len(self.text)), help)

    def read_token(self) -> bool:
        """Read one token; return whether it was a repetition."""
        char = self.text[self.position]
        match char:
            case "(":
                self.read_opening()
            case ")":
                self.read_closing()
            case "|":
                self.end_branch()
                self.position += 1
            case "[":
                ranges, self.position = ClassReader(self.text, self.position, self.flags.i).read()
                self.push(CharClass(ranges))
            case "*" | "+" | "?" | "{":
                return self.read_repeat(char)
            case "\\":
                self.read_backslash()
            case "^":
                self.take(Assertion(Anchor.BEGIN_LINE if self.flags.m else Anchor.BEGIN_TEXT))
            case "$":
                self.take(Assertion(Anchor.END_LINE if self.flags.m else Anchor.END_TEXT))
            case ".":
                self.take(CharClass(ANY if self.flags.s else NOT_LINE_FEED))
            case _:
                self.position += 1
                self.push_char(ord(char))
        return False

    def take(self, node: Node) -> None:
        self.position += 1
        self.push(node)

    # Pushing

    def push_char(self, char: int) -> None:
        self.push(Literal(chr(min(fold_char(char))), True) if self.flags.i else Literal(chr(char)))

    def push(self, node: Node) -> None:
        """Push a node; two literals below it become one, for no repetition can come between them now."""
        self.join_literals()
        self.push_whole(simplify_class(node) if isinstance(node, CharClass) else node)

    def push_whole(self, node: Node) -> None:
        self.stack.append(self.check_height(node))

    def check_height(self, node: Node) -> Node:
        if node.height > MAX_HEIGHT:
            self.fail("the pattern is nested too deep", 0, len(self.text), "split it into several patterns")
        return node

    def join_literals(self) -> None:
        if len(self.stack) >= 2:
            below, top = self.stack[-2], self.stack[-1]
            if isinstance(below, Literal) and isinstance(top, Literal) and below.fold == top.fold:
                self.stack[-2:] = [Literal(below.text + top.text, below.fold)]

    def pop_nodes(self) -> list[Node]:
        """Take the nodes off the stack that stand above the last bar or parenthesis."""
        index = len(self.stack)
        while index and not isinstance(self.stack[index - 1], (Opening, Bar)):
            index -= 1
        nodes = [node for node in self.stack[index:] if not isinstance(node, (Opening, Bar))]
        del self.stack[index:]
        return nodes

    def finish_branch(self) -> bool:
        """Put the branch that ends here below the bar, if there is one."""
        self.join_literals()
        branch = concatenate(self.pop_nodes())
        if not (self.stack and isinstance(self.stack[-1], Bar)):
            self.push_whole(branch)
            return False
        before = self.stack[-2]
        assert not isinstance(before, (Opening, Bar)), "a branch stands below each bar"
        if is_char(branch) and is_char(before):
            self.stack[-2] = unite_chars(before, branch)
        else:
            self.stack.insert(-1, self.check_height(branch))
        return True

    def end_branch(self) -> None:
        if not self.finish_branch():
            self.stack.append(Bar())

    def finish_group(self) -> Node:
        """Return what was read since the last open parenthesis."""
        if self.finish_branch():
            self.stack.pop()
        return self.check_height(alternate(self.pop_nodes()))

    # Groups

    def read_opening(self) -> None:
        start = self.position
        if not self.text.startswith("(?", start):
            self.open_group(start, start + 1, None)
            return
        named = GROUP_NAME.match(self.text, start)
        for prefix in sorted(LOOKS, key=len, reverse=True):
            if self.text.startswith(prefix, start):
                what, help = LOOKS[prefix]
                self.fail(f"{what} is not part of the pattern language", start, start + len(prefix), help)
        if named is None and self.text.startswith(("(?P<", "(?<"), start):
            self.fail("the name of this group has no closing `>`", start, len(self.text), "write `(?P<name>…)`")
        if named is not None:
            name = named[1]
            if not re.fullmatch(r"[A-Za-z0-9_]+", name):
                message = f"`{name}` cannot name a group" if name else "the name of this group is empty"
                self.fail(message, start, named.end(), "a name consists of letters, digits and `_`")
            self.open_group(start, named.end(), name)
        else:
            self.read_flags(start)

    def open_group(self, start: int, end: int, name: str | None) -> None:
        self.join_literals()
        self.names.append(name)
        self.stack.append(Opening(start, self.flags, len(self.names), name))
        self.position = end

    def read_flags(self, start: int) -> None:
        """Read `(?flags)` or `(?flags:`."""
        flags = self.flags
        turn_on = True
        dangling = False
        position = start + 2
        while position < len(self.text):
            char = self.text[position]
            position += 1
            if char in "imsU":
                flags = replace(flags, **{char: turn_on})
                dangling = False
            elif char == "-" and turn_on:
                turn_on, dangling = False, True
            elif char in ":)" and not dangling:
                if char == ":":
                    self.join_literals()
                    self.stack.append(Opening(start, self.flags))
                self.flags = flags
                self.position = position
                return
            else:
                message = f"`{char}` is not a flag" if char.isalnum() else f"`{self.text[start:position]}` is invalid"
                self.fail(message, start, position, "the flags are i, m, s and U, as in `(?i)` and `(?i-s:…)`")
        self.fail("`(?` is not closed", start, start + 2, "write `(?i)`, `(?:…)` or `(?P<name>…)`")

    def read_closing(self) -> None:
        node = self.finish_group()
        if not self.stack:
            self.fail("`)` closes nothing", self.position, self.position + 1, "the character itself is written `\\)`")
        opening = self.stack.pop()
        assert isinstance(opening, Opening)
        self.flags = opening.flags
        self.position += 1
        if opening.number:
            node = Capture(node, opening.number, opening.name)
        self.push(node)

    # Repetitions

    def read_repeat(self, char: str) -> bool:
        start = self.position
        if char == "{":
            count = COUNT.match(self.text, start)
            if count is None:
                self.position += 1
                self.push_char(ord(char))
                return False
            end = count.end()
            least, most = self.read_counts(count)
        else:
            end = start + 1
            least, most = OPERATORS[char]
        greedy = not self.flags.U
        if self.text.startswith("?", end):
            end += 1
            greedy = not greedy
        self.apply_repeat(start, end, (least, most), greedy)
        self.position = end
        return True

    def read_counts(self, count: re.Match[str]) -> tuple[int, int | None]:
        # A count is read only as far as it takes to see that it is too large.
        least = int(count[1][:9])
        most: int | None = least
        if count[2]:
            most = int(count[3][:9]) if count[3] else None
        span = count.span()
        if max(least, most or 0) > MAX_COUNT:
            self.fail(
                f"a count in braces can be at most {MAX_COUNT}", *span, "write fewer, or `*` or `+` for any number"
            )
        if most is not None and least > most:
            self.fail(f"the counts in `{count[0]}` are in the wrong order", *span, f"write `{{{most},{least}}}`")
        return least, most

    def apply_repeat(self, start: int, end: int, counts: tuple[int, int | None], greedy: bool) -> None:
        operator = self.text[start:end]
        if self.repeated_from >= 0:
            self.fail(
                f"`{operator}` repeats a repetition",
                self.repeated_from,
                end,
                "put what is repeated into `(?:…)`, or write a backslash before the character",
            )
        part = self.stack[-1] if self.stack else None
        if part is None or isinstance(part, (Opening, Bar)):
            self.fail(
                f"`{operator}` has nothing to repeat", start, end, f"the character itself is written `\\{operator[0]}`"
            )
        self.stack.pop()
        node = Repeat(part, *counts, greedy)
        if node.nesting > MAX_COUNT:
            self.fail(
                f"the counts in braces around each other multiply to {node.nesting:,}",
                start,
                end,
                f"they may multiply to {MAX_COUNT:,}",
            )
        self.push_whole(node)

    # Backslashes

    def read_backslash(self) -> None:
        start = self.position
        letter = self.text[start + 1 : start + 2]
        if letter in ANCHOR_ESCAPES:
            self.position += 2
            self.push(Assertion(ANCHOR_ESCAPES[letter]))
        elif letter == "Q":
            end = self.text.find("\\E", start + 2)
            for char in self.text[start + 2 : end if end >= 0 else len(self.text)]:
                self.push_char(ord(char))
            self.position = len(self.text) if end < 0 else end + 2
        elif (found := read_class_escape(self.text, start, self.flags.i)) is not None:
            ranges, self.position = found
            self.push(CharClass(ranges))
        else:
            code, self.position = read_escape(self.text, start)
            self.push_char(code)


def simplify_class(node: CharClass) -> Node:
    """Return a literal for a class of one character, or of one character and its only other case."""
    chars = [char for low, high in node.ranges[:3] for char in range(low, min(high, low + 2) + 1)]
    if len(chars) == 1:
        return Literal(chr(chars[0]))
    if len(chars) == 2 and fold_char(chars[0]) == tuple(chars):
        return Literal(chr(chars[0]), True)
    return node


class ClassReader:
    """Reads one `[…]`."""

    def __init__(self, text: str, start: int, fold: bool) -> None:
        self.text = text
        self.start = start
        self.fold = fold
        self.position = start + 1
        self.found: list[tuple[int, int]] = []

    def read(self) -> tuple[CharRanges, int]:
        """Return the set, and where the class ends."""
        negated = self.text.startswith("^", self.position)
        self.position += negated
        first = True
        while first or not self.text.startswith("]", self.position):
            first = False
            if not (self.read_posix_class() or self.read_escaped_class()):
                self.read_range()
        ranges = normalize_ranges(self.found)
        return negate_ranges(ranges) if negated else ranges, self.position + 1

    def read_posix_class(self) -> bool:
        """Read `[:alpha:]` or `[:^alpha:]`."""
        end = self.text.find(":]", self.position + 2)
        if not self.text.startswith("[:", self.position) or end < 0:
            return False
        name = self.text[self.position + 2 : end]
        ranges = POSIX_CLASSES.get(name.removeprefix("^"))
        if ranges is None:
            raise PatternError(
                f"`[:{name}:]` is not a class of characters",
                self.position,
                end + 2,
                "the names are " + ", ".join(f"`{known}`" for known in POSIX_CLASSES),
            )
        ranges = fold_ranges(ranges) if self.fold else ranges
        self.found += negate_ranges(ranges) if name.startswith("^") else ranges
        self.position = end + 2
        return True

    def read_escaped_class(self) -> bool:
        found = read_class_escape(self.text, self.position, self.fold)
        if found is None:
            return False
        ranges, self.position = found
        self.found += ranges
        return True

    def read_range(self) -> None:
        start = self.position
        low = high = self.read_char()
        if self.text.startswith("-", self.position) and not self.text.startswith("-]", self.position):
            if self.position + 1 < len(self.text):
                self.position += 1
                high = self.read_char()
            if high < low:
                raise PatternError(
                    f"the range `{self.text[start : self.position]}` is in the wrong order",
                    start,
                    self.position,
                    "write the smaller character first; a `-` itself stands first or last in the class",
                )
        self.found += fold_ranges(((low, high),)) if self.fold else ((low, high),)

    def read_char(self) -> int:
        if self.position >= len(self.text):
            raise PatternError("`[` is not closed", self.start, self.start + 1, "the character itself is written `\\[`")
        if self.text[self.position] == "\\":
            char, self.position = read_escape(self.text, self.position)
            return char
        self.position += 1
        return ord(self.text[self.position - 1])
