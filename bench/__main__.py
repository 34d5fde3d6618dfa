"""`python -m bench` measures everything and writes `bench/results/*.md`; `python -m bench road` only that one.

`--quick` takes fewer rounds, for trying the bench itself. No time is ever a pass or a failure.
"""

import argparse
from pathlib import Path

from bench import inbox, road, signing, verify
from bench.tables import machine

RESULTS = Path(__file__).parent / "results"
PARTS = {"road": road.measure, "inbox": inbox.measure, "verify": verify.measure, "signing": signing.measure}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("parts", nargs="*", metavar="|".join(PARTS), default=list(PARTS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--note", default="", help="a sentence about this run, for whoever reads its table")
    asked = parser.parse_args()
    if unknown := set(asked.parts) - PARTS.keys():
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    RESULTS.mkdir(exist_ok=True)
    for part in asked.parts:
        title, about, tables = PARTS[part](rounds=3 if asked.quick else 5)
        text = (
            "\n\n".join(
                [f"# {title}", f"{machine()} {asked.note}".strip(), about, *(table.markdown() for table in tables)]
            )
            + "\n"
        )
        print(text)
        (RESULTS / f"{part}.md").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
