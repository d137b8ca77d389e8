"""The simulator: the real scripts on a real store, with a virtual clock and made-up visitors."""
