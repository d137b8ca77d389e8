"""What shoppers' words mean: tokens, model numbers, units, synonyms, accessories. Pure; knows no backend.

Reads folded text only (`folding.py`): in it every sign beyond ASCII is part of a word. No rule of Unicode stands here.

These are facts of language, not answers to known queries: a rule belongs here only if it holds for words nobody tried.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from catalogue.search.interface import PREFIX_MIN

if TYPE_CHECKING:
    from collections.abc import Iterator

QUERY_MAX = 200
"""Characters of a query that count."""
WORDS_MAX = 12
JOINED_MAX = 6
"""Terms up to which neighbours may be one word."""
_POINT = "\x01"
"""Stands for the point of a decimal, as in Postgres's `search_words`."""
_IN_WORD = r"[^\x00-\x2f\x3a-\x60\x7b-\x7f]"
_THOUSANDS = re.compile(r"(?<=[0-9]),(?=[0-9]{3})")
_DECIMAL = re.compile(rf"(?<!{_IN_WORD})(?<![0-9][.,])([0-9]+)\.([0-9]+)(?!{_IN_WORD})(?![.,][0-9])")
_PARTS = re.compile(r"[^\x00\x02-\x2f\x3a-\x60\x7b-\x7f]+")
_TOKEN = re.compile(rf"{_PARTS.pattern}(?:[-./+_]{_PARTS.pattern})*")
_LETTER = r"[^\x00-\x60\x7b-\x7f]"
_EDGE = re.compile(rf"(?<=[0-9])(?={_LETTER})|(?<={_LETTER})(?=[0-9])")
_LIST = Path(__file__).with_name("synonyms.txt")

Phrase = tuple[str, ...]
"""Words that follow one another."""


class Term(NamedTuple):
    """One thing that is asked for."""

    words: tuple[tuple[Phrase, ...], ...]
    """Every word as written, each with its spellings: `ps4`, `ps 4`."""
    same: tuple[Phrase, ...] = ()
    """The whole by another name for the very thing: `ps4` is `playstation 4`."""
    also: tuple[Phrase, ...] = ()
    """The whole in words that often mean it: `smartphone`, `mobile phone`. Counts less."""
    joined: tuple[str, ...] = ()
    """The whole and what stands beside it in one word: `lp 2475w` may be `lp2475w`, `think pad` `thinkpad`."""

    @property
    def whole(self) -> str:
        """As written, in one word."""
        return "".join(part for spellings in self.words for part in spellings[0])


