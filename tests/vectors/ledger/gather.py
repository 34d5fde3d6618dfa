"""Gather the Merkle proof vectors of transparency-dev/merkle into one file.

Use: python tests/vectors/ledger/gather.py CHECKOUT, where CHECKOUT is a clone at the commit of SOURCES.md.
"""

import json
import sys
from pathlib import Path


def gather(folder: Path) -> list[dict[str, object]]:
    """Every vector below `folder`, each with its path as `name`, in the order of the paths."""
    found = sorted(folder.rglob("*.json"))
    return [{"name": str(path.relative_to(folder)), **json.loads(path.read_text())} for path in found]


if __name__ == "__main__":
    checkout = Path(sys.argv[1])
    for kind in ("inclusion", "consistency"):
        lines = ",\n".join(json.dumps(vector) for vector in gather(checkout / "testdata" / kind))
        (Path(__file__).parent / f"{kind}.json").write_text(f"[\n{lines}\n]\n")
