"""`doorbuster watch` on an intake that serves: once, as lines, as JSON, and on a terminal that it gives back."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from fcntl import ioctl
from typing import Any

import pytest

from doorbuster.cli.watch import command as watch_command
from intake.ops.live import desk
from tests.fixtures.commands import Command
from tests.fixtures.intake import Intake
from tests.fixtures.up import clean_environment
from tests.fixtures.waiting import eventually

SHOWN = b"\x1b[?1049h\x1b[?25l"
GIVEN_BACK = b"\x1b[?25h\x1b[?1049l"

BRISK_S = 0.5
BRISK = f"""
from doorbuster.cli import main
from doorbuster.cli.watch import command, feed, track
command.REDRAW_S = feed.EVERY_S = track.SILENT_S = {BRISK_S}
main()
"""


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let less than a second pass between two looks, in the intake and in commands of this process."""
    monkeypatch.setattr(desk, "EVERY_S", BRISK_S)
    monkeypatch.setattr(watch_command, "REDRAW_S", BRISK_S)


class OnTerminal:
    """A command on a terminal of its own."""

    def __init__(self, intake: Intake, *arguments: str, size: tuple[int, int] = (80, 24)) -> None:
        self._near, self._far = pty.openpty()
        self.resize(*size)
        self.modes = termios.tcgetattr(self._far)
        base, key = str(intake.ops.base_url), intake.ops.headers["Authorization"].removeprefix("Bearer ")
        self._environment = clean_environment(OPS_URL=base, OPS_KEY=key, TERM="xterm", PYTHONUTF8="1")
        self._arguments = arguments
        self.seen = b""

    async def __aenter__(self) -> OnTerminal:
        asyncio.get_running_loop().add_reader(self._near, self._read)
        self.process = self._start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.process.kill()
        await self.ended()
        asyncio.get_running_loop().remove_reader(self._near)
        os.close(self._near)
        os.close(self._far)

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", BRISK, "watch", *self._arguments]
        return subprocess.Popen(
            command, stdin=self._far, stdout=self._far, stderr=self._far, env=self._environment,
            start_new_session=True, preexec_fn=self._own,
        )  # fmt: skip

    def _own(self) -> None:
        ioctl(0, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # tests begun in the background pass on that it is ignored

    def _read(self) -> None:
        self.seen += os.read(self._near, 65_536)

    def resize(self, columns: int, rows: int) -> None:
        ioctl(self._near, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys: bytes) -> None:
        os.write(self._near, keys)

    @property
    def is_as_it_was(self) -> bool:
        return termios.tcgetattr(self._far) == self.modes

    async def ended(self) -> int:
        return await asyncio.to_thread(self.process.wait, 30)

    async def said(self, text: bytes) -> None:
        """Wait for what a process wrote before its end: some of it may still be on its way when it has ended."""

        async def came() -> bool:
            return text in self.seen

        await eventually(came, what=f"{text!r} to be read")

    async def shows(self, text: str) -> None:
        async def shown() -> bool:
            assert self.process.poll() is None, self.seen
            return text.encode() in self.seen

        await eventually(shown, within_s=30, what=f"{text!r} on the terminal")


async def test_on_a_terminal_it_redraws_and_gives_the_terminal_back(intake: Intake) -> None:
    await intake.open_sale("spring", room={"mode": "always", "rate_per_s": 7})
    async with OnTerminal(intake) as terminal:
        await terminal.shows("7/s, as you set it")
        assert terminal.seen.startswith(SHOWN)
        assert not terminal.is_as_it_was  # what is typed is not shown
        terminal.seen = b""
        terminal.resize(40, 10)
        await terminal.shows("\x1b[J")
        intake.guard.in_flight += 10_000
        await terminal.shows("no answer since")
        intake.guard.in_flight -= 10_000
        terminal.press(b"\x03")
        assert await terminal.ended() == 130
        await terminal.said(b"doorbuster: interrupted\r\n")
        assert terminal.seen.endswith(b"doorbuster: interrupted\r\n")
        assert GIVEN_BACK in terminal.seen
        assert terminal.is_as_it_was


@pytest.mark.parametrize(("how", "code"), [("q", 0), ("SIGTERM", 128 + signal.SIGTERM)])
async def test_however_it_ends_the_terminal_is_given_back(intake: Intake, how: str, code: int) -> None:
    await intake.open_sale("spring")
    async with OnTerminal(intake, "spring") as terminal:
        await terminal.shows("pre-warm")
        if how == "q":
            terminal.press(b"q")
        else:
            terminal.process.terminate()
        assert await terminal.ended() == code
        await terminal.said(GIVEN_BACK)
        assert terminal.is_as_it_was


async def test_once(command: Command, intake: Intake) -> None:
    await intake.open_sale("spring", name="The spring sale")
    code, out, _ = await command("watch", "--once")
    assert code == 0
    assert out.splitlines()[0].startswith("spring  The spring sale")
    assert "\x1b" not in out
    code, out, _ = await command("watch", "spring", "--once", "--json")
    shown: dict[str, Any] = json.loads(out)
    assert (code, shown["sale_id"], shown["accepted_per_s"]) == (0, "spring", 0)


async def test_without_a_sale_it_is_the_one_that_is_on_else_the_next(command: Command, intake: Intake) -> None:
    code, _, error = await command("watch", "--once")
    assert (code, error) == (2, "doorbuster: no sale is on or to come: name one, `doorbuster watch SALE`\n")
    await intake.open_sale("later", starts_at="2098-01-01T00:00:00Z")
    await intake.open_sale("latest", starts_at="2099-01-01T00:00:00Z")
    assert (await command("watch", "--once"))[1].startswith("later ")
    await intake.open_sale("now")
    assert (await command("watch", "--once"))[1].startswith("now ")
    await intake.open_sale("too")
    lines = (await command("watch", "--once"))[1].splitlines()
    assert [line.split()[0] for line in lines] == ["2", "sale", "now", "too"]


async def test_what_cannot_be_watched_is_said_in_a_line(
    command: Command, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await command("watch", "none") == (2, "", "doorbuster: There is no sale 'none'\n")
    await intake.open_sale("spring")
    monkeypatch.setenv("OPS_KEY", "wrong")
    code, _, error = await command("watch", "spring")
    assert (code, error.count("\n")) == (2, 1)
    monkeypatch.setenv("OPS_URL", "http://127.0.0.1:1")
    code, _, error = await command("watch", "spring", "--once")
    assert (code, error.count("\n")) == (1, 1)
