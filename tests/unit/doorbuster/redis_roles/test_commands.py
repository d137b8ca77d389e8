"""Where commands go: by the slot of their keys, never by a guess."""

from __future__ import annotations

import pytest

from doorbuster.redis_roles.commands import KEYLESS, Keyless, keys_in, place_of, slot_of
from doorbuster.redis_roles.meaning import UnroutableError


def test_a_slot_is_that_of_the_hash_tag() -> None:
    assert slot_of("foo") == 12_182  # the Cluster specification's own example
    assert slot_of(b"a:{7.0}:b") == slot_of("{7.0}") == slot_of("7.0")
    assert slot_of("a{}b") != slot_of("")


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        (("GET", "k"), ("k",)),
        (("XINFO STREAM", "k"), ("k",)),
        (("MGET", "a", "b"), ("a", "b")),
        (("EVALSHA", "sha", 2, "a", "b", "argument"), ("a", "b")),
        (("XREAD", b"BLOCK", "5", b"COUNT", "1", b"STREAMS", "a", "b", "0", "0"), ("a", "b")),
        (("hset", "k", "field", "value"), ("k",)),
    ],
)
def test_keys_are_found(words: tuple[object, ...], keys: tuple[str, ...]) -> None:
    assert tuple(keys_in(words)) == keys


@pytest.mark.parametrize("words", [("KEYS", "*"), ("XREADGROUP", "GROUP"), ("WATCH", "k"), ("EVAL", "return 1", 0)])
def test_what_is_not_known_is_refused(words: tuple[object, ...]) -> None:
    with pytest.raises(UnroutableError):
        place_of(words)


def test_two_slots_are_refused_before_anything_is_sent() -> None:
    with pytest.raises(UnroutableError, match="2 slots"):
        place_of(("MGET", "{7.0}a", "{7.1}a"))
    assert place_of(("MGET", "{7.0}a", "{7.0}b")) == slot_of("7.0")


def test_each_command_without_a_key_has_its_meaning() -> None:
    for name, meaning in KEYLESS.items():
        assert place_of((name,)) is meaning
    assert place_of(("PUBLISH", "channel", "x")) is Keyless.ANY
