"""Which resource answers which path, and in which role. Owns the routes; each resource is handed what it uses."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from intake.monitoring.health import ShowLiveness, ShowReadiness
from intake.monitoring.show_metrics import ShowMetrics
from intake.ops.access.keys import OneOpsKey, OpsKeyList
from intake.ops.change_log import OpsLog
from intake.ops.clone import CloneSale
from intake.ops.dead_letters.resources import DeadLetters, DiscardDeadLetter, Letters, OneDeadLetter, RetryDeadLetter
from intake.ops.export.resource import ExportOrders
from intake.ops.fulfilment.bulk import BulkTransitions
from intake.ops.fulfilment.refunds import Refunds
from intake.ops.fulfilment.shipments import OneShipment, Shipments
from intake.ops.import_products import ImportProducts
from intake.ops.live.resource import ShowLive
from intake.ops.losses import AcknowledgeLoss, Losses, OneLoss
from intake.ops.orders import OrderList, TransitionOrder
from intake.ops.prewarm import SalePrewarm
from intake.ops.prices import ProductPrices
from intake.ops.products import OneProduct, ProductSearch, ProductStock
from intake.ops.rehearsals import proof
from intake.ops.rehearsals.resources import OneRehearsal, RehearsalList, Rehearsals
from intake.ops.report.page import ReportPage
from intake.ops.report.promises import Promises
from intake.ops.report.resource import ReportOfSale
from intake.ops.sales import OneSale, RevokeAdmissions, SaleList, SaleVerb
from intake.ops.session.resources import SessionTerms, SignIn
from intake.ops.session.totp import ConfirmTotp, KeyTotp, TotpCodes, totp_key
from intake.ops.status import OpsStatus
from intake.ops.webhooks.deliveries import ReplayWebhook, SendTest, WebhookDeliveries
from intake.ops.webhooks.endpoints import OneWebhook, ResumeWebhook, RotateSecret, WebhookList
from intake.orders.access import OrderAccess
from intake.orders.batch_lines import BatchLines
from intake.orders.batch_post import BatchBounds, PostOrderBatch
from intake.orders.event_stream import OrderEvents
from intake.orders.post import PostOrder
from intake.orders.prefer_wait import PreferWait
from intake.orders.resources import CancelOrder, OneOrder
from intake.pages.demo_shop import Shop
from intake.pages.landing import Landing
from intake.pages.offers import ShopOffers
from intake.pages.ops_page import OpsPage, Runbook, ToOpsPage
from intake.pages.problems import ProblemPages
from intake.payments.callbacks import PaymentEvents
from intake.products.resources import ListProducts, ShowProduct
from intake.products.search import SearchProducts, SuggestSearches
from intake.sales.resource import ShowSale
from intake.web.client_address import Addresses
from intake.web.openapi.document import resources
from intake.web.openapi.roles import OPS_FILES, OPS_PAGE, OPS_SESSION

if TYPE_CHECKING:
    from intake.web.falcon_app import Routes
    from intake.wiring.components import Parts


def add_process(app: Routes, parts: Parts) -> None:
    """Add what every role serves: how the process is, what it can do, the files of pages."""
    app.add_route("/healthz", ShowLiveness())
    app.add_route("/readyz", ShowReadiness(parts.health, parts.progress))
    app.add_route(
        "/metrics",
        ShowMetrics(
            parts.metrics,
            parts.sales,
            (parts.database, parts.orders_redis),
            parts.waiting.desk,
            parts.read_figures,
            parts.alerts.watch,
        ),
    )
    app.add_route(proof.PATH, proof.ShowProof(parts.settings.loadtest_proof))
    static_files = parts.waiting.pages.static_files
    app.add_route(static_files.route, static_files)  # also where ops alone come, whose pages need them
    for path, resource in resources().items():
        app.add_route(path, resource)


def add_storefront(app: Routes, parts: Parts) -> None:
    """Add what shoppers and storefronts call."""
    waiting = parts.waiting
    awaiting = PreferWait(parts.reader, parts.outcomes, parts.guard, parts.problems)
    posting = PostOrder(parts.sales, parts.accepting, waiting.admission, awaiting, parts.offering)
    posting.on_full_path = parts.metrics.orders_by_path.labels("full").inc
    counts = parts.sales.counts
    parts.problems.on_refused, parts.guard.on_refused = counts.refused, partial(counts.refused, is_offered=True)
    app.add_route("/sales/{sale}", ShowSale(parts.offering, parts.sales))
    app.add_route("/sales/{sale}/orders", posting)
    add_batches(app, parts)
    owners = OrderAccess(waiting.storefront_keys, waiting.door)
    waiting.add_routes(app, Shop(posting, ShopOffers(parts.catalogue), parts.reader, owners))
    app.add_route("/", Landing(parts.list_sales, parts.sales, waiting.door, waiting.pages))
    problem_pages = ProblemPages(waiting.pages)
    parts.problems.page, parts.guard.busy_page = problem_pages.write, problem_pages.busy
    app.add_route("/orders/{order}", OneOrder(parts.reader, owners))
    app.add_route("/orders/{order}/events", OrderEvents(parts.reader, owners, parts.hub, guard=parts.guard))
    app.add_route("/orders/{order}/cancel", CancelOrder(parts.moving, parts.reader, owners))
    addresses = Addresses(parts.settings.trusted_proxies)
    app.add_route("/payments/{provider}/events", PaymentEvents(parts.callbacks, parts.payment_news, addresses))
    add_catalogue(app, parts)


def add_batches(app: Routes, parts: Parts) -> None:
    """Add what storefronts' servers post many orders by."""
    settings, waiting = parts.settings, parts.waiting
    bounds = BatchBounds(
        lines=settings.batch_post_lines_max,
        line_bytes=settings.batch_post_line_bytes_max,
        whole_bytes=settings.batch_post_bytes_max,
        posts=settings.batch_posts_max,
        timeout_s=settings.body_timeout_s,
    )
    lines = BatchLines(parts.accepting, waiting.door, parts.offering, parts.problems)
    batches = PostOrderBatch(parts.sales, waiting.storefront_keys, lines, bounds)
    batches.on_lines = parts.metrics.orders_by_path.labels("batch").inc
    app.add_route("/sales/{sale}/orders:batch", batches)


