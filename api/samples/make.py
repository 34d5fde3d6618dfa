"""Make the sample letters again: `python api/samples/make.py` (typst, Liberation Serif)."""

import sys
from pathlib import Path

import typst

HERE = Path(__file__).parent
FONTS = HERE.parents[1] / "signing" / "fonts"

for name in sys.argv[1:] or ("quyet-dinh", "cong-van"):
    pdf = typst.compile(HERE / f"{name}.typ", font_paths=[FONTS])
    (HERE / f"{name}.pdf").write_bytes(pdf)
