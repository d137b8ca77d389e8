"""The night of a sale in the HTTP contract: its plan, and what is seen and told of it. Owns shapes; never does I/O."""
