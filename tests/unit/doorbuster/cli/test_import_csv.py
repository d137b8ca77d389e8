"""CSV as shops' programs write it, and as people break it: every line is read, or told by its number."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.products.products import ImportRow
from doorbuster.cli.catalogue.check import check_lines
from doorbuster.cli.catalogue.csv_records import COLUMNS_MAX, delimiter_of, sniff
from doorbuster.cli.catalogue.file import CatalogueFile, TooLargeError, _Counted
from doorbuster.cli.catalogue.line import LINE_MAX, FileLine
from doorbuster.cli.catalogue.mapping import Columns, make_mapping, to_row
from doorbuster.errors import InvalidError

HEADER = "product_id,name,brand,category,price,currency"
PLAIN = Columns({}, {})


def read(content: bytes | str, name: str = "c.csv", **more: Any) -> list[FileLine]:
    raw = io.BytesIO(content.encode() if isinstance(content, str) else content)
    return list(CatalogueFile(Path(name), raw, **more).lines())


def wrong(lines: list[FileLine]) -> list[tuple[int, int | None, str]]:
    return [(line.number, line.last, line.problem or "") for line in lines if line.record is None]


def test_a_stray_quote_names_all_lines_that_it_swallows() -> None:
    lines = read(f'{HEADER}\nq1,Lamp,L,C,1,EUR\nq2,"Chair,L,C,1,EUR\nq3,"Desk, oak",L,C,1,EUR\nq4,Shelf,L,C,1,EUR\n')
    assert [line.number for line in lines] == [2, 3, 5]
    [(first, last, problem)] = wrong(lines)
    assert (first, last) == (3, 4)
    assert "a quote opened in line 3" in problem


def test_a_quote_that_is_never_closed_names_all_lines_behind_it() -> None:
    [(first, last, problem)] = wrong(read(f'{HEADER}\nq1,"Lamp,L,C,1,EUR\n' + "q,N,L,C,1,EUR\n" * 50))
    assert (first, last) == (2, 52)
    assert "line 2 opens is never closed" in problem


def test_a_row_that_swallows_whole_rows_is_suspicious() -> None:
    lines = read(f'description,{HEADER}\n"good chair,q2,Chair,L,C,2,EUR\n,q3,Desk,L,C,3,EUR\n"big",q4,D,L,C,4,EUR\n')
    [(first, last, _)] = wrong(lines)
    assert (first, last) == (2, 4)
    columns = "product_id,name,brand,category,description,price,currency"
    lines = read(f'{columns}\nq2,Chair,L,Seat,"good chair,200,EUR\nq3,Desk,L,Desk,big",300,EUR\n')
    assert [(first, last) for first, last, _ in wrong(lines)] == [(2, 3)]
    assert "is it a stray one?" in wrong(lines)[0][2]


def test_a_description_of_several_lines_is_no_reason_for_suspicion() -> None:
    [line] = read(f'{HEADER},description\nq1,Lamp,L,C,1,EUR,"one, two\nthree, four\n\nfive"\n')
    assert (line.number, line.last) == (2, 5)
    assert line.record is not None
    assert line.record["description"] == "one, two\nthree, four\n\nfive"


@pytest.mark.parametrize("quoted", [True, False])
def test_a_row_without_end_is_not_read_whole(quoted: bool) -> None:
    many = b"x," * LINE_MAX if not quoted else b'"' + b"y" * 3 * LINE_MAX
    lines = read(f"{HEADER}\n".encode() + b"q1,A,L,C,1,EUR\nq2," + many + b"\nq3,B,L,C,1,EUR\n")
    assert [line.number for line in lines if line.record is not None] == [2, 4]
    assert "longer than 1048576 bytes" in wrong(lines)[0][2]


def test_a_quote_of_many_lines_is_given_up_and_the_lines_behind_are_read() -> None:
    lines = read(f'{HEADER}\nq1,"Lamp,L,C,1,EUR\n' + "q,N,L,C,1,EUR\n" * 100_000)
    first, last, problem = wrong(lines)[0]
    assert first == 2
    assert last is not None
    assert "is a quote never closed?" in problem
    assert sum(line.record is not None for line in lines) == 100_002 - last


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("a,b\n" + "x" * 200_000 + ",1\n", "cell of more than 131072 characters"),
        ('a,b\n"x"y,1\n', "text behind a quote"),
        ("a,b\n1,2,3\n", "has 3 columns, the header 2"),
        ("a,b,\n1,2,3\n", "column that the header gives no name"),
        (",".join(f"c{n}" for n in range(COLUMNS_MAX + 1)) + "\n", f"at most {COLUMNS_MAX}"),
        ("a," * 600_000 + "\n1\n", "header longer than"),
        ('"a,b\n1,2\n', "never closed"),
        ("a,b,a\n1,2,3\n", "names the column 'a' twice"),
    ],
)
def test_what_cannot_be_read_is_told(content: str, says: str) -> None:
    assert [says in problem for _, _, problem in wrong(read(content))] == [True]


@pytest.mark.parametrize(
    ("header", "sign"),
    [("a;b;c", ";"), ("a\tb", "\t"), ("a|b|c", "|"), ("a,b", ","), ('"x;y;z",b', ","), ("a", ","), ("", ",")],
)
def test_the_header_tells_the_delimiter(header: str, sign: str) -> None:
    assert sniff(header) == sign


def test_a_delimiter_is_told_by_option_name_or_first_line() -> None:
    expected = {"a": "1,5", "b": "2"}
    assert read("a;b\n1,5;2\n")[0].record == expected
    assert read("sep=;\na;b\n1,5;2\n") == [FileLine(3, expected, cells=True)]
    assert read("a,b\t1,b\n", delimiter="\t") == []
    assert read("a\tb\n1,5\t2\n", name="x.tsv")[0].record == expected
    assert read("a\n1\n", name="x.tsv.gz")[0].record == {"a": "1"}
    assert [delimiter_of(said) for said in ("tab", "\\t", ";", "pipe")] == ["\t", "\t", ";", "|"]
    for said in ("", "ab", '"', "\n", "\u00e9"):
        with pytest.raises(InvalidError):
            delimiter_of(said)


def test_a_file_without_a_telling_name_is_known_by_its_first_sign() -> None:
    assert read('\n {"a": 1}\n', name="-")[0].record == {"a": 1}
    assert read("\ufeffa,b\n1,2\n", name="-")[0].record == {"a": "1", "b": "2"}
    assert read(gzip.compress(b"a,b\n1,2\n"), name="feed")[0].record == {"a": "1", "b": "2"}
    assert read("a,b\n1,2\n", name="export.txt")[0].record == {"a": "1", "b": "2"}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_may_end_as_they_do_anywhere(end: str) -> None:
    assert [line.number for line in read(f"a,b{end}1,2{end}{end}3,4")] == [2, 4]


def test_a_file_that_unpacks_to_too_much_ends_with_an_error() -> None:
    counted = io.BufferedReader(_Counted(io.BytesIO(b"x" * 100), 50))
    with pytest.raises(TooLargeError):
        counted.read()


cells = (
    st.text(max_size=12)
    | st.text('",;\n\r\t\\ \x00a1.é\u0301', max_size=12)
    | st.sampled_from(["9" * 5_000, "[" * 3_000])
)
FIELDS = [*HEADER.split(","), "description", "active", "attributes", "stock"]


def become(lines: list[FileLine], mapping: Columns = PLAIN) -> tuple[int, int]:
    """Return how many lines became products, and how many were told."""
    taken = told = 0
    for line in lines:
        if line.record is None:
            assert line.problem
            told += line.lines
            continue
        try:
            assert isinstance(to_row(line.number, line.record, mapping, cells=line.cells), ImportRow)
            taken += line.lines
        except InvalidError:
            told += line.lines
    return taken, told


def numbered(lines: list[FileLine]) -> list[int]:
    return [number for line in lines for number in range(line.number, (line.last or line.number) + 1)]


@given(st.binary(max_size=400) | st.text('",\n\r;a1é', max_size=400).map(str.encode))
@settings(deadline=None)
def test_no_line_of_any_csv_vanishes_unsaid(content: bytes) -> None:
    whole = f"{HEADER}\n".encode() + content
    lines = read(whole)
    # What no line tells of has nothing but delimiters and spaces.
    physical = io.TextIOWrapper(io.BytesIO(whole), encoding="utf-8-sig", errors="surrogateescape", newline="")
    blank = {n for n, text in enumerate(physical, 1) if not text.replace(",", "").replace('"', "").strip()}
    told = numbered(lines)
    assert told == sorted(set(told))
    assert set(range(2, max(1, _count(whole)) + 1)) <= set(told) | blank
    become(lines)


def _count(content: bytes) -> int:
    return sum(1 for _ in io.TextIOWrapper(io.BytesIO(content), errors="surrogateescape", newline=""))


@given(st.lists(st.lists(cells, min_size=len(FIELDS), max_size=len(FIELDS)), max_size=5), st.sampled_from(",;\t|"))
@settings(deadline=None)
def test_any_cells_are_imported_or_told(rows: list[list[str]], sign: str) -> None:

    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=sign, quoting=csv.QUOTE_ALL)
    writer.writerow(FIELDS)
    writer.writerows(rows)
    lines = read(text.getvalue().encode("utf-8", "replace"))
    assert len(lines) == sum(any(cell.strip() for cell in row) for row in rows)
    become(lines)
    become(lines, make_mapping(("name=brand", "brand=name", "price="), ("price=1.50",), "major"))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | cells,
    lambda inner: st.lists(inner) | st.dictionaries(cells, inner),
)


@given(st.lists(st.dictionaries(st.sampled_from(FIELDS) | cells, values) | values, max_size=4), st.binary(max_size=40))
@settings(max_examples=40, deadline=None)
def test_any_json_is_imported_or_told(records: list[Any], more: bytes) -> None:
    content = b"\n".join(json.dumps(one).encode() for one in records) + b"\n" + more.replace(b"\n", b"")
    lines = read(content, name="c.jsonl")
    assert len(lines) == len([line for line in content.split(b"\n") if line.strip()])
    become(lines)
    become(lines, make_mapping(("a=name",), ("stock=1.0",), "major"))


@pytest.mark.parametrize("attributes", ["[" * 100_000, '{"a":' * 5_000 + "1" + "}" * 5_000, "9" * 5_000, "{", "1"])
def test_attributes_that_are_none_are_told(attributes: str) -> None:
    record = dict.fromkeys(HEADER.split(","), "x") | {"price": "1", "currency": "EUR", "attributes": attributes}
    with pytest.raises(InvalidError, match="attributes: ") as caught:
        to_row(1, record, PLAIN, cells=True)
    assert len(caught.value.detail) < 300


def test_ids_have_one_form() -> None:
    record = dict.fromkeys(HEADER.split(","), "x") | {"price": "1", "currency": " EUR "}
    for given_id in (" caf\u00e9 ", "cafe\u0301", "\u00a0caf\u00e9\ufeff"):
        row = to_row(1, record | {"product_id": given_id}, PLAIN, cells=True)
        assert isinstance(row, ImportRow)
        assert row.product.product_id == "caf\u00e9"


def test_a_currency_is_one_of_iso_4217() -> None:
    record = dict.fromkeys(HEADER.split(","), "x") | {"price": "1", "currency": "ABC"}
    with pytest.raises(InvalidError, match="'ABC' is no currency of ISO 4217"):
        to_row(1, record, PLAIN, cells=True)


def test_a_swallowed_row_is_known_by_its_numbers() -> None:
    columns = f"{HEADER},description"
    rows = [
        "q1,Lamp,L,C,1,EUR,bright",
        'q2,"Chair, big",L,C,2,EUR,"good',
        "q3,Desk,L,C,3,EUR,a desk",
        'q4,Shelf,L,C,4,EUR,"',
    ]
    lines = read("\n".join([columns, *rows]))
    assert [(first, last) for first, last, _ in wrong(lines)] == [(3, 5)]
    prose = 'q2,Chair,L,C,2,EUR,"in red, blue,\nblack, white, pink, grey, 3, silver, gold\nor, or, or, or, or, or, or"'
    assert wrong(read("\n".join([columns, rows[0], prose]))) == []


def test_problems_of_a_line_are_bounded() -> None:
    with pytest.raises(InvalidError) as caught:
        to_row(1, {f"{n}" * 1_000: n for n in range(2_000)}, PLAIN)
    assert len(caught.value.detail) < 8_000
    assert "more problems" in caught.value.detail


def test_a_field_that_no_line_has_is_refused_with_what_was_meant() -> None:
    raw = io.BytesIO(b'{"title": "a"}\n{"title": "b", "id": "1"}\n')
    with pytest.raises(InvalidError) as caught:
        check_lines(CatalogueFile(Path("c.jsonl"), raw), make_mapping(("ids=product_id", "title=name"), (), "major"))
    assert caught.value.fields == [("lines", "no field 'ids'; did you mean 'id'?")]
