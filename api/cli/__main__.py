"""`python -m api.cli` is `congvan`."""

from api.cli import main

main()
