"""The documents say what the code says: keys, settings, states, error codes, locks, words, links."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import annotated_types
import click
import pytest
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from db.orders.states import ALLOWED, FINAL, INITIAL, TAKES, Status
from db.query_files import load
from doorbuster import keys
from doorbuster.cli.app import cli
from doorbuster.contract.problems import FAULTS
from doorbuster.settings import Settings
from intake.orders.resources import BY_CUSTOMER
from intake.web.openapi.operations import OPERATIONS
from tests.fixtures.files import files_under
from workers.drain.decide import Poison, Reason
from workers.payments.reconcile import DECLINED, EXPIRED

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
DOCUMENTS = files_under(ROOT, "*.md", but=(".venv", "build", "node_modules", ".doorbuster", ".pytest_cache"))
LINES_MAX = 400
_COMMAND = re.compile(r"(?:^|[`/])doorbuster ([a-z][a-z-]*)\b(?: ([a-z][a-z-]*)\b)?", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
_WORDS = [
    "sale", "room", "ticket", "frontier", "admission", "order", "line", "reservation", "hold",
    "partition", "shift", "lease", "event", "fence", "cursor", "gate", "entry", "outbox",
]  # fmt: skip


def text_of(name: str) -> str:
    return (DOCS / name).read_text()


def rows_of(text: str) -> Iterator[list[str]]:
    """Yield the cells of every row of every table, without heads and rules."""
    lines = text.splitlines()
    for place, line in enumerate(lines):
        is_head = place + 1 < len(lines) and lines[place + 1].startswith("|--")
        if line.startswith("|") and not line.startswith("|--") and not is_head:
            yield [cell.strip() for cell in line.strip("|").split("|")]


def coded(text: str) -> list[str]:
    """Return what stands in backticks, outside of code blocks."""
    return re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


# Keyspace.


def _patterns() -> dict[str, str]:
    rows = [row for row in rows_of(text_of("keyspace.md")) if len(row) == 7]
    return {name: coded(row[1])[0] for row in rows for name in coded(row[0])}


def test_every_key_is_in_the_keyspace() -> None:
    functions = inspect.getmembers(keys, inspect.isfunction)
    builders = {name for name, one in functions if one.__module__ == keys.__name__ and name[0] != "_"}
    constants = {name for name, one in vars(keys).items() if name.isupper() and isinstance(one, str)} - {"PREFIX"}
    documented = set(_patterns())
    assert documented == (builders | constants) - {"slot", "traces_of"}


@pytest.mark.parametrize(
    ("name", "built"),
    [
        ("stream", keys.stream(7, 3)),
        ("gate", keys.gate(7, 3)),
        ("accepted", keys.accepted(7, 3, "")),
        ("accepted_prefix", keys.accepted_prefix(7, 3)),
        ("spent_prefix", keys.spent_prefix(7, 3)),
        ("sold_out", keys.sold_out(7, 3)),
        ("starting", keys.starting("")),
        ("OUTCOMES", keys.OUTCOMES),
        ("SALES", keys.SALES),
        ("HEARD", keys.HEARD),
        ("EVENTS", keys.EVENTS),
        ("SCHEDULER_FAILURES", keys.SCHEDULER_FAILURES),
        ("room", keys.room(7)),
        ("room_done", keys.room_done(7)),
        ("room_releases", keys.room_releases(7)),
        ("room_active", keys.room_active(7)),
        ("room_ends", keys.room_ends(7)),
        ("room_codes", keys.room_codes(7)),
        ("room_visits", keys.room_visits(7)),
        ("room_visits_before", keys.room_visits_before(7)),
        ("room_places", keys.room_places(7, b"\0\0\0\0").removesuffix("0")),
        ("sale_minute_prefix", keys.sale_minute_prefix(7)),
        ("sale_minutes", keys.sale_minutes(7)),
        ("sale_live", keys.sale_live(7)),
        ("sale_live_turn", keys.sale_live_turn(7)),
        ("catalogue", keys.catalogue("")),
        ("CHANGES", keys.CHANGES),
        ("UNITS", keys.UNITS),
    ],
)
def test_a_key_looks_as_its_pattern(name: str, built: str) -> None:
    assert _patterns()[name].replace("{n.p}", "{7.3}").replace("{room.n}", "{room.7}").replace("{n}", "{7}") == built


def test_the_keyspace_names_every_field_of_the_gate() -> None:
    published = (ROOT / "doorbuster" / "orderstore" / "scripts" / "publish_gate.lua").read_text()
    accepting = (ROOT / "doorbuster" / "orderstore" / "scripts" / "accept.lua").read_text()
    written = {*re.findall(r"'(\w+)', ARGV", published), *re.findall(r"'HINCRBY', KEYS\[1\], '(\w+)'", accepting)}
    (counted,) = re.findall(r"'HSET', KEYS\[1\], (.+)\)", accepting)
    written |= set(re.findall(r"'(\w+)'", counted))
    section = text_of("keyspace.md").partition("**`gate`**")[2].partition("**`accepted`**")[0]
    assert {coded(row[0])[0] for row in rows_of(section)} == written | {"drained", "told", "drained_bytes", "bytes_at"}


def test_the_module_of_keys_lists_its_builders_with_the_same_store() -> None:
    listed = [row for row in rows_of(keys.__doc__ or "") if len(row) == 6]
    stores = {coded(row[0])[0].lower(): row[2] for row in listed}
    documented = {
        name.lower(): row[3] for row in rows_of(text_of("keyspace.md")) if len(row) == 7 for name in coded(row[0])
    }
    assert stores == {name: store for name, store in documented.items() if not name.endswith("_prefix")}


# Settings.


def _settings_rows() -> dict[str, list[str]]:
    return {coded(row[0])[0]: row for row in rows_of(text_of("settings.md")) if len(row) == 5 and coded(row[0])}


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    if field.default in (None, ()):
        return "none"
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    if isinstance(field.default, tuple):
        return f"`{','.join(field.default)}`"
    return f"{field.default:g}" if isinstance(field.default, int | float) else f"`{field.default}`"


def _bounds(field: FieldInfo) -> str | None:
    """Return numbers as `a to b`, choices in backticks, None for what has neither."""
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(field.annotation))
    low = next((one.ge for one in field.metadata if isinstance(one, annotated_types.Ge)), None)
    high = next((one.le for one in field.metadata if isinstance(one, annotated_types.Le)), None)
    return None if low is None else f"{low:.15g} to {high:.15g}"  # type: ignore[str-format]


def test_every_setting_is_documented_and_no_other() -> None:
    rows = _settings_rows()
    assert set(rows) == {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_a_setting_has_its_default_and_bounds(name: str) -> None:
    field, row = Settings.model_fields[name], _settings_rows()[name.upper()]
    default = row[1].replace(",", "")
    number = isinstance(field.default, int | float) and not isinstance(field.default, bool)
    assert default == (f"{field.default:.15g}" if number else _default(field))
    bounds = _bounds(field)
    assert bounds is None or row[2] == bounds


# States.


def test_every_state_is_documented() -> None:
    heads = [coded(row[0]) for row in rows_of(text_of("states.md")) if len(row) == 3]
    assert {Status(name) for names in heads for name in names if name in set(Status)} == set(Status)
    assert {row[0] for row in rows_of(text_of("states.md")) if row[0] in {f"`{one}`" for one in Status}}


def test_every_allowed_step_is_documented_and_no_other() -> None:
    _, _, section = text_of("states.md").partition("## Every step")
    section, _, _ = section.partition("\n## ")
    steps = {(Status(coded(row[0])[0]), Status(coded(row[1])[0])) for row in rows_of(section)}
    assert steps == {(was, to) for was, onward in ALLOWED.items() for to in onward}


def test_every_call_is_documented_with_the_states_that_take_it() -> None:
    _, _, section = text_of("states.md").partition("## By line and parcel")
    section, _, _ = section.partition("\n## ")
    rows = {coded(row[0])[0]: set(coded(row[1])) for row in rows_of(section)}
    assert rows == {call: set(states) for call, states in TAKES.items()}


def test_the_diagram_shows_the_steps() -> None:
    arrows = set(re.findall(r"^ {4}(\S+) --> ([^\s:]+)", text_of("states.md"), re.MULTILINE))
    between = {(was, to) for was, to in arrows if was in set(Status) and to in set(Status)}
    assert between == {(was, to) for was, onward in ALLOWED.items() for to in onward}
    assert {to for was, to in arrows if was == "accepted"} == set(INITIAL)
    assert {was for was, to in arrows if to == "[*]"} == set(FINAL)


def test_every_reason_is_documented() -> None:
    reasons = {*Reason, DECLINED, EXPIRED, BY_CUSTOMER}
    assert reasons <= set(coded(text_of("states.md")))


def test_every_poison_is_in_the_runbook() -> None:
    assert set(Poison) <= set(coded(text_of("symptoms.md")))


# Errors, locks, words.


def test_every_error_code_is_in_the_guide_with_its_status() -> None:
    rows = [row for row in rows_of(text_of("api.md")) if len(row) == 4 and row[1].isdigit()]
    assert {coded(row[0])[0]: int(row[1]) for row in rows} == {code: fault.status for code, fault in FAULTS.items()}


def test_every_statement_that_locks_is_in_the_locking_rules() -> None:
    files = [path.stem for path in files_under(ROOT / "db" / "queries", "*.sql")]
    locking = {
        name for file in files for name, text in load(file).items() if re.search(r"for (no key )?update", text.lower())
    }
    assert locking <= set(coded(text_of("locking.md")))


@pytest.mark.parametrize("word", _WORDS)
def test_the_glossary_has_the_house_word(word: str) -> None:
    assert f"| **{word}** |" in text_of("glossary.md")


def test_a_word_stands_once_in_the_glossary() -> None:
    words = re.findall(r"^\| \*\*(.+?)\*\* \|", text_of("glossary.md"), re.MULTILINE)
    assert sorted(set(words)) == sorted(words)


def test_the_glossary_names_every_table() -> None:
    tables = set(re.findall(r"^create table (\w+)", (ROOT / "db" / "schema.sql").read_text(), re.MULTILINE))
    shown = {word for span in coded(text_of("glossary.md")) for word in re.findall(r"\w+", span)}
    assert tables <= shown


# What can be called and watched.


def test_every_operation_is_in_the_guide() -> None:
    shown = re.sub(r"{\w+}", "{}", text_of("api.md"))
    missing = [
        f"{operation.method} {operation.path}"
        for operation in OPERATIONS
        if not re.search(_path_pattern(operation.path), shown)
    ]
    assert missing == []


def _path_pattern(path: str) -> str:
    """Return a pattern of a path as documents write it; steps of a sale may stand alone, as `/resume`."""
    whole = re.sub(r"{\w+}", "{}", path)
    *_, last = whole.rpartition("/")
    alone = f"|`/{re.escape(last)}`" if whole.startswith("/ops/sales/{}/") else ""
    return rf"(?:{re.escape(whole)}(?![\w/{{]){alone})"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_exist(path: Path) -> None:
    for first, second in _COMMAND.findall(path.read_text()):
        command = cli.get_command(click.Context(cli), first)
        assert command is not None or f"`doorbuster {first} {second}` is not in this version" in path.read_text()
        if isinstance(command, click.Group) and second:
            assert command.get_command(click.Context(command), second) is not None, second


def test_every_metric_is_in_the_operators_guide() -> None:
    texts = [path.read_text() for path in files_under(ROOT / "intake" / "monitoring", "*.py")]
    named = {re.sub(r"_total$", "", name) for text in texts for name in re.findall(r'"(doorbuster_\w+)"', text)}
    shown = {re.sub(r"_total$", "", name) for name in re.findall(r"doorbuster_\w+", text_of("watching.md"))}
    assert named == shown


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = {name for path in DOCUMENTS for name in re.findall(r"(?:^|`)make ([a-z-]+)", path.read_text(), re.MULTILINE)}
    assert used <= targets


# All documents.


def _anchor(heading: str) -> str:
    plain = re.sub(r"[`*]", "", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for target in _LINK.findall(path.read_text()):
        if re.match(r"https?:|mailto:", target):
            continue
        file, _, anchor = target.partition("#")
        found = (path.parent / file).resolve() if file else path
        assert found.exists(), target
        if anchor:
            assert anchor in {_anchor(line.lstrip("#")) for line in found.read_text().splitlines() if line[:1] == "#"}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_document_is_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LINES_MAX


def test_every_decision_is_listed() -> None:
    listed: Any = set(_LINK.findall(text_of("adr/README.md")))
    assert listed == {path.name for path in files_under(DOCS / "adr", "0*.md")}
