"""The sales in use, as one process knows them: copies, gates, phases, offers. Never changes a sale."""
