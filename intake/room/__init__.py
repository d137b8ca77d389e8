"""The waiting room over HTTP and in the browser."""
