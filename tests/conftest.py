"""What every test may ask for. Each file of `tests/fixtures/` holds one kind of real part."""

pytest_plugins = [
    "tests.fixtures.needs",
    "tests.fixtures.pilot",
    "tests.fixtures.letters",
    "tests.fixtures.databases",
    "tests.fixtures.storage",
    "tests.fixtures.service",
    "tests.fixtures.csc",
    "tests.fixtures.hsm",
    "tests.fixtures.tokens",
]
