"""The report as a page to print: words, charts, headers. Owns how figures become text; reckons none of them.

No script, nothing inline, nothing from elsewhere. A page that is to stand alone, as a file, has its style in it, and
its policy names that style by its hash.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from babel.numbers import format_currency
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from doorbuster.contract.night.report import MinuteRow
from doorbuster.values.currencies import EXPONENTS
from intake.ops.report.charts import ChartLine, chart
from intake.web.openapi.roles import REPORT_FILES
from intake.web.static_files import StaticFiles

if TYPE_CHECKING:
    from doorbuster.contract.night.report import SaleReport

HERE = Path(__file__).parent
HTML = "text/html; charset=utf-8"
AFTER = timedelta(hours=1)
"""So long after the sale's end the charts go on: what is confirmed days later would make lines of nothing."""
POINTS_MAX = 2_880
NONE = "\N{EN DASH}"
ROWS_MAX = 60
"""Minutes shown as a table; all of them are in the CSV."""
VERDICTS = {"holds": "holds", "broken": "BROKEN", "not_checked": "not checked"}
KINDS = {
    "alert": "alert", "no_go": "no-go", "dead_letters": "put aside", "payments_failed": "payment",
    "late_stage": "late", "restart": "restart",
}  # fmt: skip


class ReportPage:
    """Writes reports as pages."""

    def __init__(self) -> None:
        self._style = (HERE / "static" / "report.css").read_text()
        digest = base64.b64encode(hashlib.sha256(self._style.encode()).digest()).decode()
        self._style_hash = f"'sha256-{digest}'"
        self.static_files = StaticFiles([HERE / "static"], REPORT_FILES)
        self._template = _template()

    def write(self, report: SaleReport, *, standalone: bool) -> tuple[str, dict[str, str]]:
        """Return a page and its headers; standing alone it needs no other file."""
        words = Words(report.sale.currency)
        page = self._template.render(
            r=report,
            w=words,
            style=Markup(self._style) if standalone else None,  # noqa: S704  a file of our own
            style_address=f"{self.static_files.address}/report.css",
            charts=_charts(report),
            rows=report.minutes[:ROWS_MAX],
            verdicts=VERDICTS,
            kinds=KINDS,
        )
        return page, self._headers(self._style_hash if standalone else "'self'")

    def _headers(self, style_source: str) -> dict[str, str]:
        return {
            "Content-Security-Policy": f"default-src 'none'; style-src {style_source}; base-uri 'none'; "
            "form-action 'none'; frame-ancestors 'none'",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Cross-Origin-Opener-Policy": "same-origin",
        }


@cache
def _template() -> Template:
    """Return the template, compiled once a process."""
    return Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template("report.html")


class Words:
    """How figures are said; what is not known is a dash."""

    def __init__(self, currency: str | None) -> None:
        self._currency = currency

    def n(self, value: float | None) -> str:
        """Say a number."""
        return NONE if value is None else f"{value:,}"

    def s(self, seconds: float | None) -> str:
        """Say seconds."""
        if seconds is None:
            return NONE
        if seconds < 1:
            return f"{seconds * 1000:,.0f} ms"
        return f"{seconds:,.1f} s" if seconds < 600 else f"{seconds / 60:,.0f} min"

    def tau(self, value: float | None) -> str:
        """Say Kendall's tau."""
        return NONE if value is None else f"{value:.3f}"

    def share(self, part: int | None, whole: int | None) -> str:
        """Say a share."""
        return "" if not whole or part is None else f"{part / whole:.1%}"

    def at(self, moment: datetime | None) -> str:
        """Say a moment in UTC."""
        return NONE if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"

    def time(self, moment: datetime | None) -> str:
        """Say a time of day in UTC."""
        return NONE if moment is None else f"{moment:%H:%M:%S}"

    def money(self, minor_units: int) -> str:
        """Say an amount."""
        if self._currency is None:
            return f"{minor_units:,}"
        amount = Decimal(minor_units).scaleb(-EXPONENTS.get(self._currency, 2))
        return str(format_currency(amount, self._currency, locale="en"))

    def code(self, name: str) -> str:
        """Say a code."""
        return name.replace("_", " ")


def _charts(report: SaleReport) -> list[dict[str, Any]]:
    rows = filled(report)
    unit = "a minute" if report.step_s == 60 else f"in {report.step_s // 60} minutes"
    wanted = (
        (f"Orders {unit}", (("offered", "a"), ("accepted", "b"), ("confirmed", "c"), ("refused", "d"))),
        (f"Visitors {unit}", (("joined", "a"), ("admitted", "b"))),
    )
    drawn = []
    for title, series in wanted:
        lines = [ChartLine(name, kind, [getattr(row, name) for row in rows]) for name, kind in series]
        lines = [line for line in lines if any(line.values)]
        svg = chart(title, [row.at for row in rows], lines) if lines else ""
        if svg:
            drawn.append({"title": title, "svg": Markup(svg), "lines": lines})  # noqa: S704  escaped there
    return drawn


def filled(report: SaleReport) -> list[MinuteRow]:
    """Return the minutes of the sale without gaps, for lines that fall where nothing happened."""
    if not report.minutes:
        return []
    known = {row.at: row for row in report.minutes}
    begin, step = report.minutes[0].at, timedelta(seconds=report.step_s)
    end = report.minutes[-1].at
    if report.sale.over_at is not None:
        end = min(end, max(begin, report.sale.over_at + AFTER))
    count = min(int((end - begin) / step) + 1, POINTS_MAX)
    known_offered = report.totals.offered is not None
    return [known.get(at) or _empty(at, known=known_offered) for at in (begin + step * n for n in range(count))]


def _empty(at: datetime, *, known: bool) -> MinuteRow:
    nothing = 0 if known else None
    return MinuteRow(
        at=at.astimezone(UTC), offered=nothing, joined=nothing, admitted=nothing, refused=nothing, accepted=0,
        confirmed=0, cancelled=0,
    )  # fmt: skip
