"""Where copies of products are kept: this process, the shared cache. Owns what is outdated; shows nothing."""
