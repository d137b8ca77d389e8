"""A running instance and Chromium for the tests of the pages; without Chromium they are skipped, in CI they fail.

Both last as long as the tests of this folder: both would go on using the machine beside all others.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from doorbuster.embedded import leftovers
from doorbuster.embedded.stores.postgres import Postgres
from tests.browser.pages import Shop
from tests.fixtures.up import Running, launch

_EXAMPLE = Path(__file__).parents[2] / "examples" / "browser"
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


def _chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        (pytest.fail if os.environ.get("CI") and os.geteuid() == 0 else pytest.skip)("no Chromium: `make services`")
    return found


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The browser; no test of this folder may need an event loop of its own, since it comes with one."""
    path = _chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*_FLAGS])
        yield browser
        browser.close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="package")
def other_origin() -> Iterator[str]:
    """Where the shop of `examples/browser` is served: another origin than the instance's, which allows it."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(_EXAMPLE))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="package")
def running(other_origin: str) -> Iterator[Running]:
    """An instance, real processes."""
    _chromium()
    folder = Path(tempfile.mkdtemp(prefix="doorbuster-browser-"))
    told = {
        "ROOM_CHALLENGE_BITS": "10",
        "CORS_ORIGINS": other_origin,
        "FRAME_ANCESTORS": other_origin,
        "OPS_SECOND_KEY_FOR": "drain",
    }
    instance = launch(folder / "data", "--workers", "2", env=told)
    yield instance
    if instance.process.poll() is None:
        instance.kill_everything()
    instance.close()
    leftovers.sweep(instance.data.resolve())
    Postgres(instance.data.resolve() / "postgres", instance.data / "log").clear()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="package")
def lamps(running: Running) -> Shop:
    """The shop of all tests."""
    return Shop(running)


@pytest.fixture
def shop(lamps: Shop) -> Iterator[Shop]:
    """What ops do and other visitors; the sales of a test end with it, for open rooms take processor time."""
    yield lamps
    lamps.close()


Open = Callable[..., BrowserContext]


@pytest.fixture
def visit(chromium: Browser, running: Running) -> Iterator[Open]:
    """Open browsers of their own: `visit(locale=..., java_script_enabled=...)`."""
    opened: list[BrowserContext] = []

    def start(**how: Any) -> BrowserContext:
        context = chromium.new_context(base_url=running.base, **({"locale": "en-GB"} | how))
        context.set_default_timeout(60_000)
        expect.set_options(timeout=30_000)
        opened.append(context)
        return context

    yield start
    for context in opened:
        context.close()
