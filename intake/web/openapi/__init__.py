"""The HTTP contract as a document and as a page, made from the types that validate."""
