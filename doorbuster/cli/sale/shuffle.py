"""`doorbuster sale verify-shuffle`: computes a lobby's draw again from what the sale published. Trusts none of it."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

import click
import httpx
import msgspec

from doorbuster.cli import options
from doorbuster.contract.room import RoomStatus
from doorbuster.embedded.data.instance import find
from doorbuster.errors import InvalidError, NotFoundError, StoreUnavailableError
from waitingroom.shuffle import commitment, place_of, seed_of

_TIMEOUT_S = 10.0


class ShuffleVerdict(msgspec.Struct):
    """What was computed and whether it is what the sale says."""

    sale_id: str
    cohort: int
    commitment_holds: bool
    """The secret is the one that was committed to before the start."""
    seed_holds: bool
    """The seed follows from secret, cohort and beacon."""
    commitment: str
    seed: str
    beacon: str
    places: dict[int, int]
    """Ticket number -> place."""

    @property
    def fair(self) -> bool:
        """Whether all of it holds."""
        return self.commitment_holds and self.seed_holds


@click.command("verify-shuffle")
@click.argument("sale_id")
@click.option("--ticket-number", "numbers", multiple=True, type=click.IntRange(min=1), help="Again for more.")
@click.option("--commitment", "noted", help="What you noted before the start; by default what the sale shows now.")
@click.option("--url", help="Where the storefront's API answers; by default this instance's.")
@click.option("--json", "as_json", is_flag=True, help="As one JSON document.")
@options.data
def verify_shuffle(
    sale_id: str, numbers: tuple[int, ...], noted: str | None, url: str | None, as_json: bool, data: Path | None
) -> int:
    """Compute the draw of a sale's lobby again; exits 1 when it does not hold, 2 when nothing was drawn yet."""
    status = _status(url or find(data).base, sale_id)
    verdict = verify(status, numbers, noted=noted)
    click.echo(_shown(verdict, as_json))
    return 0 if verdict.fair else 1


def verify(status: RoomStatus, numbers: tuple[int, ...], *, noted: str | None = None) -> ShuffleVerdict:
    """Return what the published secret gives.

    Raises:
        InvalidError: nothing was drawn: the sale has not started, or had no lobby.
    """
    if status.secret is None or status.seed is None or status.cohort is None:
        if status.lobby_opens_at is None:
            raise InvalidError(f"{status.sale_id} has no lobby: nothing is drawn, places go by the order of joining")
        raise InvalidError(f"{status.sale_id} has not started: its lobby is drawn at {status.starts_at.isoformat()}")
    secret = _bytes("secret", status.secret)
    seed = seed_of(secret, status.cohort, status.beacon)
    return ShuffleVerdict(
        sale_id=status.sale_id,
        cohort=status.cohort,
        commitment_holds=commitment(secret) == (noted or status.commitment).strip().lower(),
        seed_holds=seed.hex() == status.seed,
        commitment=noted or status.commitment,
        seed=seed.hex(),
        beacon=status.beacon,
        places={number: place_of(number, status.cohort, seed) for number in numbers},
    )


def _bytes(name: str, text: str) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError as error:
        raise InvalidError(f"the sale's {name} is no hexadecimal number") from error
    return found


def _status(base: str, sale_id: str) -> RoomStatus:
    url = f"{base.rstrip('/')}/sales/{quote(sale_id, safe='')}/room"
    try:
        answer = httpx.get(url, timeout=_TIMEOUT_S, trust_env=False)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise InvalidError(f"--url: {error}") from error
    except httpx.HTTPError as error:
        raise StoreUnavailableError(f"{url} does not answer: {error}") from error
    if answer.status_code == httpx.codes.NOT_FOUND:
        raise NotFoundError(f"there is no waiting room at {url}")
    try:
        return msgspec.json.decode(answer.raise_for_status().content, type=RoomStatus)
    except (httpx.HTTPStatusError, msgspec.DecodeError) as error:
        raise StoreUnavailableError(f"{url} shows no status document: {error}") from error


def _shown(verdict: ShuffleVerdict, as_json: bool) -> str:
    if as_json:
        return json.dumps(msgspec.to_builtins(verdict, str_keys=True) | {"fair": verdict.fair}, indent=2)
    lines = [
        f"the secret is {'' if verdict.commitment_holds else 'NOT '}the one committed to: {verdict.commitment}",
        f"the seed {'follows' if verdict.seed_holds else 'does NOT follow'} from secret, cohort and beacon",
        *(f"ticket {number}: place {place}" for number, place in verdict.places.items()),
        f"{verdict.cohort:,} registered; the draw {'holds' if verdict.fair else 'DOES NOT HOLD'}",
    ]
    return "\n".join(lines)
