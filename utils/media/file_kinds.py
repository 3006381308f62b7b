"""The kind of a file by its first bytes, whatever its name: pictures, videos, and files that are mistaken for them."""

from pathlib import Path

HEAD = 512  # bytes from the start of a file that tell its kind

JPEG, PNG, WEBP, GIF, TIFF, BMP, JPEG_2000, AVIF = "JPEG", "PNG", "WebP", "GIF", "TIFF", "BMP", "JPEG 2000", "AVIF"
HEIF, RAW, JPEG_XL, OPEN_EXR, RADIANCE = "HEIC (HEIF)", "a camera's RAW file", "JPEG XL", "OpenEXR", "Radiance HDR"
VIDEO, EMPTY = "a video", "empty"
ISO_MEDIA = "ISO media"  # boxes after ISO/IEC 14496-12; pictures and videos have them, and the brand tells which it is

BRANDS = {
    b"avif": AVIF, b"avis": AVIF,
    b"heic": HEIF, b"heix": HEIF, b"heim": HEIF, b"heis": HEIF, b"hevc": HEIF, b"hevx": HEIF, b"mif1": HEIF,
    b"msf1": HEIF, b"crx ": RAW,
}  # fmt: skip
# (kind, place of the mark, mark); the first match counts
MARKS = (
    (JPEG, 0, b"\xff\xd8\xff"),
    (PNG, 0, b"\x89PNG\r\n\x1a\n"),
    (WEBP, 8, b"WEBP"),
    (GIF, 0, b"GIF8"),
    (RAW, 8, b"CR\x02\x00"),  # Canon's; RAW files of others begin like any TIFF
    (RAW, 0, b"IIRO"),
    (RAW, 0, b"IIU\x00"),
    (RAW, 0, b"FUJIFILMCCD-RAW"),
    (RAW, 0, b"FOVb"),
    (TIFF, 0, b"II*\x00"),
    (TIFF, 0, b"MM\x00*"),
    (TIFF, 0, b"II+\x00"),
    (TIFF, 0, b"MM\x00+"),
    (BMP, 0, b"BM"),
    (JPEG_2000, 0, b"\x00\x00\x00\x0cjP  \r\n\x87\n"),
    (JPEG_2000, 0, b"\xff\x4f\xff\x51"),
    (JPEG_XL, 0, b"\xff\x0a"),
    (JPEG_XL, 0, b"\x00\x00\x00\x0cJXL \r\n\x87\n"),
    (ISO_MEDIA, 4, b"ftyp"),
    (VIDEO, 4, b"moov"),
    (VIDEO, 4, b"mdat"),
    (VIDEO, 4, b"wide"),
    (VIDEO, 0, b"\x1a\x45\xdf\xa3"),  # Matroska, WebM
    (VIDEO, 8, b"AVI "),
    (VIDEO, 0, b"FLV\x01"),
    (VIDEO, 0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),  # WMV, ASF
    (VIDEO, 0, b"OggS"),
    (VIDEO, 0, b"\x00\x00\x01\xba"),  # MPEG
    (VIDEO, 0, b"\x00\x00\x01\xb3"),
    ("a PDF document", 0, b"%PDF"),
    ("PostScript", 0, b"%!PS"),
    (OPEN_EXR, 0, b"\x76\x2f\x31\x01"),
    (RADIANCE, 0, b"#?RADIANCE"),
    ("Git LFS's note in place of the file", 0, b"version https://git-lfs"),
    ("a zip archive", 0, b"PK\x03\x04"),
    ("a file of macOS's Finder without content", 0, b"\x00\x05\x16\x07"),
)
READ = (JPEG, PNG, WEBP, GIF, TIFF, BMP, JPEG_2000, AVIF)
NOT_READ = (HEIF, RAW, JPEG_XL, OPEN_EXR, RADIANCE)  # pictures that another program must convert first


def kind_of(head: bytes) -> str:
    """The kind of a file by its first HEAD bytes; '' where they do not tell."""
    if not head:
        return EMPTY
    kind = next((kind for kind, place, mark in MARKS if head.startswith(mark, place)), "")
    if kind == ISO_MEDIA:
        brands = [head[place : place + 4] for place in (8, *range(16, min(int.from_bytes(head[:4], "big"), HEAD), 4))]
        kinds = [BRANDS[brand] for brand in brands if brand in BRANDS]
        return AVIF if AVIF in kinds else next(iter(kinds), VIDEO)  # an AVIF may also carry the general brand mif1
    if kind:
        return kind
    # MPEG transport streams: every packet begins with a mark; in .m2ts a time stamp comes before it
    for packet in (188, 192):
        if {head[place : place + 1] for place in (packet - 188, 2 * packet - 188)} == {b"G"}:
            return VIDEO
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "a web page"
    return "SVG" if text.startswith((b"<svg", b"<?xml")) and b"<svg" in text else ""


def kind_of_file(path: Path) -> str:
    """As kind_of; '' for a file that cannot be opened."""
    try:
        with open(path, "rb") as stream:
            return kind_of(stream.read(HEAD))
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return ""
