"""Pictures of every common format are read whole and upright, whatever they are called; others are named."""

import io
import os
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from utils.errors import UserError
from utils.media.image_files import image_size, read_image

HEIGHT, WIDTH = 40, 56
ORIENTATION = 0x0112
# stored -> upright, from the definition: where row 0 and column 0 of the stored picture are to be seen
TURNS = {
    1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud,
    5: lambda a: a.swapaxes(0, 1), 6: lambda a: np.rot90(a, 3), 7: lambda a: np.rot90(a.swapaxes(0, 1), 2), 8: np.rot90,
}  # fmt: skip
LOSSLESS = {"PNG": {}, "WEBP": {"lossless": True}, "TIFF": {}, "AVIF": {"quality": 100, "subsampling": "4:4:4"}}
NEAR = {"AVIF": 3, "JPEG": 12}  # mean difference in grey levels that a lossy format makes


def picture(noise: int = 3) -> np.ndarray:
    """[H, W, 3] uint8, BGR: coarse patches with a little noise, so that formats have something to write."""
    rng = np.random.default_rng(0)
    patches = cv2.resize(rng.integers(20, 230, (5, 7, 3)).astype(np.uint8), (WIDTH, HEIGHT), interpolation=0)
    return patches + rng.integers(0, noise, patches.shape).astype(np.uint8)


def encoded(kind: str, image: np.ndarray | None = None, **options) -> bytes:
    stream = io.BytesIO()
    Image.fromarray((picture() if image is None else image)[..., ::-1]).save(stream, kind, **options)
    return stream.getvalue()


def oriented(kind: str, value: int) -> bytes:
    if kind == "TIFF":
        return encoded(kind, tiffinfo={ORIENTATION: value})
    exif = Image.Exif()
    exif[ORIENTATION] = value
    return encoded(kind, exif=exif, **LOSSLESS.get(kind, {}))


@pytest.fixture
def read(tmp_path):
    """Read a content with both functions, which agree on its size."""

    def read(content: bytes, name: str = "picture") -> np.ndarray:
        path = tmp_path / name
        path.write_bytes(content)
        image = read_image(path, "Do this.")
        assert image.dtype == np.uint8 and image.flags.c_contiguous
        assert image.shape == (*image_size(path, "Do this."), 3)
        return image

    return read


# ---- upright ----


@pytest.mark.parametrize("kind", ["JPEG", *LOSSLESS])
@pytest.mark.parametrize("value", TURNS)
def test_every_orientation_of_every_format_is_upright(read, kind, value):
    found, expected = read(oriented(kind, value)), TURNS[value](picture())
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).mean() <= NEAR.get(kind, 0)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP"])
def test_pixels_are_those_of_opencv_bit_for_bit(read, kind):
    for options in ({}, {"progressive": True, "quality": 90}, {"icc_profile": b"x" * 200}):
        content = encoded(kind, **options)
        np.testing.assert_array_equal(read(content), cv2.imdecode(np.frombuffer(content, np.uint8), 1))


def test_an_orientation_behind_the_pixels_of_a_png_counts(read):
    content = oriented("PNG", 6)
    start = content.index(b"eXIf") - 4
    length = 12 + int.from_bytes(content[start : start + 4], "big")
    moved = content[:start] + content[start + length : -12] + content[start : start + length] + content[-12:]
    np.testing.assert_array_equal(read(moved), TURNS[6](picture()))


@pytest.mark.parametrize("exif", [b"", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0junk" * 9])
def test_damaged_exif_leaves_the_picture_as_it_is(read, exif):
    assert read(encoded("JPEG", exif=exif)).shape == (HEIGHT, WIDTH, 3)


# ---- formats ----


@pytest.mark.parametrize("kind", ["GIF", "AVIF", "JPEG2000", "PPM", "PCX", "TIFF"])
def test_what_opencv_or_pillow_can_decode_is_read(read, kind):
    assert np.abs(read(encoded(kind)).astype(int) - picture()).mean() < 12


def test_of_an_animation_the_first_picture_is_taken(read):
    frames = [Image.fromarray(np.full((HEIGHT, WIDTH, 3), level, np.uint8)) for level in (50, 250)]
    for kind in ("GIF", "WEBP", "PNG", "AVIF"):
        stream = io.BytesIO()
        frames[0].save(stream, kind, save_all=True, append_images=frames[1:], duration=100)
        assert abs(read(stream.getvalue()).mean() - 50) < 3


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "RGBA", "CMYK"])
def test_every_colour_mode_becomes_three_channels(read, mode):
    stream = io.BytesIO()
    Image.fromarray(picture()[..., ::-1]).convert(mode).save(stream, "TIFF" if mode in ("CMYK", "1") else "PNG")
    assert read(stream.getvalue()).shape == (HEIGHT, WIDTH, 3)


def test_sixteen_bits_become_eight(read):
    deep = picture().astype(np.uint16) * 256 + 77
    for suffix in (".png", ".tiff"):
        found = read(cv2.imencode(suffix, deep)[1].tobytes()).astype(int)
        assert np.abs(found - picture()).max() <= 1  # some decoders round, others cut


