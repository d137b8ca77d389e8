"""The view of the file system that shows Python where its folder is closed to the user."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from doorbuster.embedded.users.unprivileged import Account
from doorbuster.embedded.users.view import View, view_of

NOBODY = 65_534
IS_ROOT = os.geteuid() == 0


@pytest.fixture
def closed() -> Iterator[Path]:
    """A folder that only its owner passes, with a library and a secret in it."""
    with tempfile.TemporaryDirectory(prefix="doorbuster-view-", dir="/tmp") as name:
        root = Path(name)
        root.chmod(0o755)
        folder = root / "closed"
        (folder / "versions" / "3").mkdir(parents=True)
        (folder / "versions" / "3" / "library").write_text("read me")
        (folder / "versions" / "now").symlink_to("3")
        (folder / "secret").write_text("not me")
        (root / "link").symlink_to("closed/versions/now")
        folder.chmod(0o700)
        yield folder


def seen(account: Account, path: Path) -> str:
    ran = subprocess.run(
        ["/bin/cat", str(path)], capture_output=True, text=True, check=False, preexec_fn=account.become, cwd="/"
    )
    return ran.stdout


def account(view: View) -> Account:
    return Account(name="nobody", uid=NOBODY, gid=NOBODY, home="/", view=view)


def test_it_shows_what_is_needed_at_its_own_path(closed: Path) -> None:
    view = view_of([closed.parent / "link", Path("/usr")], uid=NOBODY, gid=NOBODY)
    assert view == View(
        closed=(closed,), shown=(closed / "versions" / "3",), links=((closed / "versions" / "now", "3"),)
    )


def test_nothing_stands_in_where_nothing_is_closed(closed: Path) -> None:
    closed.chmod(0o711)
    assert view_of([closed.parent / "link"], uid=NOBODY, gid=NOBODY) == View()
    closed.chmod(0o700)
    assert view_of([closed.parent / "link"], uid=closed.stat().st_uid, gid=NOBODY) == View()


def test_the_user_reads_the_library_and_nothing_else(closed: Path) -> None:
    view = view_of([closed.parent / "link"], uid=NOBODY, gid=NOBODY)
    if not IS_ROOT:
        with pytest.raises(subprocess.SubprocessError):
            seen(account(view), closed / "secret")
        return
    library = closed / "versions" / "3" / "library"
    assert seen(account(View()), library) == ""  # without the view
    for way in (library, closed / "versions" / "now" / "library", closed.parent / "link" / "library"):
        assert seen(account(view), way) == "read me"
    assert seen(account(view), closed / "secret") == ""
    assert (closed / "secret").read_text() == "not me"  # outside nothing changed
    assert closed.stat().st_mode & 0o777 == 0o700


def test_in_it_nothing_can_be_written(closed: Path) -> None:
    view = view_of([closed.parent / "link"], uid=NOBODY, gid=NOBODY)
    if not IS_ROOT:
        return
    write = f"open({str(closed / 'mine')!r}, 'w')"
    ran = subprocess.run(
        [sys.executable, "-S", "-c", write], capture_output=True, check=False, preexec_fn=view.enter, cwd="/"
    )
    assert ran.returncode != 0  # not even by root
    assert not (closed / "mine").exists()
