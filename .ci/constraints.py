#!/usr/bin/env python3
"""Prints constraints for pip: the one version of every package that all extras need, for each Python at hand.

`.ci/constraints.py python3.11 python3.12 python3.13` asks pip of each what it would install today; where they differ, a
line says for which Python it holds. `--oldest` gives the committed constraints with everything that Doorbuster runs on
at its floor, `--newest` without those: `make test-versions` installs by these. `--installed` shows what that came to.
Installs nothing, changes nothing.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = "aws,dev,embedded,loadtests,opensearch"
COMMITTED = ROOT / "constraints.txt"


def canonical(name: str) -> str:
    """Return a package's name as PyPA's normalization writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def resolved(python: str) -> tuple[str, dict[str, str]] | None:
    """Return a Python's version and what pip would install for it, None if there is no such Python."""
    if shutil.which(python) is None:
        return None
    ask = [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    asked = subprocess.run(ask, capture_output=True, text=True, check=False)
    if asked.returncode:  # a shim of a Python that is not there
        return None
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        subprocess.run([python, "-m", "venv", f"{folder}/venv"], check=True)
        pip = [f"{folder}/venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--dry-run", "--report", report, f"{ROOT}[{EXTRAS}]"], check=True, stdout=sys.stderr)
        found = json.loads(report.read_text())["install"]
    versions = {canonical(one["metadata"]["name"]): one["metadata"]["version"] for one in found}
    versions.pop("doorbuster")
    return asked.stdout.strip(), versions


def merged(found: dict[str, dict[str, str]]) -> list[str]:
    """Return the lines that hold for all Pythons."""
    lines = []
    for name in sorted({name for versions in found.values() for name in versions}):
        by_python = {python: versions[name] for python, versions in found.items() if name in versions}
        if len(set(by_python.values())) == 1:
            lines.append(f"{name}=={next(iter(by_python.values()))}")
        else:
            lines += [f'{name}=={pinned} ; python_version == "{python}"' for python, pinned in by_python.items()]
    return lines


def floors() -> dict[str, str]:
    """Return the oldest allowed version of everything that Doorbuster runs on."""
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    parts = [re.match(r"([\w.-]+)(?:\[.*\])?>=([^,]+),<", one) for one in needed]
    if None in parts:
        raise SystemExit("a dependency of pyproject.toml has no floor or no ceiling")
    return {canonical(part[1]): part[2] for part in parts if part is not None}


def loosened(direct: dict[str, str], *, oldest: bool) -> list[str]:
    """Return the committed lines without what Doorbuster runs on, or with its floors; stubs follow what is typed."""
    names = {*direct, *(f"{name}-stubs" for name in direct)}
    kept = [line for line in COMMITTED.read_text().splitlines() if line.partition("==")[0] not in names]
    return kept + [f"{name}=={floor}" for name, floor in direct.items()] if oldest else kept


def main(arguments: list[str]) -> int:
    """Print what is asked for."""
    if arguments == ["--installed"]:
        lines = [" ".join(f"{name} {version(name)}" for name in floors())]
    elif arguments in (["--oldest"], ["--newest"]):
        lines = loosened(floors(), oldest=arguments == ["--oldest"])
    else:
        asked = {python: resolved(python) for python in arguments}
        for python in (python for python, found in asked.items() if found is None):
            sys.stderr.write(f"{python} is not at hand: nothing is known of it\n")
        lines = merged(dict(found for found in asked.values() if found is not None))
    print("\n".join(lines))
    return 0 if lines else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
