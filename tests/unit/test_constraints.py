"""The constraints: one version of every package, within the bounds of pyproject.toml, and nothing else."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
LINES = (ROOT / "constraints.txt").read_text().splitlines()
LINE = re.compile(r'(?P<name>[a-z0-9-]+)==(?P<version>[0-9][0-9A-Za-z.+!]*)( ; python_version == "3\.\d+")?')
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
DIRECT = [
    Requirement(text)
    for text in (*PROJECT["dependencies"], *(text for extra in EXTRAS.values() for text in extra))
    if not text.startswith("doorbuster[")
]


def pinned() -> dict[str, set[Version]]:
    """Return the versions by name; several where Pythons differ."""
    found: dict[str, set[Version]] = {}
    for line in LINES:
        if match := LINE.fullmatch(line):
            found.setdefault(match["name"], set()).add(Version(match["version"]))
    return found


def test_a_line_is_a_name_and_a_version() -> None:
    assert [line for line in LINES if not LINE.fullmatch(line)] == []
    assert len(set(LINES)) == len(LINES) > len(DIRECT)


@pytest.mark.parametrize(
    "line",
    [
        "falcon>=4", "falcon", "# falcon==4.4.0", "falcon @ file:///home/falcon", "falcon==4.4.0 --hash=sha256:00",
        "--index-url https://packages.example/simple", "falcon==https://packages.example/falcon.whl", "falcon==4.*",
        "-e .",
    ],
)  # fmt: skip
def test_other_lines_are_none(line: str) -> None:
    assert LINE.fullmatch(line) is None


@pytest.mark.parametrize("needed", DIRECT, ids=str)
def test_a_dependency_has_a_floor_a_ceiling_and_a_version_between(needed: Requirement) -> None:
    assert sorted(bound.operator for bound in needed.specifier) == ["<", ">="]
    versions = pinned()[canonicalize_name(needed.name)]
    assert [version for version in versions if version not in needed.specifier] == []


def _needed_by_all() -> set[str]:
    """Return what is needed, through whatever needs it, as the installed packages say."""
    found: set[str] = set()
    todo = [*DIRECT]
    while todo:
        needed = todo.pop()
        asked = {"", *needed.extras}
        name = canonicalize_name(needed.name)
        if {f"{name}[{extra}]" for extra in asked} <= found:
            continue
        found |= {f"{name}[{extra}]" for extra in asked}
        try:
            onward = [Requirement(text) for text in requires(name) or []]
        except PackageNotFoundError:
            continue
        todo += [
            one for one in onward
            if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in asked)
        ]  # fmt: skip
    return {name.partition("[")[0] for name in found}


def test_every_package_that_is_installed_has_its_version() -> None:
    names = _needed_by_all()
    assert len(names) > len(DIRECT)  # it saw more than the first step
    assert names - set(pinned()) == set()


def test_make_installs_by_the_constraints() -> None:
    makefile = (ROOT / "Makefile").read_text()
    installs = re.findall(r"pip install (?:.*\\\n)*.*", makefile)
    assert len(installs) == 2
    assert [text for text in installs if "--constraint " not in text] == []


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("constraints", ROOT / ".ci" / "constraints.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_where_pythons_differ_a_line_says_for_which_it_holds() -> None:
    lines: list[str] = _script().merged({"3.11": {"a": "1", "b": "1"}, "3.13": {"a": "1", "b": "2", "c": "3"}})
    assert lines == ["a==1", 'b==1 ; python_version == "3.11"', 'b==2 ; python_version == "3.13"', "c==3"]
    assert [line for line in lines if not LINE.fullmatch(line)] == []


def test_the_oldest_are_the_floors_and_the_rest_stays() -> None:
    script = _script()
    oldest, newest = (script.loosened(script.floors(), oldest=oldest) for oldest in (True, False))
    floors = {canonicalize_name(one.name): min(b.version for b in one.specifier) for one in DIRECT}
    needed = {canonicalize_name(Requirement(text).name) for text in PROJECT["dependencies"]}
    assert {line for line in oldest if line not in newest} == {f"{name}=={floors[name]}" for name in needed}
    assert set(newest) < set(LINES)
    assert len(LINES) - len(newest) == len(needed) + 1  # asyncpg-stubs follows asyncpg
