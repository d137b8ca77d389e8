"""The jars of a search node are got once, also when two want them at once: each would write into the other's files."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import psutil

from tests.fixtures.waiting import wait_until

JARS = Path(__file__).parents[3] / "deploy" / "opensearch" / "jars"
MAVEN = """#!/bin/sh
echo called >> "$CALLS"
cat "$GATE"
"""
"""Gets nothing, and ends when it may."""


def test_two_at_once_get_them_once(tmp_path: Path) -> None:
    folder, calls, gate = tmp_path / "jars", tmp_path / "calls", tmp_path / "gate"
    maven = tmp_path / "bin" / "mvn"
    maven.parent.mkdir()
    maven.write_text(MAVEN)
    maven.chmod(0o755)
    os.mkfifo(gate)
    told = os.environ | {
        "PATH": f"{maven.parent}:{os.environ['PATH']}",
        "OPENSEARCH_JARS": str(folder),
        "CALLS": str(calls),
        "GATE": str(gate),
    }
    with (
        subprocess.Popen([JARS], env=told, stdout=subprocess.PIPE, text=True) as first,
        subprocess.Popen([JARS], env=told, stdout=subprocess.PIPE, text=True) as second,
    ):
        both = (psutil.Process(first.pid), psutil.Process(second.pid))
        beside = wait_until(lambda: [_waits_or_gets(one) for one in both].count(True) == 2 and calls.exists())
        assert beside
        gate.write_text("")
        said = [one.communicate(timeout=60)[0] for one in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0)
    assert said == [f"{folder}\n"] * 2
    assert calls.read_text() == "called\n"


def _waits_or_gets(script: psutil.Process) -> bool:
    return bool({one.name() for one in script.children()} & {"flock", "mvn"})
