"""Addresses that one room hands out and another serves. Pure: owns how they are written, not what is behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from db.sales import Sale


def page_of(sale_id: str) -> str:
    """Return where to wait for leave to order."""
    return f"/sales/{sale_id}/wait"


def order_url(sale: Sale) -> str:
    """Return where an admitted visitor is led: the sale's own page, else the demonstration's storefront."""
    return str(sale.room.get("order_url") or f"/shop/{sale.sale_id}")
