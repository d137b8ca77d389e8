"""The intake's entry: the application for its role. Owns which floors a role has; their parts come from `wiring/`."""

from __future__ import annotations

from doorbuster import tracing
from doorbuster.log import configure
from doorbuster.settings import Settings, load_settings
from intake.monitoring.health import Inside
from intake.ops.access.roles import RequiredRole
from intake.ops.session.required import CsrfRequired, SecondKey
from intake.orders.fast_post import FastOrderPost
from intake.server.cors import CrossOrigin
from intake.server.guard import Guard
from intake.server.traced import TracedRequests, but_for_traced
from intake.web.falcon_app import PlainText, make_app
from intake.web.openapi.roles import OPS_FILES, OPS_PAGE, OPS_SESSION
from intake.web.ops_keys import OpsAuth
from intake.wiring.components import Parts
from intake.wiring.routes import add_ops, add_ops_page, add_process, add_storefront


def create_app(settings: Settings) -> Guard:
    """Put the intake together for its role."""
    parts, role = Parts(settings), settings.intake_role
    inside = [Inside(parts.ops_keys)] if role == "public" else []
    app = make_app(parts.problems, parts.lifespan(), *inside)
    add_process(app, parts)
    if role != "ops":
        add_storefront(app, parts)
    if role != "public":
        second_key = SecondKey(parts.ops_keys, settings.ops_second_key_for)
        ops = make_app(parts.problems, PlainText(), CsrfRequired(), RequiredRole(), second_key)
        add_ops(ops, parts)
        add_ops_page(ops, app, parts)
        parts.guard.ops_application = OpsAuth(
            ops,
            parts.ops_keys.wait_s,
            parts.sessions.wait_s,
            open_paths=(OPS_PAGE, OPS_SESSION),
            open_under=f"{OPS_FILES}/",
            retry_after_s=settings.retry_after_s,
        )
    else:
        parts.guard.ops_application = app  # knows no such path: 404
    parts.guard.application = app
    if role != "ops":
        cross_origin = CrossOrigin(settings.cors_origins)
        fast_visits = parts.waiting.lane(parts.problems, cross_origin)
        parts.guard.fast_paths = (parts.fast_product_read, fast_visits)
        parts.guard.fast_visit_post = fast_visits.post
        parts.guard.cross_origin = cross_origin if settings.cors_origins else None
        parts.guard.fast_order_post = FastOrderPost(
            parts.sales, parts.accepting, parts.waiting.admission, parts.waiting.door, parts.problems, cross_origin
        )
    if tracing.ON:
        parts.guard.application = TracedRequests(parts.guard.application)
        parts.guard.fast_order_post = but_for_traced(parts.guard.fast_order_post)
        parts.guard.fast_visit_post = but_for_traced(parts.guard.fast_visit_post)
    return parts.guard


def from_environment() -> Guard:
    """Put the intake together from the environment; what gunicorn calls in each worker."""
    settings = load_settings()
    configure(settings.log_level)
    tracing.begin(settings, "doorbuster-intake")
    return create_app(settings)