def add_catalogue(app: Routes, parts: Parts) -> None:
    """Add what is read of products."""
    app.add_route("/products", ListProducts(parts.catalogue))
    app.add_route("/products/{product}", ShowProduct(parts.catalogue, parts.problems))
    app.add_route("/search", SearchProducts(parts.search))
    app.add_route("/search/suggest", SuggestSearches(parts.search))


def add_ops(app: Routes, parts: Parts) -> None:
    """Add what ops call; the door before it asks for the ops key."""
    database, publishing = parts.database, parts.publishing
    app.add_route("/ops/sales", SaleList(database, publishing))
    app.add_route("/ops/sales/{sale}", OneSale(database, publishing, parts.restocking, parts.waiting_orders))
    app.add_route(
        "/ops/sales/{sale}/room/revoke", RevokeAdmissions(database, publishing, parts.sales, parts.waiting.desk)
    )
    app.add_route("/ops/sales/{sale}/clone", CloneSale(database, publishing))
    rehearsals = Rehearsals(database, parts.orders_redis, publishing, parts.sales.live_first)
    app.add_route("/ops/sales/{sale}/rehearsals", RehearsalList(rehearsals))
    app.add_route("/ops/sales/{sale}/rehearsals/{rehearsal}", OneRehearsal(rehearsals))
    app.add_route("/ops/sales/{sale}/live", ShowLive(parts.sales, parts.live, parts.guard))
    app.add_route("/ops/keys", OpsKeyList(database))
    app.add_route("/ops/keys/{key}", OneOpsKey(database))
    app.add_route("/ops/audit", OpsLog(database))
    app.add_route("/ops/status", OpsStatus(database, parts.sales, parts.checks, parts.progress, parts.durability))
    add_looking_back(app, parts)
    app.add_route("/ops/sales/{sale}/prewarm", SalePrewarm(database, publishing, parts.prewarming))
    app.add_route("/ops/sales/{sale}/{verb}", SaleVerb(database, publishing))
    app.add_route("/ops/products", ProductSearch(SearchProducts(parts.search)))
    app.add_route("/ops/products/{product}", OneProduct(database, parts.catalogue, publishing, parts.waiting_orders))
    app.add_route("/ops/products/{product}/stock", ProductStock(database, parts.restocking, parts.catalogue))
    app.add_route("/ops/products/{product}/prices", ProductPrices(database, parts.catalogue, publishing))
    app.add_route("/ops/products:import", ImportProducts(database))
    add_orders_of_ops(app, parts)
    add_webhooks(app, parts)


