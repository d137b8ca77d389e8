"""Dead letters as ops see, retry and discard them: of orders, of deliveries to webhooks, of payments."""
