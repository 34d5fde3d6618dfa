"""What `python -m bench` measures; results stand in `bench/results`. Nothing here is part of the product."""