def iso_media(brand: bytes) -> bytes:
    return struct.pack(">I", 24) + b"ftyp" + brand + bytes(4) + b"mif1" + brand + bytes(500)


UNREADABLE = {
    "HEIC": (iso_media(b"heic"), "it is HEIC (HEIF). Convert it to JPEG, or install the package pillow-heif."),
    "a Canon RAW": (iso_media(b"crx "), "it is a camera's RAW file. Convert it to JPEG."),
    "another RAW": (encoded("TIFF", tiffinfo={254: 1}), "it is a camera's RAW file. Convert it to JPEG."),
    "JPEG XL": (b"\xff\x0a" + bytes(99), "it is JPEG XL. Convert it to JPEG."),
    "a web page": (b"\n<!DOCTYPE html><html>404</html>", "it is a web page. Do this."),
    "nothing": (b"", "it is empty. Do this."),
    "a video": (iso_media(b"isom").replace(b"mif1", b"mp42"), "it is a video. Do this."),
    "text": (b"some text", "picture.jpg cannot be decoded as an image. Do this."),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_what_cannot_be_read_is_called_by_its_name(read, case):
    content, message = UNREADABLE[case]
    with pytest.raises(UserError, match="picture.jpg cannot be decoded as an image") as error:
        read(content, "picture.jpg")
    assert str(error.value).endswith(message) and "\n" not in str(error.value)


# ---- whole ----

NOISY = picture(60)  # so that every format has some hundred bytes of pixels
OPTIONS = {
    "JPEG": ("JPEG", {}), "JPEG with optimised tables": ("JPEG", {"optimize": True}),
    "progressive JPEG": ("JPEG", {"progressive": True}), "PNG": ("PNG", {}), "WebP": ("WEBP", {}),
    "WebP without loss": ("WEBP", {"lossless": True}), "GIF": ("GIF", {}), "AVIF": ("AVIF", {}),
    "JPEG 2000": ("JPEG2000", {}), "its code alone": ("JPEG2000", {"no_jp2": True}),
    "TIFF of LZW": ("TIFF", {"compression": "tiff_lzw"}), "BMP": ("BMP", {}), "TIFF": ("TIFF", {}),
}  # fmt: skip
KINDS = {name: encoded(kind, NOISY, **options) for name, (kind, options) in OPTIONS.items()}
UNCOMPRESSED = ("BMP", "TIFF")  # there a tail of zeros is a black picture


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_picture_is_named_wherever_it_ends(read, kind):
    content = KINDS[kind]
    assert read(content).shape == (HEIGHT, WIDTH, 3)
    for share in (0.3, 0.5, 0.8):
        kept = content[: int(len(content) * share)]
        tails = [b""] if kind in UNCOMPRESSED else [b"", bytes(len(content) - len(kept)), bytes(4096)]
        for tail in tails:
            with pytest.raises(UserError, match="picture (is truncated|cannot be decoded)"):
                read(kept + tail)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "GIF"])
def test_a_truncated_file_is_called_truncated(read, kind):
    content = KINDS[kind]
    with pytest.raises(UserError, match=r"picture is truncated: the end of the file is missing. Do this."):
        read(content[: len(content) // 2])


@pytest.mark.parametrize("kind", KINDS)
def test_what_cameras_append_to_a_picture_does_no_harm(read, kind):
    for tail in (b"SEFT" * 9, bytes(700), encoded("JPEG")[:200]):
        assert read(KINDS[kind] + tail).shape == (HEIGHT, WIDTH, 3)


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_picture(read):
    thumbnail = encoded("JPEG", picture()[:8, :8])
    segment = b"\xff\xe1" + struct.pack(">H", 2 + len(thumbnail)) + thumbnail
    content = KINDS["JPEG"][:2] + segment + KINDS["JPEG"][2:]
    assert read(content).shape == (HEIGHT, WIDTH, 3)
    with pytest.raises(UserError, match="is truncated"):
        read(content[:-60])


def test_a_jpeg_that_lacks_only_its_end_mark_is_whole(read):
    np.testing.assert_array_equal(read(KINDS["JPEG"][:-2]), read(KINDS["JPEG"]))


# ---- names ----


@pytest.mark.parametrize("name", [b"\xc4\xfa\xba\xc3.jpg", b"caf\xe9.png", "😀.webp".encode(), b"line\nbreak.gif"])
def test_any_name_that_a_file_can_have_is_read(read, name):
    assert read(KINDS["JPEG"], os.fsdecode(name)).shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("name", ["\ud800.jpg", "a\0b.jpg", "x" * 300])
def test_a_name_that_no_file_can_have_does_not_exist(name):
    with pytest.raises(UserError, match=r"does not exist. Do this."):
        read_image(Path(name), "Do this.")


def test_nothing_but_the_error_is_said(tmp_path, capfd):
    path = tmp_path / "picture"
    noisy = encoded("PNG", icc_profile=b"x" * 200)
    for content in (
        noisy,
        noisy[:-40],
        KINDS["JPEG"][:-60],
        KINDS["progressive JPEG"][:500],
        KINDS["TIFF of LZW"][:99],
    ):
        path.write_bytes(content)
        try:
            read_image(path, "")
        except UserError:
            assert content is not noisy
    assert capfd.readouterr() == ("", "")
