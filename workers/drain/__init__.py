"""From the stream to orders: batches read, decided and written. Never asks for money."""
