"""Sizes and money follow from costs; docs/scaling.md says what comes out."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.fleet import sizing
from loadtests.fleet.costs import load, save
from loadtests.fleet.tables import put

DOCUMENT = Path(__file__).parents[4] / "docs" / "scaling.md"
COSTS = load()


@pytest.mark.parametrize("name", sizing.tables(COSTS))
def test_the_document_has_the_table_as_it_is_computed(name: str) -> None:
    text = DOCUMENT.read_text()
    assert put(text, name, sizing.tables(COSTS)[name].markdown()) == text, "make simulate ARGS=adopt"


def test_the_document_says_how_its_costs_were_measured() -> None:
    text = DOCUMENT.read_text()
    assert put(text, "about", sizing.about(COSTS)) == text, "make simulate ARGS=adopt"


def test_a_document_without_a_place_for_a_table_is_an_error() -> None:
    assert put("a\n<!-- x -->\nold\n<!-- end of x -->\nb", "x", "new") == "a\n<!-- x -->\nnew\n<!-- end of x -->\nb"
    with pytest.raises(ValueError, match="no place"):
        put("a\n<!-- x -->\nold", "x", "new")


@given(st.integers(1, 2_000_000), st.integers(1, 1_000_000))
def test_more_shoppers_never_need_less(shoppers: int, more: int) -> None:
    few, many = (sizing.size(COSTS, sizing.Sale(count)) for count in (shoppers, shoppers + more))
    assert many.machines >= few.machines or many.databases > few.databases
    assert many.usd_hour >= few.usd_hour or many.databases > few.databases
    assert many.cores_in_all > few.cores_in_all


def test_a_part_that_takes_twice_as_long_needs_more() -> None:
    dear = msgspec.structs.replace(COSTS, intake_order_us=8 * COSTS.intake_order_us)
    sale = sizing.Sale(1_000_000)
    assert sizing.size(dear, sale).intakes > 4 * sizing.size(COSTS, sale).intakes
    assert sizing.size(dear, sale).usd_hour > sizing.size(COSTS, sale).usd_hour


def test_no_part_of_a_size_is_busier_than_it_may_be() -> None:
    for sale in sizing.SALES:
        one, rate = sizing.size(COSTS, sale), sale.orders_per_s
        assert rate / one.databases <= sizing.BUSY * min(sizing.drain_per_s(COSTS), sizing.relay_per_s(COSTS)) * (
            1 + 1e-9
        )
        assert rate * COSTS.intake_order_us / 1e6 <= sizing.BUSY * one.intakes
        assert rate * COSTS.store_order_us / 1e6 <= sizing.BUSY * one.nodes


def test_costs_are_kept_as_they_are(tmp_path: Path) -> None:
    save(COSTS, tmp_path / "costs.json")
    assert load(tmp_path / "costs.json") == COSTS


@pytest.mark.parametrize("change", [{"drain_order_us": -1.0}, {"nonsense": 1.0}])
def test_costs_that_cannot_be_are_refused(change: dict[str, float], tmp_path: Path) -> None:
    file = tmp_path / "costs.json"
    file.write_bytes(msgspec.json.encode(msgspec.to_builtins(COSTS) | change))
    with pytest.raises((ValueError, msgspec.ValidationError)):
        load(file)
