"""What is sent: catalogues, invoices, shapes of traffic and requests, made before anything is sent."""
