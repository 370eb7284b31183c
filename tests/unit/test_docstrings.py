"""A module and a class say first what they are, in one short sentence that begins with a noun."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.support.product_source import classes, functions, modules

TO_REWRITE: tuple[str, ...] = ()
"""Modules whose docstrings still begin otherwise; nothing may be added."""

LONGEST = 120
ARTICLES = {"a", "all", "an", "any", "each", "every", "many", "one", "our", "some", "the", "two"}
NO_NOUNS = {
    "about", "also", "as", "at", "by", "for", "from", "hold", "how", "if", "in", "is", "made", "makes", "of",
    "on", "so", "tell", "that", "to", "what", "whatever", "when", "where", "whether", "which", "who", "whose",
    "why", "with",
}  # fmt: skip
"""Words that begin a riddle: questions and prepositions without the thing that they are about."""


def test_a_module_says_first_what_it_is() -> None:
    faults = [
        f"{path}: {fault}" for path, tree in modules().items() for fault in _faults(ast.get_docstring(tree))
    ]
    assert [fault for fault in faults if not fault.startswith(TO_REWRITE)] == []


def test_a_public_class_says_first_what_it_is_or_does() -> None:
    faults = [
        f"{path}: class {node.name}: {fault}"
        for path, node in classes()
        if not node.name.startswith("_")
        for fault in _faults(ast.get_docstring(node), third_person=True)
    ]
    assert [fault for fault in faults if not fault.startswith(TO_REWRITE)] == []


def _faults(docstring: str | None, *, third_person: bool = False) -> Iterator[str]:
    """Yield what is wrong with the first sentence; ``third_person`` also allows one like "Reads records."."""
    if not docstring:
        yield "no docstring"
        return
    first = " ".join(docstring.split("\n\n")[0].split())
    sentence = re.split(r"(?<=\.)\s+(?=[A-Z])", first)[0]
    if not sentence.endswith("."):
        yield f"the first sentence has no end: {sentence}"
    if len(sentence) > LONGEST:
        yield f"the first sentence has {len(sentence)} characters, {LONGEST} at most: {sentence}"
    words = re.findall(r"[\w'-]+", sentence.lower())
    if words and not _noun(words) and not (third_person and _says_what_it_does(words[0])):
        yield f"begins with {words[0]!r}, which is no noun (an article would make it one): {sentence}"


def _noun(words: list[str]) -> bool:
    """Return whether a sentence begins with a noun, as far as its words tell."""
    first, after = words[0], words[1] if len(words) > 1 else ""
    if first in ARTICLES:
        return True
    return first not in NO_NOUNS and (
        after in {"and", "for", "of"} or (first not in _VERBS and not _says_what_it_does(first))
    )


def _says_what_it_does(word: str) -> bool:
    """Return whether a word is the third person of a verb, such as "reads"."""
    return bool(
        {word.removesuffix("s"), word.removesuffix("es"), word.replace("ies", "y")} & (_VERBS - {word})
    )


def _imperatives() -> Iterator[str]:
    for function in functions():
        docstring = ast.get_docstring(function) or ""
        if first := re.match(r"[A-Za-z]+", docstring):
            yield first[0].lower()


_VERBS = frozenset(_imperatives()) - ARTICLES - {"record", "usage"}
"""Words that begin the docstrings of functions, which are imperatives."""
