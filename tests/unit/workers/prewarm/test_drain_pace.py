"""What drains can do is told by the time alone in which plenty waited."""

from __future__ import annotations

from workers.prewarm.drain_pace import PLENTY, Busy, Seen


def test_only_time_with_plenty_at_both_ends_counts() -> None:
    busy = Busy().after(None, Seen(0.0, 100, PLENTY))
    assert busy == Busy()
    busy = busy.after(Seen(0.0, 100, PLENTY), Seen(1.0, 4_100, PLENTY))
    assert busy == Busy(4_000, 1.0)
    assert busy.after(Seen(1.0, 4_100, PLENTY), Seen(2.0, 4_700, PLENTY - 1)) == busy
    assert busy.after(Seen(2.0, 4_700, PLENTY - 1), Seen(3.0, 5_700, 10 * PLENTY)) == busy


def test_a_stream_that_began_anew_tells_nothing() -> None:
    assert Busy(5, 1.0).after(Seen(0.0, 100, PLENTY), Seen(1.0, 3, PLENTY)) == Busy(5, 1.0)
