"""CDNs: told what changed, each in its own way. Never decides when."""
