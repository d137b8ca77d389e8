"""What every process shares: settings, errors, the stream entry, keys, and the HTTP contract's types."""