def add_orders_of_ops(app: Routes, parts: Parts) -> None:
    """Add what ops do with orders, and with what could not become one."""
    database = parts.database
    app.add_route("/ops/orders", OrderList(database))
    app.add_route("/ops/orders:export", ExportOrders(database, parts.catalogue.replicas))
    app.add_route("/ops/orders/{order}", OneOrder(parts.reader))
    app.add_route("/ops/orders/{order}/transitions", TransitionOrder(parts.moving))
    app.add_route("/ops/orders/{order}/shipments", Shipments(parts.moving))
    app.add_route("/ops/orders/{order}/shipments/{shipment}", OneShipment(parts.moving))
    app.add_route("/ops/orders/{order}/refunds", Refunds(parts.moving))
    app.add_route("/ops/orders:transition", BulkTransitions(parts.moving))
    letters = Letters(database, parts.orders_redis)
    app.add_route("/ops/dead-letters", DeadLetters(letters))
    app.add_route("/ops/dead-letters/{letter}", OneDeadLetter(letters))
    app.add_route("/ops/dead-letters/{letter}/discard", DiscardDeadLetter(letters))
    app.add_route("/ops/dead-letters/{letter}/retry", RetryDeadLetter(letters))
    app.add_route("/ops/losses", Losses(database))
    app.add_route("/ops/losses/{loss}", OneLoss(database))
    app.add_route("/ops/losses/{loss}/acknowledge", AcknowledgeLoss(database))


def add_ops_page(app: Routes, public: Routes, parts: Parts) -> None:
    """Add the page of ops, what goes with it, and signing in."""
    database, sessions = parts.database, parts.sessions
    codes = TotpCodes(totp_key(parts.settings), database)
    page = OpsPage(parts.waiting.pages, sessions.is_likely, OPS_FILES)
    app.add_route(OPS_PAGE, page)
    app.add_route(page.static_files.route, page.static_files)
    app.add_route("/ops/runbook", Runbook())
    public.add_route(OPS_PAGE.rstrip("/"), ToOpsPage(OPS_PAGE))
    terms = SessionTerms(parts.settings.ops_second_key_for)
    app.add_route(OPS_SESSION, SignIn(parts.ops_keys, sessions, codes, database, terms))
    app.add_route("/ops/keys/{key}/totp", KeyTotp(codes, database))
    app.add_route("/ops/keys/{key}/totp/confirm", ConfirmTotp(codes, database))


def add_looking_back(app: Routes, parts: Parts) -> None:
    """Add what is told of promises and of sales that are over."""
    database, page = parts.database, ReportPage()
    promises = Promises(database, parts.orders_redis, parts.catalogue.replicas, parts.checks.redis["jobs_store"])
    reports = ReportOfSale(database, parts.orders_redis, parts.waiting.redis, promises=promises, page=page)
    app.add_route("/ops/promises", promises)
    app.add_route("/ops/sales/{sale}/report", reports)
    app.add_route(page.static_files.route, page.static_files)


def add_webhooks(app: Routes, parts: Parts) -> None:
    """Add what ops keep endpoints of webhooks by."""
    database = parts.database
    app.add_route("/ops/webhooks", WebhookList(database, allow_private=parts.settings.webhook_allow_private))
    app.add_route("/ops/webhooks/{webhook}", OneWebhook(database))
    app.add_route("/ops/webhooks/{webhook}/rotate", RotateSecret(database))
    app.add_route("/ops/webhooks/{webhook}/resume", ResumeWebhook(database))
    app.add_route("/ops/webhooks/{webhook}/test", SendTest(database))
    app.add_route("/ops/webhooks/{webhook}/replay", ReplayWebhook(database))
    app.add_route("/ops/webhooks/{webhook}/deliveries", WebhookDeliveries(database))
