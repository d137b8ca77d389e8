"""The waiting room's own composition root: its parts by settings, and its routes. Owns wiring, decides nothing."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any

from doorbuster.errors import InvalidError, SettingsError
from doorbuster.redis_clients import plain_client
from intake.orders.authorize import OrderAuthorizer
from intake.pages.demo_shop import ShopPage
from intake.pages.order import OrderPage
from intake.pages.render import Pages
from intake.pages.wait import WaitPage
from intake.room.admission_verifier import AdmissionVerifier
from intake.room.cache import RoomCache, RoomCacheTerms
from intake.room.challenge import Challenges
from intake.room.end_admission import AdmissionEnder
from intake.room.fast_visits import FastVisits
from intake.room.key_file import KeyFile
from intake.room.lookup import Rooms
from intake.room.resources import Admissions, OneTicket, ShowRoomStatus, Tickets
from intake.room.visits import Spending, Visits
from intake.sales.minute_flush import MinuteFlush
from intake.web.client_address import Addresses
from intake.web.storefront_keys import StorefrontKeys
from waitingroom.admissions import AdmissionSigner
from waitingroom.keyring import KeyRing
from waitingroom.tickets import TicketSigner

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from falcon.asgi import App

    from doorbuster.contract.room import ChallengeView
    from doorbuster.orderstore.accept import AcceptScript
    from doorbuster.settings import Settings
    from intake.pages.demo_shop import Shop
    from intake.room.return_uses import Uses
    from intake.sales.cache import CachedSale, Sales
    from intake.sales.offers import OfferCache
    from intake.server.cors import CrossOrigin
    from intake.web.problems import Problems


def ring_of(settings: Settings) -> KeyRing:
    """Return the keys of tickets and admissions; without ROOM_KEYS one derived from ORDER_ID_KEY.

    Raises:
        SettingsError: ROOM_KEYS is wrong.
    """
    if settings.room_keys is None:
        return KeyRing({"0": _derived(settings, b"room keys").hex()})
    try:
        return KeyRing.parse(settings.room_keys.get_secret_value())
    except InvalidError as error:
        raise SettingsError(f"ROOM_KEYS: {error.detail}") from error


def _key_file_of(settings: Settings) -> KeyFile | None:
    return None if settings.room_keys or not settings.room_keys_file else KeyFile(settings.room_keys_file)


def _derived(settings: Settings, purpose: bytes) -> bytes:
    return hmac.digest(settings.order_id_key.get_secret_value().encode(), b"doorbuster " + purpose, "sha256")


class RoomWiring:
    """The waiting room of one process."""

    def __init__(
        self, settings: Settings, sales: Sales, script: AcceptScript, uses: Uses, offering: OfferCache
    ) -> None:
        self.uses = uses
        self._sales = sales
        self._key_file = _key_file_of(settings)
        ring = self._key_file.ring if self._key_file else ring_of(settings)
        self.ring, timeout_s = ring, settings.store_timeout_s
        self.redis = plain_client(settings.room_redis_url.get_secret_value(), timeout_s=timeout_s)
        self._challenges = Challenges(settings, _derived(settings, b"challenges"))
        self.desk = RoomCache(
            self.redis,
            RoomCacheTerms(timeout_s=timeout_s, emergency_s=settings.room_emergency_s),
            self._challenge_of,
            offering,
        )
        self._minutes = MinuteFlush(sales, self.redis)
        admissions = AdmissionSigner(ring)
        self.door = AdmissionVerifier(self.desk, admissions)
        self.storefront_keys = StorefrontKeys(key.get_secret_value() for key in settings.storefront_keys)
        self.admission = OrderAuthorizer(self.storefront_keys, self.door)
        self._addresses = Addresses(settings.trusted_proxies)
        self._rooms = Rooms(sales, self.desk, self._addresses, self.storefront_keys)
        spending = Spending(AdmissionEnder(script), uses)
        self._visits = Visits(settings, TicketSigner(ring), admissions, self._challenges, spending)
        self.pages = Pages(settings.room_pages, settings.frame_ancestors)
        self._browsers_key = _derived(settings, b"browsers")

    def _challenge_of(self, cached: CachedSale) -> ChallengeView:
        return self._challenges.of(cached.sale.room.get("challenge")).view(cached.number)

    def add_routes(self, app: App[Any, Any], shop: Shop) -> None:
        """Add what visitors call and see, and the demonstration's storefront."""
        rooms, visits, pages = self._rooms, self._visits, self.pages
        page = WaitPage(rooms, visits, pages, shop.offers, self._browsers_key)
        app.add_route("/sales/{sale}/room", ShowRoomStatus(rooms))
        app.add_route("/sales/{sale}/room/tickets", Tickets(rooms, visits, page.join))
        app.add_route("/sales/{sale}/room/tickets/{ticket}", OneTicket(rooms, visits))
        app.add_route("/sales/{sale}/room/admissions", Admissions(rooms, visits))
        app.add_route("/sales/{sale}/wait", page)
        app.add_route("/shop/{sale}", ShopPage(rooms, self.door, pages, shop))
        app.add_route("/shop/{sale}/orders/{order}", OrderPage(rooms, self.door, pages, shop))

    def lane(self, problems: Problems, cross_origin: CrossOrigin) -> FastVisits:
        """Return the fast path of joins and claims."""
        made = FastVisits(self._sales, self.desk, self._visits, self._addresses, problems, cross_origin)
        self.ring.follow(made.forget)
        return made

    def running(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        """Return what runs as long as the process does."""
        return [
            self.desk.keep_ticking,
            self._minutes.keep_flushing,
            *([self._key_file.keep_fresh] if self._key_file else []),
        ]

    async def close(self) -> None:
        """Tell what was counted last, and close the connections."""
        await self._minutes.flush()
        await self._challenges.close()
        await self.redis.aclose()
