"""Use cases: one function for each act; none commits."""
