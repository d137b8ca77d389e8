"""The report as a page to print. Owns how figures become words there; the charts are `charts.py`'s."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from doorbuster.contract.night.report import SaleReport

HTML = "text/html; charset=utf-8"


class ReportPage:
    """Writes reports as pages."""

    def write(self, report: SaleReport, *, standalone: bool) -> tuple[str, dict[str, str]]:
        """Return a page and its headers; standing alone it needs no other file."""
        return f"{report.sale.sale_id} {standalone}", {}
