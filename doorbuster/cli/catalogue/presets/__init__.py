"""How the exports of shop systems are read, by name. Owns the list."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from doorbuster.cli.catalogue.presets.google import Google
from doorbuster.cli.catalogue.presets.magento import Magento
from doorbuster.cli.catalogue.presets.preset import Preset
from doorbuster.cli.catalogue.presets.shopify import Shopify
from doorbuster.cli.catalogue.presets.woocommerce import WooCommerce

PRESETS: Mapping[str, type[Preset]] = MappingProxyType(
    {"shopify": Shopify, "woocommerce": WooCommerce, "magento": Magento, "google": Google}
)
