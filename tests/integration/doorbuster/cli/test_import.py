"""`doorbuster import` against a real database: good lines in, bad lines told, again is safe."""

from __future__ import annotations

import asyncio
import gzip
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from db.products.search import rarities
from tests.fixtures.up import doorbuster

if TYPE_CHECKING:
    from collections.abc import Callable

    from db.connections.pool import Connection

ICECAT = Path(__file__).parents[5] / "shared" / "data" / "icecat_products.jsonl.gz"


def _line(number: int, **changes: object) -> str:
    product = {
        "product_id": f"p{number}",
        "name": f"Lamp {number}",
        "brand": "Lux",
        "category": "Lighting",
        "price": 1999,
        "currency": "EUR",
        "stock": 5,
    }
    return json.dumps(product | changes)


async def _import(url: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(doorbuster, "import", *arguments, env={"DATABASE_URL": url})


async def test_lines_become_products_with_stock(db: Connection, database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "catalogue.jsonl.gz"
    file.write_bytes(gzip.compress("\n".join(_line(n) for n in range(2_500)).encode()))
    done = await _import(database_url, file)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "imported 2500 products, 0 bad lines\n"
    assert await db.fetchval("select count(*) from products") == 2_500
    assert await db.fetchval("select sum(stock) from stock where stock = received") == 12_500


async def test_search_knows_at_once_which_words_are_common(db: Connection, database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "catalogue.jsonl"
    file.write_text("\n".join(_line(n, name=f"Lamp {'theremin' if n < 20 else 'plain'} {n}") for n in range(1_000)))
    assert (await _import(database_url, file)).returncode == 0
    told = await rarities(db, ["lamp", "theremin", "the"], timeout_s=5)
    assert told["the"] == 0
    assert told["lamp"] < told["theremin"]


async def test_again_changes_prices_but_receives_nothing_twice(
    db: Connection, database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "catalogue.jsonl"
    file.write_text(_line(1))
    await _import(database_url, file)
    file.write_text(_line(1, price=999))
    assert (await _import(database_url, file)).returncode == 0
    assert await db.fetchval("select price from products") == 999
    assert await db.fetchval("select received from stock") == 5


async def test_bad_lines_are_told_by_number_and_the_rest_imported(
    db: Connection, database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "catalogue.jsonl"
    file.write_text("\n".join([_line(1), "{", _line(3, price="dear"), "", _line(5, colour="red"), _line(6)]))
    done = await _import(database_url, file)
    assert done.returncode == 1
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["line 2", "line 3", "line 5"]
    assert "colour: is not known here" in done.stderr
    assert await db.fetchval("select array_agg(product_id order by 1) from products") == ["p1", "p6"]


async def test_csv_with_a_mapping(db: Connection, database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "catalogue.csv"
    file.write_text("sku,name,brand,price,colour\n1,Lamp,Lux,1999,red\n2,Bulb,Lux,cheap,\n")
    maps = ("--map", "sku=product_id", "--default", "category=Lighting", "--default", "currency=EUR")
    done = await _import(database_url, file, *maps)
    assert (done.returncode, done.stdout) == (1, "imported 1 products, 1 bad lines\n")
    assert done.stderr.startswith("line 3: price: ")
    assert json.loads(await _json(db)) == {"colour": "red"}


async def _json(db: Connection) -> str:
    text: str = await db.fetchval("select attributes::text from products")
    return text


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (lambda packed: packed[:-20], "{file} ends too early"),
        (lambda packed: packed[:-8] + b"\0" * 8, "cannot read {file}"),
        (lambda packed: packed + b"rest", "cannot read {file}"),
    ],
    ids=["cut", "checksum", "rest"],
)
async def test_what_stands_before_the_break_of_a_gzip_is_imported(
    db: Connection, database_url: str, tmp_path: Path, broken: Callable[[bytes], bytes], says: str
) -> None:
    file = tmp_path / "catalogue.jsonl.gz"
    file.write_bytes(broken(gzip.compress("\n".join(_line(n) for n in range(1_500)).encode())))
    done = await _import(database_url, file)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert done.stderr.startswith(f"doorbuster: {says.format(file=file)}")
    imported = await db.fetchval("select count(*) from products")
    assert imported > 1_000  # more than the whole chunks
    assert done.stdout == f"imported {imported} products, 0 bad lines\n"
    noted = await db.fetchval("select change from ops_log where action = 'import'")
    assert noted["imported"] == imported


async def test_a_gzip_with_wrong_codes_ends_with_one_line(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "catalogue.jsonl.gz"
    file.write_bytes(gzip.compress(b"")[:10] + b"\xff" * 100)
    done = await _import(database_url, file)
    assert (done.returncode, done.stdout) == (2, "imported 0 products, 0 bad lines\n")
    assert done.stderr.startswith(f"doorbuster: cannot read {file}: ")
    assert len(done.stderr.splitlines()) == 1


async def test_a_csv_that_is_not_utf_8_is_told_in_one_line(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "catalogue.csv"
    file.write_bytes("product_id,name\n1,Lamp\n".encode("utf-16"))
    done = await _import(database_url, file)
    assert done.returncode == 1
    assert done.stderr == "line 1: is not UTF-8; save the file as UTF-8 (in Excel: CSV UTF-8)\n"


async def test_a_database_that_is_not_there_ends_with_exit_code_1(tmp_path: Path) -> None:
    file = tmp_path / "catalogue.jsonl"
    file.write_text(_line(1))
    done = await _import(f"postgresql://postgres@/x?host={tmp_path}", file)
    assert done.returncode == 1
    assert done.stderr.startswith("doorbuster: the database does not answer")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(not ICECAT.exists(), reason=f"{ICECAT} is missing")
async def test_a_real_catalogue(db: Connection, database_url: str) -> None:
    maps = ["id=product_id", "title=name", "supplier=brand", "short_description=description"]
    options = [part for pair in maps for part in ("--map", pair)]
    defaults = ("--default", "category=Electronics", "--default", "currency=EUR")
    done = await _import(database_url, ICECAT, *options, *defaults)
    imported = await db.fetchval("select count(*) from products")
    assert imported + len(done.stderr.splitlines()) == 19_406, done.stderr[-2_000:]
    assert imported > 19_300
