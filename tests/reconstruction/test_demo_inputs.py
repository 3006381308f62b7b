"""What demo.py reads: photographs, folders and videos, the good and the bad."""

import os
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from reconstruction.inputs import count_photos, read_photos
from utils.errors import UserError

HEIGHT, WIDTH = 90, 120


def write_image(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.random.default_rng(seed).integers(0, 255, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    assert cv2.imwrite(str(path), image)
    return image


def write_video(path, count=7):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 10, (WIDTH, HEIGHT))
    for number in range(count):
        writer.write(np.full((HEIGHT, WIDTH, 3), 30 * number, np.uint8))
    writer.release()


def test_a_folder_gives_its_images_in_order_and_passes_over_other_files(tmp_path):
    images = [write_image(tmp_path / name, seed) for seed, name in enumerate(("a.png", "b.PNG"))]
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "folder.png").mkdir()
    photos = list(read_photos([tmp_path]))
    assert [(photo.name, photo.file, photo.frame) for photo in photos] == [("a", "a.png", None), ("b", "b.PNG", None)]
    assert all((photo.image == image).all() for photo, image in zip(photos, images, strict=True))
    assert count_photos([tmp_path]) == 2


def test_what_a_folder_holds_besides_is_passed_over_in_one_line(tmp_path):
    write_image(tmp_path / "a.png")
    for name in ("._a.png", ".DS_Store", "Thumbs.db", "notes.txt", "b.json", "README", "d.TXT"):
        (tmp_path / name).write_bytes(b"\0\5\x16\7")
    (tmp_path / "more").mkdir()
    notes = []
    assert [photo.name for photo in read_photos([tmp_path], note=notes.append)] == ["a"]
    left = "3 hidden files, 4 files of another kind (.json, .txt, without ending), 1 folder"
    assert notes == [f"{tmp_path}: passed over {left}"]
    (tmp_path / "a.png").unlink()
    (error,) = read_photos([tmp_path], note=notes.append)
    assert str(error) == f"the folder {tmp_path} holds no images or videos, but {left}." and len(notes) == 1


def test_a_folder_of_photographs_alone_needs_no_words(tmp_path, capfd):
    for name in ("a.png", "b.jpg", "c.webp"):
        write_image(tmp_path / name)
    assert len(list(read_photos([tmp_path]))) == 3
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", [".gif", ".avif", ".jp2", ".jfif", ".heic", ".heif"])
def test_a_folder_s_pictures_of_newer_and_older_formats_are_taken(tmp_path, suffix):
    kind = {".gif": "GIF", ".avif": "AVIF", ".jp2": "JPEG2000"}.get(suffix, "JPEG")
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / f"a{suffix}", kind)
    (photo,) = read_photos([tmp_path])
    assert photo.image.shape == (HEIGHT, WIDTH, 3)


def test_results_have_plain_names_that_fit_whatever_a_photo_is_called(tmp_path):
    names = [b"\xc4\xfa\xba\xc3.png", "é.png".encode("latin-1"), b"a\nb.png", "😀.png".encode(), "𠀀".encode() * 60]
    content = cv2.imencode(".png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))[1].tobytes()
    for name in names:
        path = tmp_path / os.fsdecode(name)
        path.write_bytes(content)
        (photo,) = read_photos([path])
        (tmp_path / f".{photo.name}_person0_textured.glb.12345678").touch()
        assert "\n" not in photo.name and photo.name.encode()


def test_names_are_unique_and_stay_in_their_folder(tmp_path):
    for path in ("1/a.png", "2/A.png", "...png", "-x y;$(z).png", f"{'long' * 40}.png"):
        write_image(tmp_path / path)
    inputs = [tmp_path / "1", tmp_path / "2", tmp_path, tmp_path / "...png"]
    names = [photo.name for photo in read_photos(inputs) if not isinstance(photo, UserError)]
    assert len({name.lower() for name in names}) == len(names) == 5
    for name in names:
        assert (tmp_path / f"{name}.obj").parent == tmp_path
        assert not set(name) & set("/\\ ;$()") and not name.startswith(".")
        assert len(name) <= 64


def test_no_photo_takes_the_name_of_a_file_of_another(tmp_path):
    names = ["a", "a_fitted", "a_person0", "a_rigged", "a_textured"]
    for name in names:
        write_image(tmp_path / f"{name}.png")
    assert [photo.name for photo in read_photos([tmp_path])] == ["a", *(f"{name}-" for name in names[1:])]


def test_every_nth_frame_of_a_video_is_taken_and_named_by_its_number(tmp_path):
    write_video(tmp_path / "walk.mp4")
    photos = list(read_photos([tmp_path / "walk.mp4"], every=3))
    assert [photo.name for photo in photos] == ["walk_000000", "walk_000003", "walk_000006"]
    assert [(photo.file, photo.frame) for photo in photos] == [("walk.mp4", 0), ("walk.mp4", 3), ("walk.mp4", 6)]
    assert [round(photo.image.mean() / 30) for photo in photos] == [0, 3, 6]
    assert count_photos([tmp_path / "walk.mp4"]) is None


def test_what_cannot_be_read_is_reported_in_its_place_and_the_rest_is_read(tmp_path):
    write_image(tmp_path / "good.png")
    (tmp_path / "text.png").write_text("not an image")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "half.png").write_bytes((tmp_path / "good.png").read_bytes()[:40])
    (tmp_path / "broken.mp4").write_bytes(b"no video" * 100)
    (tmp_path / "nothing").mkdir()
    inputs = ["text.png", "empty.jpg", "half.png", "broken.mp4", "nothing", "missing.png", "good.png"]
    found = list(read_photos([tmp_path / name for name in inputs]))
    expected = [
        "text.png cannot be decoded as an image", "empty.jpg cannot be decoded as an image",
        "half.png is truncated", "broken.mp4 cannot be decoded as a video",
        "nothing holds no images or videos", "missing.png does not exist",
    ]  # fmt: skip
    for error, text in zip(found, expected, strict=False):
        assert isinstance(error, UserError)
        assert text in str(error)
        assert "\n" not in str(error)
    assert [photo.name for photo in found[len(expected) :]] == ["good"]


def test_an_image_too_large_for_memory_is_refused_by_its_header(tmp_path):
    # a PNG header that claims 60000 x 60000 pixels: 10 GB if it were decoded
    write_image(tmp_path / "small.png")
    content = bytearray((tmp_path / "small.png").read_bytes())
    content[16:24] = (60000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    (tmp_path / "huge.png").write_bytes(content)
    (error,) = read_photos([tmp_path / "huge.png"])
    assert "large" in str(error) or "more than 80 million" in str(error)
