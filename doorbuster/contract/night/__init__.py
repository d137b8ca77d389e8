"""The night of a sale in the HTTP contract: what is looked at before it, watched during it and told after it."""
