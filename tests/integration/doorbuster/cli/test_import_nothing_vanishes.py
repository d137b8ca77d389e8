"""`doorbuster import` loses nothing unsaid: what is not imported is told by number, what is missing changes nothing."""

from __future__ import annotations

import asyncio
import csv
import gzip
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from tests.fixtures.up import COMMAND, clean_environment, doorbuster
from tests.fixtures.waiting import eventually

if TYPE_CHECKING:
    from db.connections.pool import Connection

HEADER = "product_id,name,brand,category,price,currency"
PEAK_MAX_KB = 200_000


async def run(url: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(doorbuster, "import", *arguments, env={"DATABASE_URL": url})


async def ids(db: Connection) -> list[str]:
    return [row["product_id"] for row in await db.fetch("select product_id from products order by 1")]


async def product(db: Connection, product_id: str) -> dict[str, Any]:
    row = await db.fetchrow("select * from products where product_id = $1", product_id)
    assert row is not None
    return dict(row)


async def logged(db: Connection) -> list[dict[str, Any]]:
    return [row["change"] for row in await db.fetch("select change from ops_log where action = 'import' order by 1")]


async def went_in(db: Connection, products: int) -> bool:
    return any(change["imported"] >= products for change in await logged(db))


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(*lines: str, name: str = "c.csv") -> Path:
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


async def test_a_stray_quote_tells_both_lines(db: Connection, database_url: str, write: Any) -> None:
    lines = ("q1,Lamp,L,C,1,EUR", 'q2,"Chair,L,C,2,EUR', 'q3,"Desk, oak",L,C,3,EUR', "q4,Shelf,L,C,4,EUR")
    done = await run(database_url, write(HEADER, *lines))
    assert (done.returncode, done.stdout) == (1, "imported 2 products, 2 bad lines\n")
    assert done.stderr.startswith("lines 3 to 4: ")
    assert await ids(db) == ["q1", "q4"]


@pytest.mark.parametrize(
    "line",
    [
        {"price": "9" * 5_000},
        {"stock": "9" * 5_000},
        {"attributes": "[" * 100_000},
        {"attributes": "{" + '"a":{' * 1_500 + "}" * 1_501},
        {"attributes": "9" * 5_000},
        {"name": "\0"},
        {"description": "a\0b"},
        {"active": "²"},
        {"currency": "EURO"},
        {"product_id": "a/b"},
    ],
    ids=lambda line: next(iter(line)),
)
async def test_an_odd_cell_is_told_and_the_rest_imported(
    db: Connection, database_url: str, tmp_path: Path, line: dict[str, str]
) -> None:
    good = {"name": "n", "brand": "b", "category": "c", "price": "1", "currency": "EUR", "stock": "2", "active": "yes"}
    rows = [good | {"product_id": f"p{n}"} for n in range(4)]
    rows[2] |= line
    names = [*HEADER.split(","), "stock", "active", "attributes", "description"]
    path = tmp_path / "c.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    done = await run(database_url, path)
    assert (done.returncode, done.stdout) == (1, "imported 3 products, 1 bad lines\n")
    assert done.stderr.startswith(f"line 4: {next(iter(line))}: ")
    assert len(done.stderr) < 400
    assert await ids(db) == ["p0", "p1", "p3"]
    assert await logged(db) == [{"imported": 3, "rejected": 1}]


async def test_a_column_of_prices_with_decimals_is_refused_whole(db: Connection, database_url: str, write: Any) -> None:
    path = write(HEADER, "sofa,Sofa,L,C,500,USD", "lamp,Lamp,L,C,69.99,USD", "mat,Mat,L,C,5.00 USD,USD")
    done = await run(database_url, path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "2 of 3 prices have decimals, the first in line 3: '69.99'" in done.stderr
    assert "--price-unit major" in done.stderr
    assert await ids(db) == []
    assert (await run(database_url, path, "--price-unit", "major")).returncode == 0
    prices = await db.fetch("select product_id, price from products order by 1")
    assert [tuple(row) for row in prices] == [("lamp", 6_999), ("mat", 500), ("sofa", 50_000)]
    again = await run(database_url, path, "--price-unit", "minor")
    assert (again.returncode, again.stdout) == (1, "imported 2 products, 1 bad lines\n")


async def test_json_lines_with_decimals_are_refused_whole_too(db: Connection, database_url: str, write: Any) -> None:
    base = {"name": "n", "brand": "b", "category": "c", "currency": "KWD"}
    path = write(*(json.dumps(base | {"product_id": f"p{n}", "price": n * 0.5}) for n in range(4)), name="c.jsonl")
    done = await run(database_url, path)
    assert done.returncode == 2
    assert "2 of 4 prices have decimals, the first in line 2: 0.5" in done.stderr
    assert (await run(database_url, path, "--price-unit", "major")).returncode == 0
    assert await db.fetchval("select array_agg(price order by price) from products") == [0, 500, 1_000, 1_500]


async def test_what_a_file_does_not_have_stays(db: Connection, database_url: str, write: Any) -> None:
    full = f"{HEADER},active,description,attributes,stock"
    first = write(full, 'p,Lamp,L,C,1,EUR,no,Bright,"{""watt"": 9}",5')
    assert (await run(database_url, first)).returncode == 0
    assert (await run(database_url, write(HEADER, "p,Lamp,L,C,2,EUR", "new,New,L,C,2,EUR"))).returncode == 0
    line = {"product_id": "p", "name": "Lamp", "brand": "L", "category": "C", "price": 3, "currency": "EUR"}
    assert (await run(database_url, write(json.dumps(line), name="c.jsonl"))).returncode == 0
    stored = await product(db, "p")
    assert (stored["price"], stored["version"]) == (3, 3)
    assert (stored["active"], stored["description"], stored["attributes"]) == (False, "Bright", {"watt": 9})
    new = await product(db, "new")
    assert (new["active"], new["description"], new["attributes"]) == (True, None, {})
    # A column that is there and empty is a word: no description any more.
    assert (await run(database_url, write(f"{HEADER},description,active", "p,Lamp,L,C,3,EUR,,"))).returncode == 0
    stored = await product(db, "p")
    assert (stored["active"], stored["description"], stored["attributes"]) == (False, None, {"watt": 9})


async def test_a_product_that_stands_twice_is_told(db: Connection, database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    many = [f"p{n},Lamp,L,C,{n},EUR" for n in range(1_500)]
    path.write_text("\n".join([HEADER, *many, "p0,Lamp,L,C,7,EUR", " p1 ,Lamp,L,C,8,EUR", "p1,Lamp,L,C,9,EUR"]))
    done = await run(database_url, path)
    assert (done.returncode, done.stdout) == (1, "imported 1500 products, 0 bad lines, 3 doubled\n")
    assert sorted(line.partition(":")[0] for line in done.stderr.splitlines()) == [
        "line 1502",
        "line 1503",
        "line 1504",
    ]
    assert "product_id 'p0' stands in line 2 already; the later one counts" in done.stderr
    assert [(await product(db, one))["price"] for one in ("p0", "p1", "p2")] == [7, 9, 2]
    assert (await logged(db))[0]["imported"] == 1_500


async def test_the_header_is_checked_once(db: Connection, database_url: str, write: Any) -> None:
    path = write("Variant SKU,Title,Price", *(f"a{n},b,1" for n in range(50)))
    done = await run(database_url, path, "--map", "Variant SKUs=product_id", "--map", "Title=name")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no column 'Variant SKUs'; did you mean 'Variant SKU'?" in done.stderr
    assert len(done.stderr.splitlines()) < 5
    done = await run(database_url, write(f"{HEADER},colour", "a,b,c,d,1,EUR,red"))
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "not known here: 'colour'" in done.stderr
    assert await ids(db) == []


async def test_like_problems_are_counted_after_twenty(database_url: str, write: Any, tmp_path: Path) -> None:
    lines = [f"a{n},n,b,c,x{n},EUR" for n in range(1_000)]
    done = await run(database_url, write(HEADER, *lines), "--errors", tmp_path / "bad.csv")
    told = done.stderr.splitlines()
    assert (len(told), told[19].partition(":")[0]) == (21, "line 21")
    assert told[20].startswith("980 more lines like line 2 (")
    assert told[20].endswith(": 22 to 1001")
    with (tmp_path / "bad.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 1_000
    assert (rows[999]["product_id"], rows[999]["import_lines"]) == ("a999", "1001")
    assert "'x999' is no price" in rows[999]["import_problem"]


@pytest.mark.parametrize("name", ["c.csv", "c.jsonl"])
async def test_the_file_of_bad_lines_can_be_put_right_and_imported(
    db: Connection, database_url: str, write: Any, tmp_path: Path, name: str
) -> None:
    errors = tmp_path / f"bad-{name}"
    if name.endswith("csv"):
        path = write(HEADER, "a,n,b,c,cheap,EUR", 'b,"n,b,c,1,EUR', 'c,"n",b,c,1,EUR', "d,n,b,c,1,EUR", name=name)
    else:
        line = {"product_id": "a", "name": "n", "brand": "b", "category": "c", "price": "cheap", "currency": "EUR"}
        path = write(json.dumps(line), "{", "[]", json.dumps(line | {"price": 1, "product_id": "d"}), name=name)
    done = await run(database_url, path, "--errors", errors)
    assert done.stdout == "imported 1 products, 3 bad lines\n"
    text = errors.read_text()
    assert "is no price" in text
    errors.write_text(text.replace("cheap", "1").partition('"b,')[0])
    done = await run(database_url, errors)
    assert (
        (done.returncode, done.stdout) == (0, "imported 1 products, 0 bad lines\n") if name.endswith("csv") else (1, "")
    )
    assert await ids(db) == ["a", "d"]


async def test_a_rehearsal_keeps_nothing(db: Connection, database_url: str, write: Any) -> None:
    assert (await run(database_url, write(HEADER, "a,n,b,c,1,EUR"))).returncode == 0
    path = write(HEADER, "a,n,b,c,2,EUR", "b,n,b,c,1,EUR", "c,n,b,c,x,EUR", "b,n,b,c,1,EUR")
    done = await run(database_url, path, "--dry-run")
    assert done.returncode == 1
    assert done.stdout == "would import 2 products, 1 bad lines, 1 doubled, 1 new and 1 changed; nothing was kept\n"
    assert (await ids(db), (await product(db, "a"))["price"]) == (["a"], 1)
    assert len(await logged(db)) == 1


async def test_standard_input_is_read(db: Connection, database_url: str) -> None:
    def piped(content: bytes, *more: str) -> subprocess.CompletedProcess[bytes]:
        environment = clean_environment(DATABASE_URL=database_url)
        command = [str(COMMAND), "import", "-", *more]
        return subprocess.run(command, input=content, env=environment, capture_output=True, timeout=60, check=False)

    done = await asyncio.to_thread(piped, f"{HEADER}\na,n,b,c,1.50,EUR\n".encode(), "--price-unit", "major")
    assert (done.returncode, done.stdout) == (0, b"imported 1 products, 0 bad lines\n")
    done = await asyncio.to_thread(piped, gzip.compress(f"{HEADER}\nb,n,b,c,1,EUR\n".encode()))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"imported 1 products, 0 bad lines\n", b"")
    assert await ids(db) == ["a", "b"]


async def test_an_import_that_dies_is_in_the_log_with_what_went_in(
    db: Connection, database_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "c.jsonl"
    lines = "".join(
        json.dumps({"product_id": f"p{n}", "name": "n", "brand": "b", "category": "c", "price": 1, "currency": "EUR"})
        + "\n"
        for n in range(2_500)
    )
    path.write_text(lines)
    # Its third transaction meets a lock that this test holds, and then the process is killed.
    blocker = await asyncpg.connect(database_url)
    async with blocker.transaction():
        await blocker.execute(
            "insert into products (product_id, name, brand, category, price, currency)"
            " values ('p2400', 'n', 'b', 'c', 1, 'EUR')"
        )
        environment = clean_environment(DATABASE_URL=database_url)
        process = await asyncio.create_subprocess_exec(
            str(COMMAND), "import", str(path), env=environment, stderr=subprocess.PIPE
        )
        await eventually(lambda: went_in(db, 2_000), what="two chunks to be in")
        process.send_signal(signal.SIGKILL)
        await process.communicate()
    await blocker.close()
    assert await logged(db) == [{"imported": 2_000, "rejected": 0, "unfinished": True}]


async def test_large_lines_take_little_memory(db: Connection, database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb.jsonl.gz"
    base = {"name": "n", "brand": "b", "category": "c", "price": 1, "currency": "EUR"}
    with gzip.open(path, "wb", compresslevel=9) as file:
        for n in range(60):
            file.write(json.dumps(base | {"product_id": f"small{n}"}).encode() + b"\n")
            large = {"a": "x" * 1_000_000} if n % 2 else {"a": [{}] * 60_000}
            file.write(json.dumps(base | {"product_id": f"large{n}", "attributes": large}).encode() + b"\n")
    # VmHWM and not ru_maxrss, which begins with what the process that forked had.
    program = (
        "import re, sys; from pathlib import Path; from doorbuster.cli.app import run; code = run(sys.argv[1:]);"
        "print(re.search(r'VmHWM:\\s*(\\d+)', Path('/proc/self/status').read_text())[1]); sys.exit(code)"
    )
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program, "import", str(path)],
        env=clean_environment(DATABASE_URL=database_url), capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    said, peak = done.stdout.splitlines()
    assert (done.returncode, said) == (0, "imported 120 products, 0 bad lines"), done.stderr
    assert int(peak) < PEAK_MAX_KB


async def test_a_preset_takes_a_shop_s_export(db: Connection, database_url: str) -> None:
    sample = Path(__file__).parents[3] / "samples" / "shopify.csv"
    done = await run(database_url, sample, "--preset", "shopify", "--default", "currency=EUR")
    assert done.stdout == "imported 4 products, 1 bad lines, 1 image rows left out\n"
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert await db.fetchval("select stock from stock where product_id = 'NL-RJ-S-YE'") == 12


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--map", "a=name", "--map", "a=brand"), "'a' is given twice"),
        (("--delimiter", "ab"), "'ab' is neither one character nor 'tab'"),
        (("--preset", "oscommerce"), "'oscommerce' is not one of"),
        (("--errors", "{file}"), "is the file to import"),
        (("--errors", "/nowhere/bad.csv"), "cannot write /nowhere/bad.csv"),
        (("--format", "jsonl", "--preset", "google"), "--preset: is for CSV"),
        (("--format", "jsonl", "--delimiter", ";"), "--delimiter: is for CSV"),
    ],
)
async def test_options_that_do_not_fit_are_refused(
    db: Connection, database_url: str, write: Any, options: tuple[str, ...], says: str
) -> None:
    path = write(HEADER, "a,n,b,c,1,EUR")
    done = await run(database_url, path, *(one.format(file=path) for one in options))
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert await ids(db) == []
