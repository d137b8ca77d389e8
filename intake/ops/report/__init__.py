"""What is told of a sale and of the promises: the audit as JSON, the report of a sale that is over."""