class QueryTerms(NamedTuple):
    """A query, read."""

    terms: tuple[Term, ...]
    tokens: tuple[str, ...]
    """As typed, in small letters; the last may not be finished yet."""

    @property
    def joined(self) -> frozenset[str]:
        """Every word that neighbours may be in one."""
        return frozenset(word for term in self.terms for word in term.joined)

    def joined_as(self, known: frozenset[str]) -> QueryTerms:
        """Leave out of what neighbours may be in one word whatever is no known word."""
        terms = (term._replace(joined=tuple(word for word in term.joined if word in known)) for term in self.terms)
        return self._replace(terms=tuple(terms))

    @property
    def single(self) -> tuple[str, ...]:
        """The words one by one, as written; no more of them than of tokens, however many parts a token has."""
        return tuple(word for word, _ in self.counted)

    @property
    def counted(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The same, each with the words that it may be a part of."""
        found = [(word, term.joined) for term in self.terms for spellings in term.words for word in spellings[0]]
        return tuple(found[:WORDS_MAX])

    def counted_with(self, *, same: bool) -> list[tuple[str, tuple[Phrase, ...]]]:
        """Return them with what else counts as them; `same`: other names for the very thing do, too."""
        named = {term.whole: term.same for term in self.terms if same and len(term.words) == 1}
        return [(word, (*((one,) for one in joined), *named.get(word, ()))) for word, joined in self.counted]

    @property
    def none_counts(self) -> bool:
        """Tell whether nothing is asked for but words that do not count: The Who."""
        return bool(self.counted) and all(word in STOPPED for word, _ in self.counted)

    @property
    def plain(self) -> frozenset[str]:
        """Every single word, in the singular too."""
        found = {word for term in self.terms for spellings in term.words for phrase in spellings for word in phrase}
        return frozenset(found | {singular((word,))[0] for word in found})


def read(folded: str) -> QueryTerms:
    """Return what a query asks for; nothing at all where it has no letter and no digit."""
    tokens = _TOKEN.findall(_marked(folded[:QUERY_MAX]))[:WORDS_MAX]
    terms: list[Term] = []
    place = 0
    while place < len(tokens):
        length = _known_length(tokens, place)
        terms.append(_term(tokens[place : place + length]))
        place += length
    return QueryTerms(_with_joined(terms), tuple(map(_unmarked, tokens)))


def read_beginning(folded: str) -> QueryTerms:
    """Return what an unfinished query asks for so far: a last word that has only begun says nothing yet."""
    words = read(folded)
    *before, last = words.tokens or ("",)
    return read(" ".join(before)) if before and len(last) < PREFIX_MIN else words


def parts(folded: str) -> Phrase:
    """Return the plain words of a text, as Postgres's `search_words`: `dv7-1211ea` has two, `10.2` is one."""
    return _parts(_marked(folded))


def _marked(folded: str) -> str:
    """Take the commas out of thousands, and mark the points of decimals, which depend on what stands around."""
    return _DECIMAL.sub(rf"\1{_POINT}\2", _THOUSANDS.sub("", folded.replace(_POINT, " ")))


def _unmarked(marked: str) -> str:
    return marked.replace(_POINT, ".")


def _parts(marked: str) -> Phrase:
    return tuple(map(_unmarked, _PARTS.findall(marked)))


def _with_joined(terms: list[Term]) -> tuple[Term, ...]:
    """Add what two or three terms are in one word. A long query is a text: it has better to go by."""
    if len(terms) > JOINED_MAX:
        return tuple(terms)
    whole = [term.whole for term in terms]
    return tuple(
        term if whole[place] in STOPPED else term._replace(joined=tuple(_around(whole, place)))
        for place, term in enumerate(terms)
    )


def _around(words: list[str], place: int) -> Iterator[str]:
    for length in (2, 3):
        for start in range(max(0, place - length + 1), min(place, len(words) - length) + 1):
            yield "".join(words[start : start + length])


def _term(tokens: list[str]) -> Term:
    words = tuple(_spellings(token) for token in tokens)
    whole = tuple(part for token in tokens for part in _parts(token))
    keys = {whole, *(spelling for spelling in words[0] if len(words) == 1)}
    found = [_synonyms().get(singular(key), Others()) for key in sorted(keys)]
    same = [other for one in found for other in one.same]
    if len(tokens) > 1:
        same.append(("".join(whole),))
    same = [other for other in dict.fromkeys(same) if other not in keys]
    also = [other for one in found for other in one.also if other not in keys and other not in same]
    return Term(words, tuple(same), tuple(dict.fromkeys(also)))


def _spellings(token: str) -> tuple[Phrase, ...]:
    """Return the ways to write a token: dv7-1211ea, dv71211ea; 16gb, 16 gb; ps4, ps 4."""
    whole = _parts(token)
    if len(whole) > 1:
        joined = ("".join(whole).replace(".", ""),)
        return (joined,) if _is_bare(whole) else (whole, joined)
    split = tuple(_EDGE.split(whole[0]))
    return (whole, split) if len(split) == 2 and not _is_bare(split) else (whole,)


def _is_bare(phrase: Phrase) -> bool:
    """Tell whether nothing but a number would be searched, for the word beside it does not count: a 4, i 7, 4 s."""
    if len(phrase) != 2 or _is_measure(list(phrase)):
        return False
    return any(one in STOPPED and other.isdecimal() for one, other in (phrase, phrase[::-1]))


def _known_length(tokens: list[str], place: int) -> int:
    """Return how many tokens from `place` on mean one thing: a number and its unit, or words known as one."""
    for length in (3, 2):
        some = tokens[place : place + length]
        if len(some) == length and (singular(tuple(some)) in _synonyms() or _is_measure(some)):
            return length
    return 1


def _is_measure(tokens: list[str]) -> bool:
    return len(tokens) == 2 and _unmarked(tokens[0]).replace(".", "").isdecimal() and tokens[1] in UNITS


def singular(phrase: Phrase) -> Phrase:
    """Return a phrase with its last word in the singular, more or less: the key of synonyms."""
    *first, last = phrase
    for end, put in (("ies", "y"), ("sses", "ss"), ("ches", "ch"), ("xes", "x"), ("s", "")):
        if last.endswith(end) and not last.endswith(("ss", "us")) and len(last) > len(end) + 2:
            return (*first, last.removesuffix(end) + put)
    return phrase


class Others(NamedTuple):
    """Other words for a phrase."""

    same: tuple[Phrase, ...] = ()
    also: tuple[Phrase, ...] = ()


@cache
def _synonyms() -> dict[Phrase, Others]:
    """Return what the list says of each of its phrases."""
    found: dict[Phrase, Others] = {}
    for line in _LIST.read_text().splitlines():
        left, arrow, right = line.partition("#")[0].partition("=>")
        exact = "=" in left
        phrases = [tuple(part.split()) for part in re.split("[,=]", left) if part.strip()]
        others = [tuple(part.split()) for part in right.split(",") if part.strip()]
        for phrase in phrases:
            meant = tuple(others if arrow else [other for other in phrases if other != phrase])
            known = found.get(phrase, Others())
            found[phrase] = Others(known.same + meant, known.also) if exact else Others(known.same, known.also + meant)
    return found


STOPPED = frozenset(
    [
        "i", "me", "my", "myself", "we", "our", "ours", "ourselves", "you", "your", "yours", "yourself", "yourselves",
        "he", "him", "his", "himself", "she", "her", "hers", "herself", "it", "its", "itself", "they", "them",
        "their", "theirs", "themselves", "what", "which", "who", "whom", "this", "that", "these", "those", "am", "is",
        "are", "was", "were", "be", "been", "being", "have", "has", "had", "having", "do", "does", "did", "doing",
        "a", "an", "the", "and", "but", "if", "or", "because", "as", "until", "while", "of", "at", "by", "for",
        "with", "about", "against", "between", "into", "through", "during", "before", "after", "above", "below", "to",
        "from", "up", "down", "in", "out", "on", "off", "over", "under", "again", "further", "then", "once", "here",
        "there", "when", "where", "why", "how", "all", "any", "both", "each", "few", "more", "most", "other", "some",
        "such", "no", "nor", "not", "only", "own", "same", "so", "than", "too", "very", "s", "t", "can", "will",
        "just", "don", "should", "now",
    ]
)  # fmt: skip
"""English words that do not count, as in Postgres."""

UNITS = frozenset(
    [
        "gb", "tb", "mb", "kb", "g", "kg", "mg", "t", "l", "ml", "cl", "cm", "mm", "m", "km", "in", "inch", "w",
        "kw", "v", "a", "ah", "mah", "hz", "mhz", "ghz", "khz", "p", "k", "dpi", "rpm", "fps", "oz", "lb", "ft",
    ]
)  # fmt: skip

ACCESSORIES = frozenset(
    [
        "accessory", "adapter", "adaptor", "arm", "backplate", "bag", "bracket", "cable", "cage", "case", "charger",
        "clamp", "cleaner", "cleaning", "cord", "cover", "cradle", "dock", "docking", "enclosure", "filter",
        "folio", "holder", "holster", "installation", "interface", "kit", "lead", "lens", "license", "licence",
        "lock", "module", "mount", "mounting", "plate", "pouch", "protector", "rack", "remote", "replacement",
        "screw", "service", "shell", "skin", "sleeve", "spare", "stand", "strap", "support", "tip", "tray",
        "upgrade", "warranty",
    ]
)  # fmt: skip
"""Nouns that make a thing of another: a keyboard cover is no keyboard. Who wants one says so."""
