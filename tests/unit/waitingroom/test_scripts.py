"""The scripts as texts: put together once, headed, and building no keys of their own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.fixtures.files import files_under
from waitingroom.script_loader import FOLDER, source_of
from waitingroom.simulator.clock import VIRTUAL

VERBS = [path.stem for path in files_under(FOLDER, "*.lua", but=("shared",))]


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_is_whole_and_has_each_shared_piece_once(verb: str) -> None:
    source = source_of(verb)
    assert "include:" not in source
    defined = re.findall(r"^local function (\w+)", source, re.MULTILINE)
    assert len(defined) == len(set(defined))


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_says_what_it_takes_and_gives(verb: str) -> None:
    head = (FOLDER / f"{verb}.lua").read_text().split("\n\nlocal", 1)[0]
    assert head.startswith("-- ")
    assert "KEYS[1" in head
    assert "-- Result" in head
    keys = {int(number) for number in re.findall(r"KEYS\[(\d+)\]", source_of(verb))}
    assert keys <= {1, 2, 3, 4, 5, 6, 7, 8}


@pytest.mark.parametrize("path", files_under(FOLDER, "*.lua"), ids=lambda path: path.stem)
def test_a_script_builds_no_key_and_takes_the_time_from_one_place(path: Path) -> None:
    text = path.read_text()
    assert "doorbuster" not in text
    assert ("'TIME'" in text) == (path.stem == "clock")


def test_the_virtual_clock_replaces_the_servers() -> None:
    virtual = source_of("tick", VIRTUAL)
    assert "virtual_ms" in virtual
    assert "'TIME'" not in virtual
    assert "virtual_ms" not in source_of("tick")
