"""Rotating the keys of tickets and admissions: no process ever sees a token it cannot verify."""

from __future__ import annotations

from itertools import pairwise

import pytest

from doorbuster.errors import InvalidError
from waitingroom.key_rotation import OVERLAP_S, Rotation, make_kid, rotate
from waitingroom.keyring import KeyRing, Signer

NOW = 1_800_000_000.0
FIRST = "0:" + "f" * 32


def turned(keys: str, now_s: float = NOW, **how: float) -> Rotation:
    return rotate(keys, secret=f"secret-made-at-{now_s:.0f}", now_s=now_s, **how)


def kids(keys: str) -> list[str]:
    return [part.partition(":")[0] for part in keys.split(",")]


def test_each_step_verifies_what_the_steps_beside_it_sign() -> None:
    found = turned(FIRST)
    steps = [Signer(KeyRing.parse(keys), "t1", 16) for keys in (FIRST, found.known, found.signing)]
    for before, after in pairwise(steps):
        assert after.open(before.seal(b"a")) == b"a"
        assert before.open(after.seal(b"a")) == b"a"
    assert steps[2].seal(b"a") != steps[0].seal(b"a")


def test_the_former_key_verifies_for_the_overlap_and_is_then_dropped() -> None:
    one = turned(FIRST)
    assert kids(one.signing) == [make_kid(NOW), "0"]
    early = turned(one.signing, NOW + OVERLAP_S - 1)
    assert kids(early.signing) == [early.kid, one.kid, "0"]
    late = turned(one.signing, NOW + OVERLAP_S)
    assert kids(late.signing) == [late.kid, one.kid]
    assert late.dropped == ("0",)


def test_without_overlap_every_other_key_is_dropped() -> None:
    found = turned(turned(FIRST).signing, NOW + 5, overlap_s=0)
    assert kids(found.signing) == [found.kid]
    assert len(found.dropped) == 2


def test_two_rotations_in_one_second_have_two_ids() -> None:
    one = turned(FIRST)
    assert turned(one.signing).kid != one.kid


@pytest.mark.parametrize("keys", ["", "a", "a:short", f"{FIRST},{FIRST}"])
def test_what_is_no_list_of_keys_is_refused(keys: str) -> None:
    with pytest.raises(InvalidError):
        turned(keys)
