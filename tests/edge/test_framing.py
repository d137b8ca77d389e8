"""Where a message ends and the next begins is never in doubt: a canary behind each oddity, in one piece and in two."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest

from tests.edge.conftest import opened
from tests.edge.oddities import ODDITIES, Oddity
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.raw import Answer, Raw, chunked, get, order

pytestmark = pytest.mark.versions

SHARES = 4
CANARY = get("/sales/canary/room")


def batched(items: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (items[at : at + size] for at in range(0, len(items), size))


def is_canary(answer: Answer) -> bool:
    return answer.status == 404 and b"'canary'" in answer.body


async def _meets(port: int, oddity: Oddity, *pieces: bytes) -> None:
    async with Raw(port) as raw:
        sending = asyncio.create_task(raw.send(*pieces))
        answer = await raw.answer(within_s=30)
        assert answer.status == oddity.status, answer
        if oddity.is_end:
            assert await raw.rest() == []
        else:
            assert is_canary(await raw.answer(within_s=30))
        await asyncio.wait([sending])
        assert sending.exception() is None or oddity.is_end


async def _meet(port: int, names: list[str], *, everywhere: bool) -> None:
    for name in names:
        oddity = ODDITIES[name]
        sent = oddity.sent + CANARY
        head = sent.find(b"\r\n\r\n", 4) + 4
        cuts = {1, head - 1, head, head + 1, len(oddity.sent) - 1, len(oddity.sent), len(oddity.sent) + 1} - {0, 3}
        if everywhere:
            cuts = set(range(1, len(sent)))
        try:
            for some in batched(sorted(cut for cut in cuts if 0 < cut < len(sent)), 16):
                await asyncio.gather(*(_meets(port, oddity, sent[:cut], sent[cut:]) for cut in some))
            await _meets(port, oddity, sent)
            if everywhere:
                await _meets(port, oddity, *(sent[at : at + 1] for at in range(len(sent))))
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error


@pytest.mark.parametrize("share", range(SHARES))
async def test_in_one_piece_and_in_two(shop: Intake, share: int) -> None:
    await _meet(shop.port, list(ODDITIES)[share::SHARES], everywhere=False)


@pytest.mark.soak
@pytest.mark.parametrize("share", range(SHARES))
async def test_in_two_pieces_anywhere_and_byte_by_byte(serve: Serve, share: int) -> None:
    patient = await opened(await serve(head_timeout_s=120, body_timeout_s=120))
    await _meet(patient.port, list(ODDITIES)[share::SHARES], everywhere=True)


PLAIN = [name for name, oddity in ODDITIES.items() if not oddity.is_end]


async def _pipeline(shop: Intake, chance: random.Random, length: int) -> None:
    """Send a mixture of requests, cut anywhere; each answer must be its request's, in order."""
    sent, wanted = [], []
    for n in range(length):
        kind = chance.randrange(5)
        if kind == 0:
            sent.append(order(f"p{n}"))
            wanted.append(lambda answer: answer.status == 202)
        elif kind == 1:
            sent.append(chunked(f"p{n}", *(["Connection: Upgrade", "Upgrade: h2c"] if n % 2 else [])))
            wanted.append(lambda answer: answer.status == 202)
        elif kind == 2:
            sent.append(get(f"/sales/none-{n}/room"))
            wanted.append(lambda answer, n=n: f"'none-{n}'".encode() in answer.body)
        elif kind == 3:
            oddity = ODDITIES[chance.choice(PLAIN)]
            sent.append(oddity.sent)
            wanted.append(lambda answer, status=oddity.status: answer.status == status)
        else:
            sent.append(get("/products/hot"))
            wanted.append(lambda answer: b'"product_id":"hot"' in answer.body)
    whole = b"".join(sent)
    cuts = sorted({0, len(whole), *(chance.randrange(len(whole)) for _ in range(chance.randrange(8)))})
    pieces = [whole[start:end] for start, end in pairwise(cuts)]
    async with Raw(shop.port) as raw:
        sending = asyncio.create_task(raw.send(*pieces))
        answers = await raw.answers(length, within_s=30)
        await sending
    for n, (answer, is_its) in enumerate(zip(answers, wanted, strict=True)):
        assert is_its(answer), (n, sent[n], answer)


async def test_every_answer_of_a_mixed_pipeline_belongs_to_its_request(shop: Intake) -> None:
    chance = random.Random(7)
    for _ in range(8):
        await _pipeline(shop, chance, 40)


@pytest.mark.soak
async def test_sixteen_thousand_answers_of_mixed_pipelines(shop: Intake) -> None:
    chance = random.Random()
    for _ in range(40):
        await asyncio.gather(*(_pipeline(shop, random.Random(chance.random()), 100) for _ in range(4)))
