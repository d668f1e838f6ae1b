"""How the branches of an alternation are put together (spec section 6.6).

The order and the limits of each step are Go's, because the types of capture groups depend on them:
`(12|13)` becomes `1[23]` and holds an integer, `(12|1)` becomes `1(?:2|)` and does not.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.language.regex.classes import fold_char, normalize_ranges
from pipeline.language.regex.tree import Alternate, CharClass, CharRanges, Concat, Empty, Literal, Node, Repeat

MAX_FACTORING_DEPTH = 50
"""Branches that share ever more of their text are factored within each other; past this they stay as they are."""


def concatenate(parts: Sequence[Node]) -> Node:
    """Return the parts in a row; a row within a row dissolves."""
    flat = [child for part in parts for child in (part.children if isinstance(part, Concat) else (part,))]
    match flat:
        case []:
            return Empty()
        case [single]:
            return single
        case _:
            return Concat(tuple(flat))


def alternate(branches: Sequence[Node], depth: int = 0) -> Node:
    """Return the alternation of the branches, factored."""
    if len(branches) == 1:
        return branches[0]
    flat = [child for branch in branches for child in (branch.children if isinstance(branch, Alternate) else (branch,))]
    if depth < MAX_FACTORING_DEPTH:
        flat = factor_prefixes(flat, depth)
        flat = factor_first_pieces(flat, depth)
        flat = merge_chars(flat)
        flat = merge_empties(flat)
    return flat[0] if len(flat) == 1 else Alternate(tuple(flat))


def is_char(node: Node) -> bool:
    """Return whether the node matches exactly one character of a set."""
    return isinstance(node, CharClass) or (isinstance(node, Literal) and len(node.text) == 1)


def char_ranges(node: Node) -> CharRanges:
    """Return the set of a node of which `is_char` holds."""
    if isinstance(node, Literal):
        char = ord(node.text)
        return normalize_ranges((other, other) for other in (fold_char(char) if node.fold else (char,)))
    assert isinstance(node, CharClass)
    return node.ranges


def unite_chars(first: Node, second: Node) -> Node:
    """Return one node for two of which `is_char` holds."""
    if first == second:
        return first
    return CharClass(normalize_ranges([*char_ranges(first), *char_ranges(second)]))


def leading_literal(node: Node) -> Literal | None:
    first = node.children[0] if isinstance(node, Concat) else node
    return first if isinstance(first, Literal) else None


def drop_prefix(node: Node, length: int) -> Node:
    """Return what is left of a node after the first `length` characters of its leading literal."""
    if isinstance(node, Concat):
        rest = drop_prefix(node.children[0], length)
        return concatenate(node.children[1:] if isinstance(rest, Empty) else (rest, *node.children[1:]))
    assert isinstance(node, Literal)
    return Literal(node.text[length:], node.fold) if len(node.text) > length else Empty()


def shared_prefix(first: str, second: str) -> str:
    length = 0
    while length < min(len(first), len(second)) and first[length] == second[length]:
        length += 1
    return first[:length]


def factor_prefixes(branches: Sequence[Node], depth: int) -> list[Node]:
    """Take what runs of neighbours have in common at their beginning out of them: literal text."""
    result: list[Node] = []
    run: list[Node] = []
    prefix = Literal("")
    for branch in branches:
        literal = leading_literal(branch) or Literal("")
        shared = shared_prefix(prefix.text, literal.text) if prefix.fold == literal.fold else ""
        if run and shared:
            run.append(branch)
            prefix = Literal(shared, prefix.fold)
        else:
            result += close_prefix_run(run, prefix, depth)
            run, prefix = [branch], literal
    return result + close_prefix_run(run, prefix, depth)


def close_prefix_run(run: Sequence[Node], prefix: Literal, depth: int) -> list[Node]:
    if len(run) < 2:
        return list(run)
    rest = alternate([drop_prefix(branch, len(prefix.text)) for branch in run], depth + 1)
    return [Concat((prefix, rest))]


def leading_piece(node: Node) -> Node | None:
    first = node.children[0] if isinstance(node, Concat) else node
    return None if isinstance(first, Empty) else first


def drop_piece(node: Node) -> Node:
    return concatenate(node.children[1:]) if isinstance(node, Concat) else Empty()


def may_be_factored(piece: Node) -> bool:
    """Return whether a first piece is one character, or a fixed number of one."""
    if isinstance(piece, Repeat):
        return piece.least == piece.most and is_char(piece.part)
    return is_char(piece)


def factor_first_pieces(branches: Sequence[Node], depth: int) -> list[Node]:
    """Take what runs of neighbours have in common at their beginning out of them: one character of a set."""
    result: list[Node] = []
    run: list[Node] = []
    shared: Node | None = None
    for branch in branches:
        piece = leading_piece(branch)
        if shared is not None and piece is not None and may_be_factored(shared) and same_piece(shared, piece):
            run.append(branch)
        else:
            result += close_piece_run(run, shared, depth)
            run, shared = [branch], piece
    return result + close_piece_run(run, shared, depth)


def same_piece(first: Node, second: Node) -> bool:
    """Compare pieces; only small ones, because comparing is done by recursion."""
    return may_be_factored(second) and first == second


def close_piece_run(run: Sequence[Node], piece: Node | None, depth: int) -> list[Node]:
    if len(run) < 2 or piece is None:
        return list(run)
    return [Concat((piece, alternate([drop_piece(branch) for branch in run], depth + 1)))]


def merge_chars(branches: Sequence[Node]) -> list[Node]:
    """Make one class of each run of single characters and classes."""
    result: list[Node] = []
    for branch in branches:
        if result and is_char(branch) and is_char(result[-1]):
            result[-1] = unite_chars(result[-1], branch)
        else:
            result.append(branch)
    return result


def merge_empties(branches: Sequence[Node]) -> list[Node]:
    """Make one of each run of empty branches."""
    result: list[Node] = []
    for branch in branches:
        if not (result and isinstance(branch, Empty) and isinstance(result[-1], Empty)):
            result.append(branch)
    return result
