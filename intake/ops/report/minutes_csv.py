"""The minutes of a report as CSV (RFC 4180), for spreadsheets. Pure."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from doorbuster.values.timestamps import rfc3339_of

if TYPE_CHECKING:
    from doorbuster.contract.night.report import SaleReport

CSV = "text/csv; charset=utf-8; header=present"
COLUMNS = ("at", "step_s", "offered", "joined", "admitted", "refused", "accepted", "confirmed", "cancelled")


def minutes_csv(report: SaleReport) -> bytes:
    """Return a line a minute; what is not known is empty."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(COLUMNS)
    for row in report.minutes:
        figures = [getattr(row, name) for name in COLUMNS[2:]]
        writer.writerow([rfc3339_of(row.at), report.step_s, *("" if one is None else one for one in figures)])
    return written.getvalue().encode()
