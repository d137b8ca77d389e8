"""What fulfilment does to orders: parcels, refunds, transitions by file. Decides nothing; the database does."""
