"""What is kept: rows (`store`, `ledger_store`), bytes under their SHA-256 (`blobs`), and the port to jobs."""
