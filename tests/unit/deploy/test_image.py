"""deploy/Containerfile: what goes into the image is what the package is, and what it is built with stays out."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "deploy" / "Containerfile").read_text()
BUILD, RUN = TEXT.split("\nFROM ${BASE}")[1:]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def copied() -> set[str]:
    """Return what is copied into the stage that builds."""
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", BUILD, re.MULTILINE)
    return {name for line in lines for name in line.split()}


def test_all_that_the_wheel_is_made_of_is_copied() -> None:
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["packages"], *wheel["force-include"], PROJECT["project"]["readme"], "pyproject.toml", "LICENSE"}
    assert needed | {"constraints.txt"} == copied()
    assert all((ROOT / name).exists() for name in copied())


def test_nothing_else_is_sent_to_the_builder() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert lines[0] == "*"
    assert {line.removeprefix("!") for line in lines if line[0] == "!"} == copied()


def test_its_extras_are_the_projects() -> None:
    [extras] = re.findall(r"^ARG EXTRAS=(\S+)$", BUILD, re.MULTILINE)
    assert set(extras.split(",")) <= PROJECT["project"]["optional-dependencies"].keys()
    assert "kubernetes" in extras.split(",")  # components/prewarm scales by it
    for other in ("deploy/image", "Makefile"):
        assert extras in (ROOT / other).read_text()


def test_nothing_that_builds_is_in_the_image() -> None:
    packages = re.findall(r"--no-install-recommends ([a-z0-9 -]+)", RUN)
    assert packages == ["python3 ca-certificates tzdata "]
    assert [line for line in RUN.splitlines() if line.startswith("COPY")] == [
        "COPY --from=build /opt/doorbuster /opt/doorbuster"
    ]
    assert "--without-pip /opt/doorbuster" in BUILD
    assert "--constraint constraints.txt" in BUILD


def test_it_runs_as_nobody_in_particular_and_writes_nothing() -> None:
    assert re.findall(r"^USER (\S+)$", TEXT, re.MULTILINE) == ["10001:10001"]
    assert RUN.rindex("USER") < RUN.rindex("CMD")
    assert "PYTHONDONTWRITEBYTECODE=1" in RUN
    web = (ROOT / "Procfile").read_text().splitlines()[0].partition(" gunicorn ")[2]
    assert re.findall(r'^CMD \["gunicorn", "-c", "(.+)"\]$', RUN, re.MULTILINE) == [web.removeprefix("-c ")]
    assert re.findall(r"^EXPOSE (\d+)$", RUN, re.MULTILINE) == ["8000"]


def test_no_host_of_a_registry_is_named() -> None:
    assert re.findall(r"^ARG BASE=(\S+)$", TEXT, re.MULTILINE) == ["debian:trixie-slim"]
    assert not re.search(r"docker\.io|ghcr\.|quay\.|https?://", TEXT + (ROOT / "deploy" / "image").read_text())
