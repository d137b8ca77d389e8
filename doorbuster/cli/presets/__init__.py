"""How the exports of shop systems are read, by name. Owns the list."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from doorbuster.cli.presets.google import Google
from doorbuster.cli.presets.magento import Magento
from doorbuster.cli.presets.preset import Preset
from doorbuster.cli.presets.shopify import Shopify
from doorbuster.cli.presets.woocommerce import WooCommerce

PRESETS: Mapping[str, type[Preset]] = MappingProxyType(
    {"shopify": Shopify, "woocommerce": WooCommerce, "magento": Magento, "google": Google}
)
