"""The importers stand alone, so that each repeats what all need: that it is the same, and as in Doorbuster."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from typing import Any

import pytest

from doorbuster.values.currencies import EXPONENTS
from tests.fixtures.importers.systems import IMPORTERS, SHOPS, example

each = pytest.mark.parametrize("name", SHOPS)
SAME = re.compile(r"# ---- The same in each importer.*# ---- Only here", re.S)


def text(name: str) -> str:
    return (IMPORTERS / f"{name}.py").read_text()


def test_there_are_no_others() -> None:
    assert {path.stem for path in IMPORTERS.glob("*.py")} == set(SHOPS)


@each
def test_what_all_need_is_the_same(name: str) -> None:
    found, first = SAME.search(text(name)), SAME.search(text("shopify"))
    assert found is not None
    assert first is not None
    assert found[0] == first[0]


@each
def test_decimals_are_those_of_doorbuster(name: str) -> None:
    decimals = example(name).DECIMALS
    assert {code: decimals.get(code, 2) for code in EXPONENTS} == dict(EXPONENTS)


@each
@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [(4900, "EUR", "49.00"), (5, "EUR", "0.05"), (0, "EUR", "0.00"), (4900, "JPY", "4900"), (0, "JPY", "0"),
     (4900, "KWD", "4.900"), (1, "KWD", "0.001"), (1, "CLF", "0.0001"), (2**53 - 1, "EUR", "90071992547409.91"),
     (2**53 - 1, "JPY", "9007199254740991")],
)  # fmt: skip
def test_amounts(name: str, amount: int, currency: str, shown: str) -> None:
    class Told(example(name).Order):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            self.currency = currency

    assert Told().major(amount) == shown


@each
def test_it_needs_its_packages_alone(name: str) -> None:
    script = re.search(r"# /// script\n(.*?)# ///", text(name), re.S)
    assert script is not None
    said: dict[str, Any] = tomllib.loads(re.sub(r"^# ?", "", script[1], flags=re.M))
    packages = {re.split(r"[<>=]", one)[0] for one in said["dependencies"]}
    imported = set()
    for node in ast.walk(ast.parse(text(name))):
        if isinstance(node, ast.Import):
            imported |= {one.name.partition(".")[0] for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
    assert imported - sys.stdlib_module_names == packages
    assert all(re.search(r">=.*,<", one) for one in said["dependencies"])


@each
def test_its_head_says_why_once_and_how_far(name: str) -> None:
    head = ast.get_docstring(ast.parse(text(name))) or ""
    assert "Exactly once" in head
    assert "Limits:" in head


@each
def test_it_is_typed_throughout(name: str) -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--python-version", "3.11", str(IMPORTERS / f"{name}.py")],
        capture_output=True, text=True, check=False, cwd=IMPORTERS.parents[1],
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout
