"""What drains can do is told by the time alone in which plenty waited."""

from __future__ import annotations

from workers.prewarm.drain_pace import PLENTY, Busy, DrainLook


def test_only_time_with_plenty_at_both_ends_counts() -> None:
    busy = Busy().after(None, DrainLook(0.0, 100, PLENTY))
    assert busy == Busy()
    busy = busy.after(DrainLook(0.0, 100, PLENTY), DrainLook(1.0, 4_100, PLENTY))
    assert busy == Busy(4_000, 1.0)
    assert busy.after(DrainLook(1.0, 4_100, PLENTY), DrainLook(2.0, 4_700, PLENTY - 1)) == busy
    assert busy.after(DrainLook(2.0, 4_700, PLENTY - 1), DrainLook(3.0, 5_700, 10 * PLENTY)) == busy


def test_a_stream_that_began_anew_tells_nothing() -> None:
    assert Busy(5, 1.0).after(DrainLook(0.0, 100, PLENTY), DrainLook(1.0, 3, PLENTY)) == Busy(5, 1.0)
