"""Settings: one frozen object, read once at the edge of a process from the environment or from files of secrets.

Owns names, defaults and bounds of every setting (docs/settings.md shows them); never prints a secret.
"""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from doorbuster.errors import SettingsError
from doorbuster.redis_roles.setting import JobsRedisUrl, RedisUrl
from doorbuster.values.postgres_url import split_servers

_HOST = r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])"
_ORIGIN = re.compile(rf"(?P<scheme>https?)://{_HOST}(?::(?P<port>[1-9][0-9]{{0,4}}))?")
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_PORTS = range(1, 65_536)
STEERING = ("open", "hold", "resume", "drain", "close", "revoke")
"""What ops do with a sale that is under way."""
_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})
_DURABILITY = re.compile(r"fsync|none|replicas:[1-9]\d?")
_LISTENER = re.compile(r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]):(?P<port>[1-9]\d{0,4})|unix:\S+|fd://\d+")
_TARGET = re.compile(
    r"ecs:[A-Za-z0-9_-]{1,255}/[A-Za-z0-9_-]{1,255}|(?:hpa|scaledobject):[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?"
    r"|[^\s:/][^:]{0,254}"
)


def _url(*schemes: str) -> AfterValidator:
    def check(value: SecretStr) -> SecretStr:
        parts = urlsplit(value.get_secret_value())
        if parts.scheme not in schemes:
            raise ValueError(f"must be a URL beginning with {' or '.join(f'{s}://' for s in schemes)}")
        return value

    return AfterValidator(check)


def _postgres_url(value: SecretStr) -> SecretStr:
    """Check the servers that a URL of Postgres names."""
    split_servers(value.get_secret_value())
    return value


def _durability(value: str) -> str:
    if not _DURABILITY.fullmatch(value):
        raise ValueError("must be 'fsync', 'replicas:N' with N from 1 to 99, or 'none'")
    return value


def _listeners(value: tuple[str, ...]) -> tuple[str, ...]:
    found = [_LISTENER.fullmatch(one) for one in value]
    if not all(one is not None and int(one["port"] or 1) in _PORTS for one in found) or not found:
        raise ValueError("must be addresses such as 127.0.0.1:8000, [::1]:8000 or unix:/run/intake.sock, by comma")
    return value


