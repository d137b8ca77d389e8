"""A thing ranks before what is made for it; names made of words that do not count are found; in both backends."""

from __future__ import annotations

from catalogue.search.interface import Suggestion
from db.connections import pool as pools
from tests.fixtures.search import Refill, Searching, fill

Row = tuple[str, str, str]

COMPUTERS: dict[str, Row] = {
    "battery": ("Laptop Battery", "Origin", "Batteries"),
    "cooler": ("Laptop Cooler", "Startech", "Accessories"),
    "sleeve": ("Laptop Sleeve 15", "Urban", "Laptop Sleeves"),
    "laptop": ("Lenovo ThinkPad X1 Carbon Gen 9 14 inch laptop 16 GB RAM 512 GB SSD Windows 11", "Lenovo", "Laptops"),
    "book": ("HP Compaq 6730s Notebook PC 15.4 inch", "HP", "Computers > Notebooks"),
    "air": ("Apple MacBook Air 13", "Apple", "Laptops"),
    "cartridge": ("Canon Magenta Laser Printer Toner Cartridge", "Canon", "Supplies"),
    "drum": ("Brother Drum for Laser Printer", "Brother", "Supplies"),
    "printer": ("Xerox Phaser 5550V DN laser printer 1200 x 1200 DPI A3 duplex network", "Xerox", "Printers"),
    "paper": ("Laser printer paper A4", "Mondi", "Paper"),
}
KITCHEN: dict[str, Row] = {
    "machine": ("De'Longhi Magnifica ECAM 22.110 fully automatic coffee machine with frother", "", "Coffee Machines"),
    "descaler": ("Coffee machine descaler", "Durgol", "Care"),
    "capsules": ("Coffee machine capsules 100", "Nes", "Coffee"),
    "bike": ("Cube Touring One city bike 28 inch 2026 grey and blue", "Cube", "Bikes"),
    "lock": ("Bike lock", "Abus", "Locks"),
    "rack": ("Bike Rack", "Thule", "Racks"),
    "phone": ("Samsung Galaxy S26 smartphone 256 GB titanium black", "Samsung", "Phones & Tablets"),
    "case": ("Phone case", "Spigen", "Cases"),
    "stand": ("Phone stand", "Ugreen", "Phone Accessories"),
}  # fmt: skip
MUSIC: dict[str, Row] = {
    "live": ("The Who Live", "The Who", "Records"),
    "cake": ("Who ate the cake", "Puffin", "Books"),
    "it": ("It", "King", "Novels"),
    "fix": ("How to fix it yourself", "Puffin", "Books"),
    "onoff": ("Lamp switch", "Lux", "On & Off"),
    "band": ("Debut", "The The", "Records"),
    "then": ("Now and Then", "Apple", "Singles"),
}
ALL = MUSIC | COMPUTERS | {"bag": ("Крафт-пакет Ｎ°5 „Ёлка“", "H&M", "A&E")}  # noqa: RUF001 - as shops write


async def stocked(db: pools.Connection, refill: Refill, rows: dict[str, Row]) -> None:
    await db.execute("truncate products cascade")
    await fill(db, {product_id: (*row, 100, None, {}) for product_id, row in rows.items()})
    await refill()


ASKED = {
    "laptop": {"laptop", "book", "air"},
    "notebook": {"laptop", "book", "air"},
    "laptops": {"laptop", "book", "air"},
    "laser printer": {"printer"},
    "printer": {"printer"},
    "laptop battery": {"battery"},
    "printer paper": {"paper"},
    "toner cartridge": {"cartridge"},
    "coffee machine": {"machine"},
    "bike": {"bike"},
    "phone": {"phone"},
    "phone case": {"case"},
    "bike lock": {"lock"},
}


async def test_the_thing_comes_first(db: pools.Connection, searching: Searching, refill: Refill) -> None:
    await stocked(db, refill, COMPUTERS | KITCHEN)
    found = {asked: set((await searching.ids(asked))[: len(first)]) for asked, first in ASKED.items()}
    assert found == ASKED


async def test_names_of_words_that_do_not_count(db: pools.Connection, searching: Searching, refill: Refill) -> None:
    await stocked(db, refill, MUSIC)
    asked = ("The Who", "the who", "IT", "The The", "now and then", "On & Off")
    found = {text: await searching.ids(text) for text in asked}
    assert found["The Who"] == found["the who"]
    assert found["The Who"][:2] == ["live", "cake"]
    assert found["IT"][:2] == ["it", "fix"]
    assert found["The The"][0] == "band"
    assert found["now and then"][0] == "then"
    assert found["On & Off"][0] == "onoff"
    assert (await searching.ids("the who live"))[0] == "live"
    assert (await searching.page("the who", brands=("The Who",))).total == 1


async def test_what_is_suggested_is_found(db: pools.Connection, searching: Searching, refill: Refill) -> None:
    await stocked(db, refill, ALL)
    suggest = searching.backend.suggest
    assert Suggestion("brand", "The Who") in await suggest("the wh", 8)
    assert Suggestion("product", "The Who Live") in await suggest("the who", 8)
    for typed in (
        "the wh",
        "the",
        "it",
        "on",
        "th",
        "now a",
        "la",
        "h&",
        "a&",
        "крафт",
        "ёлк",
        "lenovo th",
        "de",
        "who",
    ):
        for one in await suggest(typed, 10):
            assert await _is_found(searching, one), (typed, one)


async def _is_found(searching: Searching, one: Suggestion) -> bool:
    ids = await searching.ids(one.text, limit=100)
    place = {"product": 0, "brand": 1, "category": 2}[one.kind]
    return any(ALL[product_id][place] == one.text for product_id in ids)
