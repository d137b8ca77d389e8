"""What several nodes say together: the newest claim counts, and what most of them call failed."""

from __future__ import annotations

from doorbuster.redis_roles.urls import Address
from doorbuster.redis_roles.whereabouts import NodeView, merged, view_of

ASKED = Address("asked", 7000)
A, B = Address("10.0.0.1", 7000), Address("10.0.0.2", 7000)


def said(*ranges: tuple[int, int, Address, int, str]) -> NodeView:
    """Return a node's view of ranges: first, last, owner, epoch, flags."""
    slots = [
        [first, last, [owner.host.encode(), owner.port, b"id%d" % at, []]]
        for at, (first, last, owner, *_) in enumerate(ranges)
    ]
    lines = [
        f"id{at} {owner}@1{owner.port} {flags} - 0 0 {epoch} connected {first}-{last}"
        for at, (first, last, owner, epoch, flags) in enumerate(ranges)
    ]
    return view_of(slots, "\n".join(lines).encode(), ASKED)


def test_the_newest_claim_counts_whoever_tells_it_first() -> None:
    past, present = said((0, 16_383, A, 3, "master")), said((0, 99, A, 3, "master"), (100, 16_383, B, 4, "master"))
    for views in ([past, present], [present, past]):
        found = merged(views)
        assert (found.of(0), found.of(99), found.of(100), found.of(16_383)) == (A, A, B, B)
        assert found.primaries == [A, B]
        assert found.is_whole


def test_who_has_failed_for_most_serves_nothing_but_one_voice_is_no_majority() -> None:
    fine, failed = said((0, 16_383, A, 3, "master")), said((0, 16_383, A, 3, "master,fail"))
    assert merged([fine, failed, fine]).of(0) == A
    found = merged([failed, fine, failed])
    assert found.of(0) is None
    assert not found.is_whole
    assert merged([said((0, 16_383, A, 3, "master,fail?"))]).of(0) == A


def test_a_node_without_a_name_of_its_own_is_reached_where_it_was_asked() -> None:
    view = view_of([[0, 1, [None, 7005, b"id", []], [b"?", 7006, b"other", []]]], b"", ASKED)
    assert [claim.owner for claim in view.claims] == [Address("asked", 7005)]
    assert view.known == {Address("asked", 7005)}


def test_a_slot_that_nobody_claims_has_no_primary() -> None:
    found = merged([said((0, 9, A, 1, "master"))])
    assert found.of(10) is None
    assert found.primaries == [A]
