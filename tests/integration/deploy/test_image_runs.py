"""The image that `make image` built, run as in a container: on its own root, read-only, as nobody, as first process.

Behind `make soak`, and only where the image is: buildah, root and namespaces are needed, and minutes to build it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from doorbuster.embedded.stores.postgres import Postgres
from tests.fixtures.composed import Composed, see_an_order_confirmed
from tests.fixtures.stores import serving

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

MOST = 250_000_000
_AS_A_CONTAINER = """\
set -e
mount --bind {image} {mount}
mount --bind {secrets} {mount}/mnt
mount --bind {postgres} {mount}/media
mount -t tmpfs -o size=64m,mode=1777 tmpfs {mount}/tmp
mount -t proc proc {mount}/proc
mount --bind /dev/null {mount}/dev/null
mount --bind /dev/urandom {mount}/dev/urandom
mount -o remount,bind,ro {mount}
exec chroot {mount} setpriv --reuid 10001 --regid 10001 --clear-groups --no-new-privs --bounding-set=-all \
    --inh-caps=-all -- {command}
"""
"""/mnt stands for /run/secrets, and /media for where Postgres is: no folder can be made in a root that is read-only."""


@pytest.fixture(scope="module")
def image() -> Iterator[Path]:
    """The image's files."""
    if os.geteuid() or not shutil.which("buildah"):
        pytest.skip("only root can mount an image, by buildah")
    made = subprocess.run(
        ["buildah", "from", "--pull-never", "localhost/doorbuster"], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip("the image is not there: make image")
    name = made.stdout.strip()
    try:
        mounted = subprocess.run(["buildah", "mount", name], capture_output=True, text=True, check=True).stdout.strip()
        for device in ("null", "urandom"):
            (Path(mounted) / "dev" / device).touch()
        yield Path(mounted)
    finally:
        subprocess.run(["buildah", "rm", name], capture_output=True, check=True)


class Imaged(Composed):
    """The same, each process the first of its own namespace, in the image."""

    image, postgres = Path(), Path()

    def starts(self, command: list[str]) -> dict[str, Any]:
        mount = self.tmp.parent / "root"
        mount.mkdir(exist_ok=True)
        script = _AS_A_CONTAINER.format(
            image=self.image, mount=mount, secrets=self.secrets, postgres=self.postgres, command=shlex.join(command)
        )
        return {"args": ["/usr/bin/unshare", "--mount", "--pid", "--fork", "--kill-child", "/bin/sh", "-c", script]}

    def environment(self, name: str) -> dict[str, str]:
        told = {key: value.replace(str(self.secrets), "/mnt") for key, value in super().environment(name).items()}
        path = "/opt/doorbuster/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        own = {"PATH": path, "HOME": "/tmp", "TMPDIR": "/tmp", "PYTHONDONTWRITEBYTECODE": "1", "XDG_STATE_HOME": "/tmp"}
        return told | own

    def end(self, process: subprocess.Popen[bytes]) -> None:
        [first] = psutil.Process(process.pid).children()
        assert first.uids().real == 10001
        status = Path(f"/proc/{first.pid}/status").read_text()
        assert status.partition("NSpid:")[2].split()[1] == "1"
        assert status.partition("CapEff:")[2].split()[0] == "0" * 16
        first.terminate()


@pytest.fixture
def postgres(stores_folder: Path) -> Iterator[Path]:
    """The folder of a server's socket, which anybody may use; the database is empty."""
    settings = {"unix_socket_permissions": "0777"}
    server = Postgres(stores_folder / "open", stores_folder / "logs" / "open.log", settings)
    with serving(server):
        server.sockets.chmod(0o711)
        yield server.sockets
    server.clear()


def test_it_is_small(image: Path) -> None:
    size = sum(file.lstat().st_size for file in image.rglob("*") if not file.is_dir())
    assert size < MOST


def test_nothing_that_builds_is_in_it(image: Path) -> None:
    programs = {file.name for folder in ("usr/bin", "opt/doorbuster/bin") for file in (image / folder).iterdir()}
    assert {"gunicorn", "doorbuster", "python3"} <= programs
    assert not programs & {"pip", "pip3", "gcc", "cc", "ld", "make", "strip", "git", "curl", "wget"}


def test_an_order_is_confirmed_and_all_end_when_they_are_told_to(
    image: Path, tmp_path: Path, postgres: Path, orders_redis_url: str, jobs_redis_url: str
) -> None:
    others = {f"{role}_REDIS_URL": jobs_redis_url for role in ("ROOM", "JOBS", "CACHE")}
    url = "postgresql://postgres@/doorbuster?host=/media"
    composed = Imaged(tmp_path, {"DATABASE_URL": url, "ORDERS_REDIS_URL": orders_redis_url, **others})
    composed.image, composed.postgres = image, postgres
    composed.secrets.chmod(0o755)  # it is mounted whole here, where compose mounts each file
    see_an_order_confirmed(composed)
