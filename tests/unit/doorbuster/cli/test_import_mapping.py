"""Someone's catalogue records become products, or say what is wrong with them."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

from db.products.products import ImportRow
from doorbuster.cli.catalogue.file import CatalogueFile
from doorbuster.cli.catalogue.line import FileLine
from doorbuster.cli.catalogue.mapping import Columns, make_mapping, to_row
from doorbuster.errors import InvalidError

GOOD: dict[str, Any] = {
    "product_id": "p1",
    "name": "Lamp",
    "brand": "Lux",
    "category": "Lighting",
    "price": 1999,
    "currency": "EUR",
}
PLAIN = Columns({}, {})


def _lines(content: bytes, name: str = "catalogue.jsonl") -> list[FileLine]:
    return list(CatalogueFile(Path(name), io.BytesIO(content), None).lines())


def _row(number: int, record: dict[str, Any], mapping: Columns, *, cells: bool = False) -> ImportRow:
    row = to_row(number, record, mapping, cells=cells)
    assert isinstance(row, ImportRow)
    return row


def test_our_own_form_is_taken_as_it_is() -> None:
    row = _row(7, GOOD | {"stock": 5, "attributes": {"watt": 9}}, PLAIN)
    assert (row.line, row.stock, row.product.price, row.product.attributes) == (7, 5, 1999, b'{"watt":9}')


def test_what_a_line_does_not_have_is_unset() -> None:
    product = _row(1, GOOD, PLAIN).product
    assert (product.description, product.active, product.attributes) == (UNSET, UNSET, UNSET)
    product = _row(1, GOOD | {"description": "", "active": "", "attributes": ""}, PLAIN, cells=True).product
    assert (product.description, product.active, product.attributes) == (None, UNSET, UNSET)
    product = _row(1, GOOD | {"colour": ""}, make_mapping(("x=",), ()), cells=True).product
    assert product.attributes == b"{}"  # the file has attributes, this line none


def test_an_unknown_column_is_refused_by_name() -> None:
    with pytest.raises(InvalidError, match="colour: is not known here"):
        to_row(1, GOOD | {"colour": "red"}, PLAIN)


def test_every_wrong_field_is_named() -> None:
    with pytest.raises(InvalidError) as caught:
        to_row(1, GOOD | {"price": -1, "currency": "euro", "stock": 1.5}, PLAIN)
    assert {name for name, _ in caught.value.fields} == {"price", "currency", "stock"}


def test_a_mapping_renames_drops_and_keeps_the_rest_as_attributes() -> None:
    mapping = make_mapping(
        ("id=product_id", "title=name", "supplier=brand", "ean="), ("currency=EUR", "category=Electronics")
    )
    theirs = {
        "id": "42",
        "name": "Part 42",
        "title": "Toner",
        "supplier": "Xerox",
        "price": 4995,
        "ean": ["1"],
        "attr_t_type": "Original",
    }
    product = _row(1, theirs, mapping).product
    assert (product.product_id, product.name, product.brand) == ("42", "Toner", "Xerox")
    assert (product.currency, product.category) == ("EUR", "Electronics")
    assert product.attributes == b'{"name":"Part 42","attr_t_type":"Original"}'


def test_a_default_never_replaces_what_is_there() -> None:
    assert _row(1, GOOD, make_mapping((), ("currency=USD",))).product.currency == "EUR"


def test_texts_are_read_as_numbers_truth_and_attributes() -> None:
    row = _row(1, GOOD | {"price": "1999", "stock": " 5", "active": "no", "attributes": '{"watt": 9}'}, PLAIN)
    assert (row.product.price, row.stock, row.product.active, row.product.attributes) == (1999, 5, False, b'{"watt":9}')


@pytest.mark.parametrize("text", ["19.99", "1e3", "", "²"])
def test_a_text_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="price"):
        to_row(1, GOOD | {"price": text}, PLAIN)


def test_a_nul_character_is_refused_where_the_database_would() -> None:
    with pytest.raises(InvalidError, match="NUL"):
        to_row(1, GOOD | {"attributes": {"a": "b\0"}}, PLAIN)


@pytest.mark.parametrize(
    ("maps", "defaults", "named"),
    [
        (("id",), (), "id"),
        (("=name",), (), "=name"),
        (("id=nothing",), (), "nothing"),
        (("a=name", "b=name"), (), "name"),
        (("a=name", "a=brand"), (), "'a' is given twice"),
        ((), ("currency=EUR", "currency=USD"), "'currency' is given twice"),
        ((), ("brand=\udcff",), "not UTF-8"),
        ((), ("colour=red",), "colour"),
    ],
)
def test_a_wrong_mapping_is_refused(maps: tuple[str, ...], defaults: tuple[str, ...], named: str) -> None:
    with pytest.raises(InvalidError) as caught:
        make_mapping(maps, defaults)
    assert named in caught.value.fields[0][1]


def test_json_lines_keep_their_numbers_and_their_problems() -> None:
    lines = _lines(b'\xef\xbb\xbf{"a": 1}\n\n{"a": \n[1]\n\xff\n{"a": "\\ud800"}\n{"a": 2}')
    assert [line.number for line in lines] == [1, 3, 4, 5, 6, 7]
    assert [line.record for line in lines if line.problem is None] == [{"a": 1}, {"a": 2}]


def test_a_line_without_end_is_no_reason_to_read_it_all() -> None:
    lines = _lines(b'{"a": "' + b"x" * (3 * 2**20) + b'"}\n{"a": 2}\n')
    assert lines[0].problem is not None
    assert lines[1] == FileLine(2, {"a": 2})


def test_gzip_is_seen_by_its_content() -> None:
    assert _lines(gzip.compress(b'{"a": 1}\n')) == [FileLine(1, {"a": 1})]


def test_csv_has_a_header_numbers_and_empty_cells() -> None:
    content = 'product_id,name,stock\np1,"A ""lamp""\nof two lines",\np2,Lampe \u00e9,3\n'.encode()
    lines = _lines(content, "catalogue.csv")
    first = {"product_id": "p1", "name": 'A "lamp"\nof two lines', "stock": ""}
    assert lines[0] == FileLine(2, first, last=3, cells=True)
    assert lines[1] == FileLine(4, {"product_id": "p2", "name": "Lampe \u00e9", "stock": "3"}, cells=True)


def test_csv_says_what_is_wrong_and_goes_on() -> None:
    lines = _lines(b"a,b\n1,2,3\n\xff,2\n1,2\n", "catalogue.csv.gz")
    assert [(line.number, line.problem is None) for line in lines] == [(2, False), (3, False), (4, True)]


def test_an_empty_file_has_no_lines() -> None:
    assert _lines(b"") == []
    assert _lines(b"", "a.csv") == []


def test_csv_with_a_column_twice_is_refused_at_its_header() -> None:
    [line] = _lines(b"product_id,name,name\n1,2,3\n", "catalogue.csv")
    assert (line.number, line.problem) == (1, "names the column 'name' twice")


def test_csv_names_the_line_whose_quote_is_never_closed() -> None:
    lines = _lines(b'a,b\n1,2\n3,"4\n5,6\n7,8\n', "catalogue.csv")
    assert [(line.number, line.problem is None) for line in lines] == [(2, True), (3, False)]
    assert "quote" in (lines[1].problem or "")


def test_csv_takes_quotes_inside_a_cell() -> None:
    assert _lines(b'a,b\n5" pipe,2\n', "catalogue.csv") == [FileLine(2, {"a": '5" pipe', "b": "2"}, cells=True)]
