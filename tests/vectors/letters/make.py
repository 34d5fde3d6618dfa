"""Make the letters again: `python tests/vectors/letters/make.py`. Needs the programs that SOURCES.md names."""

import io
import os
import subprocess
import tempfile
from pathlib import Path

import pypdfium2 as pdfium
from PIL import Image

HERE = Path(__file__).parent
FIXED = {**os.environ, "SOURCE_DATE_EPOCH": "1767225600"}

LIBREOFFICE = {
    "libreoffice": "pdf",
    "libreoffice-pdfa": "pdf:writer_pdf_Export:"
    '{"SelectPdfVersion":{"type":"long","value":"2"},"UseTaggedPDF":{"type":"boolean","value":"true"}}',
    "libreoffice-hybrid": 'pdf:writer_pdf_Export:{"IsAddStream":{"type":"boolean","value":"true"}}',
}


def libreoffice(folder: Path) -> None:
    """One source, written in the three ways that its export dialogue offers."""
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    for name, how in LIBREOFFICE.items():
        command = ["soffice", "--headless", profile, "--convert-to", how, "--outdir", folder, HERE / "thong-bao.fodt"]
        subprocess.run(command, check=True, env=FIXED)
        (folder / "thong-bao.pdf").rename(HERE / f"{name}.pdf")


def latex(folder: Path) -> None:
    """Twice, for the cross-references. XeTeX misses a font that only measures links, says so and goes on."""
    for _ in range(2):
        command = ["xelatex", "-interaction=batchmode", f"-output-directory={folder}", HERE / "quyet-dinh.tex"]
        subprocess.run(command, check=False, env=FIXED)
    (folder / "quyet-dinh.pdf").rename(HERE / "xelatex.pdf")


def scanner(folder: Path) -> None:
    """Page one of the decision on paper: 300 dpi, grey, laid on the glass a little askew; text found by OCR."""
    page = pdfium.PdfDocument(HERE / "xelatex.pdf")[0]
    paper = page.render(scale=300 / 72).to_pil().convert("L")
    paper = paper.rotate(0.4, Image.Resampling.BICUBIC, fillcolor=250)
    grain = Image.effect_noise((paper.width // 2, paper.height // 2), 6).resize(paper.size)
    out = io.BytesIO()
    Image.blend(paper, grain, 0.06).save(out, "JPEG", quality=30, dpi=(300, 300))
    (folder / "scan.jpg").write_bytes(out.getvalue())
    command = ["tesseract", folder / "scan.jpg", folder / "scan", "-l", "vie", "--dpi", "300", "pdf"]
    subprocess.run(command, check=True, env=FIXED)
    (folder / "scan.pdf").rename(HERE / "scan-ocr.pdf")


with tempfile.TemporaryDirectory() as name:
    libreoffice(Path(name))
    latex(Path(name))
    scanner(Path(name))
