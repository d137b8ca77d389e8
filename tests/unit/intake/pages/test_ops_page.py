"""What the page of ops keeps beside the server's own truth is held to it; nothing of it comes from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from doorbuster.contract.problems import FAULTS
from doorbuster.values.currencies import EXPONENTS
from intake.pages.ops_page import FILES
from tests.fixtures.files import files_under

OURS = [path for path in files_under(FILES, "*.js") if "uplot" not in path.parts]


def test_currencies_have_the_digits_that_the_server_counts() -> None:
    text = (FILES / "currencies.js").read_text()
    shown = {code: int(digits) for digits, codes in re.findall(r'(\d): "([A-Z ]+)"', text) for code in codes.split()}
    assert shown == {code: digits for code, digits in EXPONENTS.items() if digits != 2}


@pytest.mark.parametrize("name", ["problems", "refusals"])
def test_codes_that_have_words_are_codes(name: str) -> None:
    text = (FILES / "texts.js").read_text()
    section = re.search(rf"^  {name}: {{\n(.*?)^  }},", text, re.MULTILINE | re.DOTALL)
    assert section is not None
    codes = set(re.findall(r"(\w+): \"", section[1]))
    assert len(codes) > 5
    assert codes <= FAULTS.keys() | {"unreachable"}


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_scripts_make_no_markup_of_text_and_call_no_other_server(path: Path) -> None:
    text = getattr(path, "read_text")()  # noqa: B009
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "localStorage",
    ):
        assert word not in text
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    assert text.startswith("//")  # says what it owns
    assert len(text.splitlines()) <= 400


def test_the_chart_library_keeps_its_licence() -> None:
    assert "MIT License" in (FILES / "uplot" / "LICENSE").read_text()
    assert "v1.6.32" in (FILES / "uplot" / "uPlot.esm.js").read_text()[:500]
