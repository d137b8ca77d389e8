"""The simulated gateway as it is run, with its books in Postgres, does what every gateway must."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from tests.fixtures.gateways import GatewayConformance
from tests.fixtures.paying import end_action
from workers.payments.gateway import Gateway, NotListedError, ProviderPayment
from workers.payments.simulated import SimulatedGateway
from workers.payments.simulated_books import PostgresBooks

if TYPE_CHECKING:
    from db.connections.pool import Connection


class TestSimulatedInPostgres(GatewayConformance):
    """With a book for every payment."""

    approved, declined, other_card = "tok_visa", "tok_decline", "tok_visa card:other"
    url: str = "postgresql:///"
    db: Connection
    everything = True

    @pytest.fixture(autouse=True)
    async def _books(self, db: Connection, database_url: str) -> None:
        self.db, self.url = db, database_url

    async def make(self) -> Gateway:
        return SimulatedGateway(PostgresBooks(self.url, timeout_s=30), everything=self.everything)

    async def action(self, *, succeeds: bool) -> str:
        return "action"

    async def act(self, answer: ProviderPayment, *, succeeds: bool) -> None:
        assert await end_action(self.db, UUID((answer.reference or "").removeprefix("sim_")), succeeds=succeeds)

    async def losing(self) -> str:
        return "late:0"


class TestSimulatedByItsTokens(TestSimulatedInPostgres):
    """As it is by default: what the token says is kept nowhere, and there is no list."""

    everything = False

    async def test_the_list_has_every_payment(self) -> None:
        async with self.open() as gateway:
            with pytest.raises(NotListedError):
                _ = [one async for one in gateway.list(datetime.now(UTC) - timedelta(minutes=1))]
