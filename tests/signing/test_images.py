"""A picture stands for a signature or a seal when it is a PNG, transparent, of its colour, and large enough."""

import io

import pytest
from PIL import Image, ImageDraw

from signing.errors import ImageUnfit
from signing.images import LARGEST_BYTES, checked_image
from signing.stamp import draw_seal_image, draw_signature_image

BLUE, RED, BLACK = (20, 40, 160), (200, 20, 40), (10, 10, 10)


def drawn(
    colour: tuple[int, int, int], size: tuple[int, int] = (400, 400), *, paper: int = 0, form: str = "PNG"
) -> bytes:
    """A ring of that colour; `paper` is how opaque the background is."""
    picture = Image.new("RGBA", size, (255, 255, 255, paper))
    ImageDraw.Draw(picture).ellipse((10, 10, size[0] - 10, size[1] - 10), outline=(*colour, 255), width=12)
    return saved(picture if form == "PNG" else picture.convert("RGB"), form)


def saved(picture: Image.Image, form: str = "PNG", **how: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, form, **how)
    return out.getvalue()


def refused(data: bytes, kind: str) -> str:
    with pytest.raises(ImageUnfit) as unfit:
        checked_image(data, kind)  # type: ignore[arg-type]
    assert unfit.value.sentence("vi") != unfit.value.sentence("en")
    return str(unfit.value)


def test_what_the_pilot_draws_is_good_and_a_second_look_changes_nothing() -> None:
    for kind, png in (("signature", draw_signature_image("Nguyễn Văn An")), ("seal", draw_seal_image("UBND huyện"))):
        once = checked_image(png, kind)  # type: ignore[arg-type]
        assert checked_image(once, kind) == once  # type: ignore[arg-type]


def test_the_size_that_a_seal_says_it_has_is_kept() -> None:
    kept = Image.open(io.BytesIO(checked_image(saved(Image.open(io.BytesIO(drawn(RED))), dpi=(300, 300)), "seal")))
    assert kept.info["dpi"] == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize("kind", ["signature", "seal"])
def test_the_colours_are_those_of_the_decree(kind: str) -> None:
    good, bad = (BLUE, RED) if kind == "signature" else (RED, BLUE)
    assert checked_image(drawn(good), kind)  # type: ignore[arg-type]
    assert "must be" in refused(drawn(bad), kind)
    assert "must be" in refused(drawn(BLACK), kind)


def test_paper_behind_the_lines_is_refused() -> None:
    assert "not transparent" in refused(drawn(BLUE, paper=255), "signature")
    assert "not transparent" in refused(saved(Image.open(io.BytesIO(drawn(BLUE))).convert("RGB")), "signature")
    full = Image.new("RGBA", (400, 400), (*BLUE, 255))
    for x in (0, 399):
        for y in (0, 399):
            full.putpixel((x, y), (0, 0, 0, 0))
    assert "not transparent" in refused(saved(full), "signature")


def test_only_png_is_taken() -> None:
    assert "no PNG" in refused(drawn(BLUE, form="JPEG"), "signature")
    assert "no PNG" in refused(drawn(BLUE, form="GIF"), "signature")
    assert "no PNG" in refused(b"%PDF-1.7", "signature")
    assert "no PNG" in refused(drawn(BLUE)[:300], "signature")
    frames = [Image.open(io.BytesIO(drawn(colour))) for colour in (BLUE, BLACK)]
    assert "animated" in refused(saved(frames[0], save_all=True, append_images=frames[1:]), "signature")


def test_sizes_have_bounds() -> None:
    assert "smaller than" in refused(drawn(BLUE, (100, 30)), "signature")
    assert "smaller than" in refused(drawn(RED, (200, 200)), "seal")
    assert "more than" in refused(drawn(BLUE, (4000, 100)), "signature")
    assert "fill a square" in refused(drawn(RED, (600, 400)), "seal")
    assert "larger than 1 MB" in refused(bytes(LARGEST_BYTES + 1), "seal")
    assert "nothing is drawn" in refused(saved(Image.new("RGBA", (400, 400), (0, 0, 0, 0))), "seal")


def test_a_seal_that_says_how_large_it_is_must_be_of_real_size() -> None:
    seal = Image.open(io.BytesIO(drawn(RED, (510, 510))))
    assert checked_image(saved(seal, dpi=(360, 360)), "seal")
    assert "180 mm" in refused(saved(seal, dpi=(72, 72)), "seal")


def test_a_picture_that_unpacks_to_gigabytes_is_refused_by_its_head() -> None:
    huge = bytearray(drawn(BLUE))
    huge[16:24] = (60_000).to_bytes(4) + (60_000).to_bytes(4)
    assert "cannot be used" in refused(bytes(huge), "signature")


def test_nothing_but_the_picture_is_kept() -> None:
    from PIL.PngImagePlugin import PngInfo

    told = PngInfo()
    told.add_text("Comment", "made at home")
    png = saved(Image.open(io.BytesIO(drawn(BLUE))), pnginfo=told)
    assert b"made at home" in png
    assert b"made at home" not in checked_image(png, "signature")
