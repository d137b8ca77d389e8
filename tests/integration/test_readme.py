"""The README's tour, pasted into a shell as it stands, but for the port and the folder."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.fixtures.up import COMMAND, clean_environment, doorbuster

README = (Path(__file__).parents[2] / "README.md").read_text()


def blocks() -> list[str]:
    """Return the commands of the tour, one text a block; what an answer looks like is left out."""
    _, _, section = README.partition("## A short tour")
    section, _, _ = section.partition("\n## ")
    found = re.findall(r"^```\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return [block for block in found if not block.startswith("HTTP/1.1")]


def test_the_tour_can_be_pasted(scratch: Path) -> None:
    commands = "\n".join(blocks())
    for written, here in (("make install\n", ""), ("--port 8000", "--port 0"), ("/tmp/tour", str(scratch / "tour"))):
        assert written in commands
        commands = commands.replace(written, here)
    path = f"{COMMAND.parent}:/usr/local/bin:/usr/bin:/bin"
    script = f"export PATH={path}\n" + commands.replace("export PATH=$PWD/.venv/bin:$PATH\n", "")
    try:
        told = subprocess.run(
            ["bash", "-u"], input=script, capture_output=True, text=True, timeout=100, check=False, cwd=scratch,
            env=clean_environment(XDG_STATE_HOME=str(scratch / "state")),
        )  # fmt: skip
    finally:
        doorbuster("down", "--data", scratch / "tour")
    assert "doorbuster: " not in told.stderr, told.stderr
    for shown in (
        "HTTP/1.1 202 Accepted",
        '"status":"confirmed"',
        '"code":"sold_out"',
        "summer is made: 1 product; open; started",
        "all promises hold",
        f"ended {scratch / 'tour'}",
    ):
        assert shown in told.stdout, told.stdout
