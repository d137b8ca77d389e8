"""Tokens that were altered in any way are refused: a million mutants in `make soak`, fewer in `make test`."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from waitingroom.admissions import Admission, AdmissionRefusal, AdmissionSigner
from waitingroom.keyring import TOKEN_MAX, KeyRing
from waitingroom.tickets import Ticket, TicketHolder, TicketSigner

KEYS = "new:a-new-secret-of-some-length,old:an-old-secret-of-some-length"
RING, OLD = KeyRing.parse(KEYS), KeyRing.parse(KEYS.rpartition(",")[2])
DESK, OFFICE = AdmissionSigner(RING), TicketSigner(RING)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
STRANGE = ".~=+/ \t\n\0,:;%\\\"'\x7f\xa0é\uff41\uff0e\u2010\u200b\ufeff"
Mutate = Callable[[random.Random, str, str], str]


def tokens(by: random.Random) -> Iterator[tuple[str, str]]:
    """Yield pairs of good tokens of a kind, the second as material."""
    while True:
        made = []
        for _ in range(2):
            sale, number = by.randrange(1, 9), by.randrange(1, 10**6)
            visitor = by.randbytes(8)
            customer = by.choice([None, by.randbytes(8)])
            admission = Admission(sale, by.randrange(3), number, visitor, customer, 1, 2**31, by.randrange(1, 3))
            ticket = Ticket(sale, number, TicketHolder(visitor, by.randbytes(32), customer))
            desk, office = by.choice([(DESK, OFFICE), (AdmissionSigner(OLD), TicketSigner(OLD))])
            made.append((desk.sign(admission), office.issue(ticket)))
        (admission_1, ticket_1), (admission_2, ticket_2) = made
        yield admission_1, by.choice([admission_2, ticket_1])
        yield ticket_1, by.choice([ticket_2, admission_1])


def at(by: random.Random, text: str) -> int:
    return by.randrange(len(text))


def replaced(by: random.Random, token: str, _other: str) -> str:
    place = at(by, token)
    return token[:place] + by.choice(ALPHABET + STRANGE) + token[place + 1 :]


def bit_flipped(by: random.Random, token: str, _other: str) -> str:
    place = at(by, token)
    return token[:place] + chr(ord(token[place]) ^ 1 << by.randrange(8)) + token[place + 1 :]


def inserted(by: random.Random, token: str, _other: str) -> str:
    place = at(by, token)
    return token[:place] + by.choice(ALPHABET + STRANGE) * by.choice([1, 1, 4, 200]) + token[place:]


def removed(by: random.Random, token: str, _other: str) -> str:
    place = at(by, token)
    return token[:place] + token[place + by.choice([1, 1, 4]) :]


def cut(by: random.Random, token: str, _other: str) -> str:
    place = at(by, token)
    return by.choice([token[:place], token[place + 1 :]])


def swapped(by: random.Random, token: str, _other: str) -> str:
    one, two = sorted((at(by, token), at(by, token)))
    return token[:one] + token[two : two + 1] + token[one + 1 : two] + token[one : one + 1] + token[two + 1 :]


def case_changed(by: random.Random, token: str, _other: str) -> str:
    place = at(by, token)
    return by.choice([token.upper(), token.lower(), token[:place] + token[place].swapcase() + token[place + 1 :]])


def parts_mixed(by: random.Random, token: str, other: str) -> str:
    mixed = [by.choice(pair) for pair in zip(token.split("."), other.split("."), strict=True)]
    return ".".join(mixed)


def parts_moved(by: random.Random, token: str, other: str) -> str:
    parts = token.split(".")
    place = at(by, ".." + "..")
    by.choice([
        lambda: parts.insert(place, by.choice(["", *other.split(".")])),
        lambda: parts.pop(place),
        lambda: parts.reverse(),
        lambda: parts.__setitem__(place, ""),
        lambda: parts.__setitem__(1, by.choice(["new", "old", "none", "NEW", "new.old", "../new"])),
        lambda: parts.__setitem__(0, by.choice(["a1", "t1", "a2", "A1", "none", "a1.a1"])),
    ])()  # fmt: skip
    return ".".join(parts)


def padded(by: random.Random, token: str, _other: str) -> str:
    parts = token.split(".")
    place = by.choice([2, 3])
    last = ALPHABET.index(parts[place][-1])
    # Characters whose unused bits differ decode to the same bytes: only one of them is the token.
    other = ALPHABET[last ^ by.choice([1, 2, 3])]
    parts[place] = by.choice([parts[place] + "=", parts[place] + "==", parts[place][:-1] + other])
    return ".".join(parts)


def spaced(by: random.Random, token: str, _other: str) -> str:
    sign = by.choice(" \t\r\n\0\x0b\xa0\u2028")
    return by.choice([sign + token, token + sign, token + "." + token, token * 5])


MUTATIONS: list[Mutate] = [
    replaced, bit_flipped, inserted, removed, cut, swapped, case_changed, parts_mixed, parts_moved, padded, spaced,
]  # fmt: skip


def is_refused(token: str, sale: int) -> bool:
    found = DESK.check(token, sale_number=sale, epoch=0, now_s=2)
    return found is AdmissionRefusal.FORGED and OFFICE.read(token, sale_number=sale) is None


def refused(by: random.Random, mutants: int) -> Counter[str]:
    """Count mutants that were refused, by mutation; every one that is not a good token itself must be."""
    counted: Counter[str] = Counter()
    good = tokens(by)
    while counted.total() < mutants:
        token, other = next(good)
        for _ in range(50):
            mutate = by.choice(MUTATIONS)
            mutant = mutate(by, token, other)
            if mutant in (token, other):
                continue
            assert is_refused(mutant, 1), (mutate.__name__, token, mutant)
            counted[mutate.__name__] += 1
    return counted


def test_good_tokens_are_not_refused() -> None:
    """The control: what the mutants are made of passes."""
    by = random.Random(1)
    for (token, _), _ in zip(tokens(by), range(200), strict=False):
        sale = next(sale for sale in range(1, 9) if not _is_anothers(token, sale))
        assert not is_refused(token, sale)


def _is_anothers(token: str, sale: int) -> bool:
    found = DESK.check(token, sale_number=sale, epoch=0, now_s=2)
    return found in (AdmissionRefusal.FOREIGN, AdmissionRefusal.FORGED) and OFFICE.read(token, sale_number=sale) is None


def test_mutants_of_tokens_are_refused() -> None:
    counted = refused(random.Random(2), 20_000)
    assert set(counted) == {mutate.__name__ for mutate in MUTATIONS}
    assert is_refused("a1.new." + "A" * TOKEN_MAX, 1)


@pytest.mark.soak
def test_a_million_mutants_of_tokens_are_refused() -> None:
    assert refused(random.Random(), 1_000_000).total() >= 1_000_000
