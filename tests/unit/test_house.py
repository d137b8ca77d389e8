"""The house's rules that a program can check: sizes, directions of imports, where SQL, Lua and keys stand."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.files import files_under

ROOT = Path(__file__).parents[2]
ROOMS = ("doorbuster", "intake", "readiness", "waitingroom", "catalogue", "workers", "db", "loadtests")
FILES = [path for room in ROOMS for path in files_under(ROOT / room, "*.py")]
ALL_FILES = FILES + files_under(ROOT / "tests", "*.py")
NOT_OURS = (".venv", "build", ".doorbuster")
SCRIPTS = files_under(ROOT, "*.lua", but=NOT_OURS)
LINES_MAX, FUNCTION_MAX, PARAMETERS_MAX = 400, 60, 6

by_name = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", ALL_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LINES_MAX
    long = {f.name: f.end_lineno - f.lineno + 1 for f in functions(path) if f.end_lineno is not None}
    assert {name: lines for name, lines in long.items() if lines > FUNCTION_MAX} == {}


@by_name
def test_functions_have_few_parameters(path: Path) -> None:
    for function in functions(path):
        named = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
        own = [one for one in named if one.arg not in ("self", "cls")]
        assert len(own) <= PARAMETERS_MAX, function.name


@by_name
def test_no_coroutine_waits_in_the_arguments_of_another(path: Path) -> None:
    """One that is cancelled before its first step never awaits what it was given: it is given how to begin that."""
    for function in functions(path):
        if isinstance(function, ast.AsyncFunctionDef):
            named = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
            unbegun = [one.arg for one in named if one.annotation is not None and holds_a_coroutine(one.annotation)]
            assert not unbegun, f"{function.name}: {unbegun}"


def holds_a_coroutine(kind: ast.expr) -> bool:
    if isinstance(kind, ast.Subscript) and ast.unparse(kind.value) == "Callable":
        return False
    is_one = isinstance(kind, ast.Name) and kind.id in ("Awaitable", "Coroutine")
    return is_one or any(holds_a_coroutine(part) for part in ast.iter_child_nodes(kind) if isinstance(part, ast.expr))


@by_name
def test_a_module_says_what_it_owns(path: Path) -> None:
    text = path.read_text()
    assert not text.strip() or ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize(
    "path",
    # But for the engine, which makes the database that the queries are asked in.
    [path for path in FILES if not path.match("doorbuster/embedded/stores/postgres.py")],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_sql_and_lua_stand_in_files_of_their_own(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            words = node.value.lower().split()
            assert words[:2] not in (["insert", "into"], ["delete", "from"]), node.value
            assert not (words[:1] == ["select"] and "from" in words), node.value
            assert not (words[:1] == ["update"] and "set" in words), node.value
            assert "redis.call" not in node.value, node.value


def test_sql_stands_with_the_database() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in files_under(ROOT, "*.sql", but=NOT_OURS)} == {"db"}


def test_scripts_stand_in_their_folders() -> None:
    astray = [path for path in SCRIPTS if "scripts" not in path.parts]
    assert [path.name for path in astray] == ["virtual_clock.lua"]  # which simulations put in place of a shared piece


@pytest.mark.parametrize(
    "path",
    # But for the pieces that verbs share, which name the keys they use and give nothing back to the caller.
    [path for path in SCRIPTS if "scripts" in path.parts and path.parent.name != "shared"],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_a_script_lists_its_keys_and_result(path: Path) -> None:
    comments = [line for line in path.read_text().splitlines() if line.startswith("--")]
    assert any("KEYS" in line for line in comments)
    assert any("Result" in line for line in comments)


def test_imports_go_one_way() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    linted = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout


def driver_names(tree: ast.AST) -> set[str]:
    """Return the names by which a module knows the database's and the Redis drivers and what they raise."""
    drivers = ("asyncpg", "redis")
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {one.asname or one.name.partition(".")[0] for one in node.names if one.name.startswith(drivers)}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in drivers:
            found |= {one.asname or one.name for one in node.names}
    return found


def failure_sets(text: str) -> list[int]:
    """Return the lines with a tuple, list, set or union in which an exception of a driver stands."""
    tree = ast.parse(text)
    names = driver_names(tree)

    def is_of_driver(node: ast.expr) -> bool:
        root = node
        while isinstance(root, ast.Attribute):
            root = root.value
        return ast.unparse(node).endswith("Error") and isinstance(root, ast.Name) and root.id in names

    found = []
    for node in ast.walk(tree):
        members = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else []
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            members = [node.left, node.right]
        if len(members) > 1 and any(map(is_of_driver, members)):
            found.append(members[0].lineno)
    return found


FAILURES = (ROOT / "doorbuster" / "failures.py", ROOT / "doorbuster" / "redis_roles" / "meaning.py")
"""Who sorts them: by what a handler may do, and of Redis by whether anything was run."""


@by_name
def test_the_failures_of_stores_are_sorted_in_one_place(path: Path) -> None:
    if path not in FAILURES:
        assert failure_sets(path.read_text()) == [], "a set of failures of its own: name one of doorbuster.failures"


def test_a_set_of_failures_is_found() -> None:
    head = "import asyncpg\nimport redis.exceptions\nfrom redis.exceptions import RedisError\n"
    tried = head + "try:\n    f()\nexcept {}:\n    pass\n"
    for some in ("(RedisError, OSError)", "(OSError, asyncpg.PostgresError)", "(redis.exceptions.RedisError, *MORE)"):
        assert failure_sets(tried.format(some)) == [6]
    assert failure_sets(head + "AWAY = (RedisError, OSError)") == [4]
    assert failure_sets(head + "isinstance(error, RedisError | OSError)") == [4]
    for one in ("RedisError", "REDIS_FAILED", "(*REDIS_FAILED, ValueError)"):
        assert failure_sets(tried.format(one)) == []


def imports(room: str) -> dict[str, set[str]]:
    """Return what each module of a room imports of it: at the top, late inside a function, or for types alone."""
    modules = {}
    for path in files_under(ROOT / room, "*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    found: dict[str, set[str]] = {name: set() for name in modules}
    for name, path in modules.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found[name] |= {one.name for one in node.names} & modules.keys()
            elif isinstance(node, ast.ImportFrom) and node.module:
                inner = {one.name for one in node.names if f"{node.module}.{one.name}" in modules}
                found[name] |= {f"{node.module}.{one}" for one in inner}
                if len(inner) < len(node.names) and node.module in modules:
                    found[name].add(node.module)
    return found


def circles(graph: dict[str, set[str]]) -> list[str]:
    """Return the modules that can be reached from themselves: those without any are taken away until none is left."""
    left = {name: set(there) for name, there in graph.items()}
    while ends := [name for name, there in left.items() if not there & left.keys()]:
        for name in ends:
            del left[name]
    while starts := [name for name in left if not any(name in there for there in left.values())]:
        for name in starts:
            del left[name]
    return sorted(left)


@pytest.mark.parametrize("room", ROOMS)
def test_no_imports_go_in_a_circle(room: str) -> None:
    assert circles(imports(room)) == []


def test_a_circle_is_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}, "e": set()}
    assert circles(graph) == ["b", "c"]
    assert circles({"a": {"a"}}) == ["a"]
    assert circles(graph | {"c": {"e"}}) == []
