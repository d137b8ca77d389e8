"""Calls generated from /openapi.json: what the document promises is what is answered, and nothing is a defect.

A short run in `make test`, a long one in `make soak`; the calls of ops are made with the key.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from tests.fixtures.intake import Intake
from tests.fixtures.visitors import open_room

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


UNSEEN = (
    "/metrics", "/orders/{order}/events", "/ops/products:import", "/ops/orders:transition",
    "/sales/{sale}/orders:batch",
)  # fmt: skip
"""Not called: text for Prometheus, a stream that goes on, lines that are no JSON document."""
WHOSE = {
    "of shoppers": ("--exclude-path-regex", "^/ops/"),
    "of ops, for sales": ("--include-path-regex", "^/ops/sales"),
    "of ops": ("--include-path-regex", "^/ops/(?!sales)"),
}
"""Which calls, a test each: all of them take longer than a test may, beside others."""
KNOWN = """
[parameters]
"path.sale" = ["open", "sale", "none"]
"path.product" = ["lamp", "none"]
"path.order" = ["{order}", "00000100-783a-87a7-ac3d-28c5383a4d5d"]
"""


async def run(intake: Intake, folder: Path, whose: str, *, examples: int, fixed: bool) -> str:
    """Make so many calls of each operation, the same each time or not; return what is wrong, as the tool says it."""
    order = (await intake.post("open", lines=[{"product_id": "lamp", "quantity": 1}])).json()["order_id"]
    (folder / "schemathesis.toml").write_text(KNOWN.replace("{order}", order))
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{intake.http.base_url}/openapi.json",
        "--header", f"Authorization: {intake.ops.headers['Authorization']}", "--checks", CHECKS,
        "--max-examples", str(examples), "--phases", "coverage,fuzzing", "--mode", "all", "--no-color",
        "--request-timeout", "20", "--suppress-health-check", "all",
        *WHOSE[whose], *(part for path in UNSEEN for part in ("--exclude-path", path)),
        *(("--generation-deterministic",) if fixed else ()),
    ]  # fmt: skip
    ran = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        said, _ = await ran.communicate()
    finally:
        if ran.returncode is None:  # the test had its time: its pipe would be complained of in another
            ran.kill()
            await ran.communicate()
    assert b"generated" in said, said.decode(errors="replace")
    return "" if ran.returncode == 0 else said.decode(errors="replace")


@pytest.fixture
async def open_shop(roomy: Intake) -> Intake:
    await open_room(roomy)
    await roomy.open_sale("open", "lamp")
    return roomy


@pytest.mark.parametrize("whose", WHOSE)
async def test_generated_calls_are_answered_as_documented(open_shop: Intake, tmp_path: Path, whose: str) -> None:
    said = await run(open_shop, tmp_path, whose, examples=5, fixed=True)
    assert not said, said


@pytest.mark.soak
@pytest.mark.parametrize("whose", WHOSE)
async def test_many_generated_calls_are_answered_as_documented(open_shop: Intake, tmp_path: Path, whose: str) -> None:
    said = await run(open_shop, tmp_path, whose, examples=100, fixed=False)
    assert not said, said
