"""What came of it: the ledger, the promises, and the tables for people."""
