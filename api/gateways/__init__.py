"""Front doors in the dialects of other programs."""
