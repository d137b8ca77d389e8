"""What lies below the application: connections, bytes, bounds of a request, the worker process. Knows no route."""
