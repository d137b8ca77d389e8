"""How request bodies are read into the types of the contract."""
