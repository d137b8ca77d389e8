"""A query as tsqueries of Postgres. Owns how words and terms are written in them; pure, asks nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from catalogue.search.interface import PREFIX_MIN
from catalogue.search.query_terms import Phrase, QueryTerms, Term
from catalogue.search.things import is_accessory_asked, thing_of
from db.products import search as rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NAMED = "AB"
"""Weights of names, brands and categories."""
EXACT = "catalogue_exact"
"""The configuration of words as they stand; those of names, brands and categories are in the index without a weight."""
Readings = dict[str, list[str]]
"""What else a word may have been meant to be, as tsqueries."""


class Looser(NamedTuple):
    """What a rung lets match besides, and how it reads words."""

    match: str
    readings: Readings = {}  # noqa: RUF012 - never written to


class Texts(NamedTuple):
    """A query as tsqueries; `stricter` are the matches that rank before those of `match`."""

    words: QueryTerms
    shares: list[float]
    match: str | None
    stricter: tuple[str, ...] = ()
    readings: Readings = {}  # noqa: RUF012 - never written to

    def or_else(self, looser: Looser) -> Texts:
        """Return the query of a looser rung: what matched still does, and before the rest."""
        assert self.match is not None
        return self._replace(
            match=f"{self.match} | {looser.match}",
            stricter=(*self.stricter, self.match),
            readings=self.readings | looser.readings,
        )

    def asked(self) -> rows.SearchQuestion:
        """Return all that matching and ranking look at; where no word counts, how they stand ranks, see `manner_of`."""
        terms = self.words.terms
        if self.words.none_counts:
            return rows.SearchQuestion(self.match, [], [], "", "", "", list(self.stricter), 0.0, [])
        same = not is_accessory_asked(self.words)
        thing = thing_of(self.words)
        return rows.SearchQuestion(
            match=self.match,
            words=[
                " | ".join((*map(_phrase, ((word,), *others)), *self.readings.get(word, ())))
                for word, others in self.words.counted_with(same=same)
            ],
            shares=self.shares,
            literal=_all(_written(term) if not same else _same(term) for term in terms),
            name_meant=_all(_either(term, NAMED) for term in terms),
            accessory=" | ".join(_lexeme(word, "A") for word in thing.accessories),
            stricter=list(self.stricter),
            malus=thing.malus,
            kinds=list(thing.kinds),
        )


def manner_of(words: QueryTerms) -> rows.Manner:
    """Return how the texts of a query are meant."""
    return rows.Manner(EXACT, f" {' '.join(words.single)} ") if words.none_counts else rows.Manner()


def _lexeme(word: str, weight: str = "") -> str:
    """Return a word as to_tsquery reads it; whatever it holds, it stays one quoted word."""
    quoted = word.replace("\\", "\\\\").replace("'", "''")
    return f"'{quoted}':{weight}" if weight else f"'{quoted}'"


def _phrase(phrase: Phrase, weight: str = "") -> str:
    return f"({' <-> '.join(_lexeme(word, weight) for word in phrase)})"


def _written(term: Term, weight: str = "") -> str:
    """Return a term as it was written, in any spelling."""
    return _all(" | ".join(_phrase(spelling, weight) for spelling in spellings) for spellings in term.words)


def _same(term: Term) -> str:
    """Return a term as it was written, or by another name for the very thing."""
    return " | ".join((f"({_written(term)})", *map(_phrase, term.same)))


def _either(term: Term, weight: str = "") -> str:
    """Return a term as written, in other words, or in one with its neighbours."""
    others = (*term.same, *term.also, *((joined,) for joined in term.joined))
    return " | ".join((f"({_written(term, weight)})", *(_phrase(other, weight) for other in others)))


def _all(texts: Iterable[str]) -> str:
    return " & ".join(f"({text})" for text in texts)


def begun(words: QueryTerms, weight: str = "") -> str:
    """Return all that is asked for, the last word being only the beginning of one."""
    last = words.tokens[-1]
    if len(last) < PREFIX_MIN:
        return ""
    if words.none_counts:
        *whole, begins = words.single
        return " & ".join((*map(_lexeme, whole), _lexeme(begins, "*")))
    *firsts, end = words.terms[-1].words
    unfinished = " | ".join(_open_phrase(spelling, weight) for spelling in end)
    before = [_either(term, weight) for term in words.terms[:-1]]
    return _all([*before, *(" | ".join(_phrase(one, weight) for one in word) for word in firsts), unfinished])


def beginning(words: QueryTerms) -> str:
    """Return what names match that begin as typed: in name, brand or category."""
    return begun(words, "" if words.none_counts else NAMED)


def _apart(words: QueryTerms, operator: str = " & ") -> str:
    """Return words of which none counts, wherever they stand: the index knows no places of them."""
    return operator.join(
        f"({' | '.join(' & '.join(map(_lexeme, spelling)) for spelling in spellings)})"
        for term in words.terms
        for spellings in term.words
    )


def _open_phrase(phrase: Phrase, weight: str) -> str:
    *firsts, last = phrase
    return f"({' <-> '.join([*(_lexeme(word, weight) for word in firsts), _lexeme(last, f'*{weight}')])})"


def any_of(words: QueryTerms) -> str:
    """Return any of what is asked for."""
    if words.none_counts:
        return _apart(words, " | ")
    return " | ".join(f"({_either(term)})" for term in words.terms)


def _plain_words(term: Term) -> set[str]:
    return {word for spellings in term.words for phrase in spellings for word in phrase}


def strict(words: QueryTerms) -> str:
    """Return all that is asked for, as written or in other words."""
    if words.none_counts:
        return _apart(words)
    return _all(_either(term) for term in words.terms)


def last_begun(words: QueryTerms) -> Looser:
    """Return what lets neighbours be one word, and the last word only the beginning of one."""
    match = " | ".join(f"({one})" for one in (strict(words) if words.joined else "", begun(words)) if one)
    return Looser(match, {words.tokens[-1]: [f"{_lexeme(words.tokens[-1])}:*"]})


def corrected(words: QueryTerms, better: Mapping[str, Sequence[str]]) -> Looser:
    """Return what lets these words be those they were meant to be."""
    readings = {word: [_lexeme(other) for other in others] for word, others in better.items()}
    match = _all(
        " | ".join((_either(term), *(one for word in _plain_words(term) for one in readings.get(word, ()))))
        for term in words.terms
    )
    return Looser(match, readings)