def _key(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < 16:
        raise ValueError("must have at least 16 characters")
    return value


def _verbs(value: tuple[str, ...]) -> tuple[str, ...]:
    if unknown := set(value) - set(STEERING):
        raise ValueError(f"must be of {', '.join(STEERING)}, by comma; {sorted(unknown)[0]!r} is none of them")
    return value


def _webhook_secret(value: SecretStr) -> SecretStr:
    """Check a secret as Standard Webhooks writes it, and that there is enough of it."""
    try:
        key = base64.b64decode(value.get_secret_value().removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if len(key) < 16:
        raise ValueError("must be whsec_ and base64 of 16 bytes or more")
    return value


def _api_base(value: str) -> str:
    """Check that nobody on the way reads what is said: https, or this machine."""
    found = _ORIGIN.fullmatch(value)
    host = urlsplit(value).hostname if found else None
    if found is None or (found["scheme"] != "https" and host not in _THIS_MACHINE):
        raise ValueError("must be https://host, or http:// on this machine, without path or slash at the end")
    return value


def _target(value: str | None) -> str | None:
    """Check what names something that is scaled."""
    if value is not None and not _TARGET.fullmatch(value):
        raise ValueError("must name an Auto Scaling group, ecs:CLUSTER/SERVICE, hpa:NAME or scaledobject:NAME")
    return value


def _cdn(value: str | None) -> str | None:
    """Check the address of a CDN; it has neither path nor slash at the end."""
    if value is not None and not _ORIGIN.fullmatch(value):
        raise ValueError("must be https://host or http://host, without path or slash at the end")
    return value


def _origin(value: str) -> str:
    """Check that an origin is written as browsers send it (RFC 6454 section 6.2): nothing else would ever match."""
    found = _ORIGIN.fullmatch(value)
    if found is None or found["port"] == _DEFAULT_PORTS[found["scheme"]] or int(found["port"] or 1) not in _PORTS:
        raise ValueError(
            "must be origins as browsers send them, such as https://shop.example or http://localhost:5173: in small "
            "letters, with neither path nor slash at the end nor the scheme's own port"
        )
    return value


def _origins(value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(_origin, value))


def _ancestors(value: tuple[str, ...]) -> tuple[str, ...]:
    named = (one.strip("'") if one in {"self", "'self'"} else one for one in value)
    return tuple(one if one == "self" else _origin(one) for one in named)


PostgresUrl = Annotated[SecretStr, _url("postgresql", "postgres"), AfterValidator(_postgres_url)]
SearchUrl = Annotated[SecretStr, _url("http", "https")]
Key = Annotated[SecretStr, AfterValidator(_key)]
WebhookSecret = Annotated[SecretStr, AfterValidator(_webhook_secret)]
TextList = Annotated[tuple[str, ...], NoDecode]
SecretList = Annotated[tuple[SecretStr, ...], NoDecode]
KeyList = Annotated[tuple[Key, ...], NoDecode]


class Settings(BaseSettings):
    """What a process of Doorbuster is told. Field names in capitals are the variables of the environment."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    database_url: PostgresUrl
    """The primary, and, by comma, who may take its place: `postgresql://user@h1:5432,h2:5432/shop`."""
    replica_urls: SecretList = ()
    orders_redis_url: RedisUrl
    room_redis_url: RedisUrl
    jobs_redis_url: JobsRedisUrl
    cache_redis_url: RedisUrl

    order_id_key: Key
    """Key of the derived order ids; changing it makes old idempotency keys new."""
    ops_key: Key
    storefront_keys: KeyList = ()
    """With any, what is bound to no customer needs one of them too."""
    ops_port: int | None = Field(None, ge=1, le=65_535)
    """Port of a listener of its own for the ops API; without one it shares the storefront's."""
    ops_bind: str | None = None
    """Address of that listener; without one the storefront's."""

    intake_role: Literal["all", "public", "ops"] = "all"
    """What an intake serves: the storefront (`public`), the ops API (`ops`), or both."""
    intake_bind: Annotated[TextList, AfterValidator(_listeners)] = ("127.0.0.1:8000",)
    """Where it listens."""
    intake_processes: int = Field(1, ge=1, le=256)

    ops_tries_per_address: int = Field(60, ge=1, le=1_000_000)
    """Wrong ops keys a minute from one address and process; beyond it none is looked at."""

    ops_session_s: int = Field(43_200, ge=60, le=604_800)
    """How long one is signed in to the page of ops."""
    ops_second_key_for: Annotated[TextList, AfterValidator(_verbs)] = ()
    """What takes a second ops key of another holder: verbs of a sale, like `close,drain`."""

    durability: Annotated[str, AfterValidator(_durability)] = "fsync"
    """Level an order must reach before its 202: `fsync`, `replicas:N`, `none`."""
    durability_check_s: float = Field(5.0, ge=0.1, le=300)
    store_timeout_s: float = Field(1.0, ge=0.05, le=30)
    """Bound of every call of the intake to a store."""
    replica_wait_ms: int = Field(500, ge=1, le=10_000)

    in_flight_max: int = Field(2_000, ge=1, le=100_000)
    """Requests in work in one intake process; beyond it 503 `overloaded`."""
    shed_lag_ms: int = Field(40, ge=0, le=10_000)
    """How late an intake process's event loop may stand before it refuses searches; 0: it never does for that."""
    backlog_max: int = Field(500_000, ge=1, le=50_000_000)
    """Orders accepted but not drained in one partition; beyond it 503 `overloaded`."""
    backlog_max_mb: int = Field(512, ge=1, le=1_000_000)
    """MiB of their entries; beyond it 503 `overloaded` as well."""
    order_store_max_mb: int | None = Field(None, ge=64, le=10_000_000)
    """MiB that the order store may take: past nine tenths of it new orders are refused with 503 `overloaded`."""
    batch_max: int = Field(256, ge=1, le=2_000)
    """Orders in one call of the accept script."""
    batch_post_lines_max: int = Field(256, ge=1, le=2_000)
    """Orders in one batch post; beyond it 413 `too_large`, and none is taken."""
    batch_post_line_bytes_max: int = Field(16_384, ge=1_024, le=16_384)
    """Bytes of one of its lines; beyond it that line alone is 413 `too_large`."""
    batch_post_bytes_max: int = Field(1_048_576, ge=1_024, le=33_554_432)
    """Bytes of a batch post; beyond it 413 `too_large`, and none of its orders is taken."""
    batch_posts_max: int = Field(8, ge=1, le=1_000)
    """Batch posts in work in one intake process; beyond it 503 `overloaded`."""
    body_timeout_s: float = Field(10.0, ge=0.1, le=120)
    bodies_max: int = Field(2_000, ge=1, le=100_000)
    """Requests in one intake process whose body has not wholly come; past it the oldest is given up."""
    bodies_per_address: int = Field(200, ge=1, le=100_000)
    """Of these, from one address."""
    connections_max: int = Field(10_000, ge=8, le=1_000_000)
    """Open connections of one intake process, if its descriptors allow; past it who idles longest is closed."""
    event_streams_max: int = Field(5_000, ge=1, le=1_000_000)
    """Open event streams of one intake process; beyond it 503 `overloaded`."""
    head_bytes_max: int = Field(32_768, ge=1_024, le=1_048_576)
    """Size of a request's head, and of its trailer."""
    head_lines_max: int = Field(100, ge=10, le=1_000)
    head_timeout_s: float = Field(10.0, ge=0.1, le=120)
    """How long a head may take, from its first byte."""
    first_request_timeout_s: float = Field(30.0, ge=0.1, le=3_600)
    idle_timeout_s: float = Field(75.0, ge=0.1, le=3_600)
    """How long a connection is kept open between two requests."""
    write_timeout_s: float = Field(30.0, ge=0.1, le=600)
    """How long a connection may leave its answers unread."""
    idempotency_ttl_s: int = Field(86_400, ge=60, le=2_592_000)
    retry_after_s: int = Field(1, ge=1, le=600)
    stream_keep_s: int = Field(0, ge=0, le=86_400)
    """How long drained entries stay in the stream, so that a Postgres failover can replay them."""

    drain_batch_max: int = Field(2_000, ge=1, le=5_000)
    shift_s: float = Field(60.0, ge=1, le=600)
    lease_s: float = Field(4.0, ge=1, le=60)
    settle_concurrency: int = Field(500, ge=1, le=5_000)
    payment_provider: Literal["simulated", "stripe"] = "simulated"
    """Whose gateway authorises payments."""
    simulated_books: bool = False
    """Whether the simulated provider keeps every payment in its books, not only what the token does not tell."""
    payment_webhook_secret: WebhookSecret | None = None
    """What the simulated provider's callbacks are signed with, as Standard Webhooks writes it."""
    stripe_api_key: Key | None = None
    """Stripe's secret or restricted key; the workers need it."""
    stripe_webhook_secret: Key | None = None
    """Stripe's signing secret of the endpoint that it calls; the intake needs it."""
    stripe_api_base: Annotated[str, AfterValidator(_api_base)] = "https://api.stripe.com"
    """Where Stripe's API is."""
    payment_timeout_s: float = Field(2.0, ge=0.05, le=60)
    payment_retry_s: float = Field(2.0, ge=0.05, le=600)

    catalogue_fresh_s: float = Field(1.0, ge=0.05, le=60)
    """How long a process shows its own copy of a product."""
    catalogue_keep_s: float = Field(60.0, ge=1, le=86_400)
    """How long the cache keeps a copy that nothing invalidates, about."""
    catalogue_copies_max: int = Field(20_000, ge=100, le=5_000_000)
    """Copies in one process."""
    catalogue_copies_mb: int = Field(200, ge=1, le=1_000_000)
    """MiB that they may take there, about."""
    replica_lag_max_s: float = Field(1.0, ge=0.3, le=60)
    """A replica further behind than this is not read from."""
    primary_reads_max: int = Field(4, ge=1, le=100)
    """Catalogue reads of one process that the primary answers at a time, when no replica can."""
    cdn_max_age_s: int = Field(60, ge=0, le=86_400)
    """`s-maxage`: how long a CDN may keep a page that nothing purges."""
    cdn_stale_s: int = Field(30, ge=0, le=86_400)
    """`stale-while-revalidate`."""
    search_url: SearchUrl | None = None
    """OpenSearch, when Postgres is not to search; its path names the alias, `/products` if there is none."""
    search_timeout_s: float = Field(1.0, ge=0.05, le=30)
    """How long a statement of a search may take; after it a search is not loosened either."""
    purge_varnish_urls: SecretList = ()
    """Varnish servers to purge changed products from."""
    purge_varnish_key: Key | None = None
    """What `deploy/varnish.vcl` asks for before it purges; varnishd has the same in its environment."""
    purge_cloudfront_distribution: str | None = None
    """Id of a CloudFront distribution to purge changed products from; credentials come as boto3 finds them."""

    loadtest_proof: Key | None = None
    """Known to who owns this installation: load tests from elsewhere come when they know it too. None: none do."""

    room_keys: SecretStr | None = None
    """Keys of tickets and admissions, `kid:secret,kid:secret`; the first signs. None: one derived from ORDER_ID_KEY."""
    room_keys_file: Path | None = None
    """A file that holds them instead, or a JSON object whose `room_keys` does; a change is taken up within a second."""
    trusted_proxies: TextList = ()
    """Networks of proxies whose X-Forwarded-For is believed."""
    room_joins_per_address: int = Field(300, ge=0, le=1_000_000)
    """Joins a minute from one address and process; 0: any number."""
    room_joins_per_customer: int = Field(30, ge=0, le=1_000_000)
    """Joins a minute of one customer and process; 0: any number."""
    room_wrong_codes_per_sale: int = Field(100, ge=1, le=1_000_000)
    """Wrong access codes a minute in one sale and process; beyond it no code is looked at."""
    room_challenge_bits: int = Field(16, ge=1, le=30)
    """Difficulty of the proof of work."""
    room_challenge_window_s: int = Field(120, ge=10, le=3600)
    """How long a salt of the proof of work is shown; it is good for twice as long."""
    room_verify_url: str | None = None
    """Where a verifier checks challenges, as Turnstile's siteverify does."""
    room_verify_secret: SecretStr | None = None
    room_verify_site_key: str | None = None
    room_verify_timeout_s: float = Field(2.0, ge=0.1, le=30)
    room_emergency_s: float = Field(300.0, ge=1, le=86_400)
    """How long a room that fails open lets people in without its store."""
    room_emergency_admission_s: int = Field(120, ge=5, le=3600)
    """Life of an admission given meanwhile."""
    room_pages: str | None = None
    """Folder whose templates/, texts/ and static/ come before the built-in ones."""

    cors_origins: Annotated[TextList, AfterValidator(_origins)] = ()
    """Origins whose scripts may call the storefront and the room, exactly as browsers send them."""
    frame_ancestors: Annotated[TextList, AfterValidator(_ancestors)] = ()
    """Origins, and `self`, whose pages may have the pages for people in a frame."""

    webhook_allow_private: bool = False
    """Whether webhooks may go to addresses that are not of the open internet."""
    webhook_timeout_s: float = Field(10.0, ge=0.1, le=60)
    """How long a receiver may take to answer."""
    webhook_concurrency: int = Field(8, ge=1, le=100)
    """Deliveries to one endpoint at a time."""
    webhook_retry_s: float = Field(5.0, ge=0.05, le=3_600)
    """About how long after a failed attempt the second is made; then it doubles."""
    webhook_retry_for_s: int = Field(259_200, ge=1, le=2_592_000)
    """How long a delivery is tried, from its first attempt; then it is a dead letter."""
    webhook_pause_after: int = Field(100, ge=1, le=1_000_000)
    """Failed attempts in a row after which an endpoint is paused."""
    webhook_log_s: int = Field(604_800, ge=7_200, le=31_536_000)
    """How long the log of deliveries is kept."""

    scaling: Literal["none", "local", "aws", "kubernetes"] = "none"
    """What starts more processes ahead of a sale, and fewer after it."""
    scaling_folder: Path | None = None
    """Of `local`: where `doorbuster up` is told how many processes to run; it sets this itself."""
    scaling_intake: Annotated[str | None, AfterValidator(_target)] = None
    """Of `aws` and `kubernetes`: what runs the intake; an Auto Scaling group, `ecs:CLUSTER/SERVICE`, `hpa:NAME`..."""
    scaling_workers: Annotated[str | None, AfterValidator(_target)] = None
    """What runs the workers."""
    scaling_namespace: str = "default"
    """Of `kubernetes`: where both are."""
    scaling_timeout_s: float = Field(10.0, ge=0.1, le=120)
    """How long a call of AWS or Kubernetes may take."""
    data_folder: Path | None = None
    """Where embedded stores keep their data: its free space is looked at before a sale. `doorbuster up` sets it."""
    prewarm_cdn_url: Annotated[str | None, AfterValidator(_cdn)] = None
    """Where shoppers reach the CDN: its pages of a sale's products are asked for ahead of the sale."""

    traces: bool = False
    """Whether orders get traces, by OpenTelemetry; where they go its own variables say."""
    trace_share: float = Field(0.01, ge=0, le=1)
    """Of the requests whose callers say nothing, how many get one."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator(
        "replica_urls", "storefront_keys", "purge_varnish_urls", "trusted_proxies", "cors_origins", "frame_ancestors",
        "intake_bind", "ops_second_key_for", mode="before",
    )  # fmt: skip
    @classmethod
    def _split(cls, value: object) -> object:
        """Read a list as it stands in the environment and in files: parts by comma."""
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def load_settings(**values: Any) -> Settings:
    """Read the settings from `values`, then the environment, then the folder named by SECRETS_DIR (a file a setting).

    Raises:
        SettingsError: something is missing or wrong; all of it is named, one line each, without the values.
    """
    if secrets_dir := os.environ.get("SECRETS_DIR"):
        values["_secrets_dir"] = secrets_dir
    try:
        return Settings(**values)
    except ValidationError as error:
        lines = [
            f"{str(mistake['loc'][0]).upper()}: {_problem(mistake['type'], mistake['msg'])}"
            for mistake in error.errors(include_url=False, include_input=False)
        ]
        raise SettingsError("\n".join(sorted(lines))) from error


def require_payment_keys(settings: Settings) -> None:
    """See to it that whoever asks the payment provider has what it asks for; an intake needs none of it.

    Raises:
        SettingsError: a key is missing.
    """
    if settings.payment_provider == "stripe" and settings.stripe_api_key is None:
        raise SettingsError("STRIPE_API_KEY: is missing, and PAYMENT_PROVIDER is stripe")


def _problem(kind: str, message: str) -> str:
    if kind == "missing":
        return "is missing"
    return message.removeprefix("Value error, ").removeprefix("Input ")
