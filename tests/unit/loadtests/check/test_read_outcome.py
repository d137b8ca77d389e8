"""What of a run of reads is a fault, on a machine of its own and beside other work."""

from __future__ import annotations

from array import array
from datetime import UTC, datetime

import pytest

from loadtests.check.read_outcome import Emptied, Outcome
from loadtests.generate.looks import Looks
from loadtests.scene.system import Audit
from loadtests.traffic.browsing import Browsed
from loadtests.traffic.plan import Result

LOOKS = Looks(["/products/lamp", "/search?q=lamp", "/products?category=lamps"], [0, 1, 2], array("I", [0, 1, 2]))


def outcome(
    product: int, search: int, category: int, *, late_s: float = 0.0, others: float = 0.1, primary: int = 0
) -> Outcome:
    return Outcome(
        browsed=Browsed(
            began=0.0, took=array("d", [0.1] * 3).tobytes(), statuses=array("H", [product, search, category]).tobytes(),
            late_s=late_s,
        ),
        looks=LOOKS, emptied=Emptied(datetime.now(UTC), 1.0), result=Result(), by_server={"primary": primary},
        by_place={}, refills={(1, "product:lamp", "item"): 1}, setbacks={}, processor_s={}, states={}, missing=0,
        audit=Audit([], {}, 0), others_share=others,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("found", "faults"),
    [
        (outcome(200, 200, 200), 0),
        (outcome(200, 503, 200), 1),
        (outcome(200, 200, 200, primary=1), 1),
        (outcome(503, 200, 200), 1),
        (outcome(200, 503, 503, late_s=2.0), 0),
        (outcome(200, 503, 503, others=0.3), 0),
        (outcome(503, 503, 503, others=0.3), 1),
        (outcome(200, 503, 503, late_s=2.0, primary=9), 1),
        (outcome(200, 500, 503, late_s=2.0), 1),
        (outcome(503, 503, 503, late_s=2.0), 1),
        (outcome(0, 503, 503, late_s=2.0), 1),
    ],
)
def test_beside_other_work_what_matters_less_may_be_refused_and_no_product_page(found: Outcome, faults: int) -> None:
    assert len(found.faults) == faults, found.faults
