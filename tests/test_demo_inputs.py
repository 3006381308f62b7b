"""What demo.py reads: photographs, folders, videos, boxes and keypoints, the good and the bad."""

import json
import os
import re
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from reconstruction.boxes import KEYPOINT_MARGIN, Square, find_people
from reconstruction.inputs import Photo, count_photos, read_photos
from utils.errors import UserError

HEIGHT, WIDTH = 90, 120


@pytest.fixture
def photo():
    return Photo("photo", "photo", np.zeros((HEIGHT, WIDTH, 3), np.uint8))


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


# ---- photographs ----


def test_a_folder_gives_its_images_in_order_and_passes_over_other_files(tmp_path):
    images = [write_image(tmp_path / name, seed) for seed, name in enumerate(("a.png", "b.PNG"))]
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "folder.png").mkdir()
    photos = list(read_photos([tmp_path]))
    assert [photo.name for photo in photos] == ["a", "b"]
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
    for name in ("a.png", "a_person0.png", "a_textured.png"):
        write_image(tmp_path / name)
    assert [photo.name for photo in read_photos([tmp_path])] == ["a", "a_person0-", "a_textured-"]


def test_every_nth_frame_of_a_video_is_taken_and_named_by_its_number(tmp_path):
    write_video(tmp_path / "walk.mp4")
    photos = list(read_photos([tmp_path / "walk.mp4"], every=3))
    assert [photo.name for photo in photos] == ["walk_000000", "walk_000003", "walk_000006"]
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


# ---- people ----


def people_of(photo, tmp_path, content, kind):
    path = tmp_path / "people.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return find_people(photo, **{"bbox": None, "openpose": None, kind: str(path)})


def test_without_a_box_the_person_fills_the_picture(photo):
    assert find_people(photo, None, None) == [Square(60, 45, 120)]


def test_boxes_become_squares_around_their_middle(photo, tmp_path):
    assert people_of(photo, tmp_path, {"bbox": [10, 20, 30, 50]}, "bbox") == [Square(25, 45, 50)]
    found = people_of(photo, tmp_path, {"bbox": [[10, 20, 30, 50], [-5, -5, 20, 10.5]]}, "bbox")
    assert found == [Square(25, 45, 50), Square(5, 0.25, 20)]


def test_the_box_of_keypoints_counts_confident_ones_and_has_a_margin(photo, tmp_path):
    keypoints = [10, 20, 0.9, 40, 60, 0.21, 500, 500, 0.2, 0, 0, 0]
    other = [50, 10, 1, 70, 20, 1]
    content = {"people": [{"pose_keypoints_2d": keypoints}, {"pose_keypoints_2d": other}]}
    first, second = people_of(photo, tmp_path, content, "openpose")
    assert (first.x, first.y, first.side) == pytest.approx((25, 40, KEYPOINT_MARGIN * 40))
    assert (second.x, second.y, second.side) == pytest.approx((60, 15, KEYPOINT_MARGIN * 20))


def test_a_folder_of_boxes_holds_one_file_per_photo(photo, tmp_path):
    (tmp_path / "photo.json").write_text('{"bbox": [0, 0, 10, 10]}')
    (tmp_path / "photo_keypoints.json").write_text('{"people": [{"pose_keypoints_2d": [0, 0, 1, 10, 10, 1]}]}')
    assert find_people(photo, str(tmp_path), None) == [Square(5, 5, 10)]
    assert find_people(photo, None, str(tmp_path)) == [Square(5, 5, 12)]
    (error,) = find_people(Photo("x", "other", photo.image), str(tmp_path), None)
    assert "other.json cannot be read: No such file" in str(error)


BAD_BOXES = {
    "no JSON": ("{", "is not JSON"),
    "a number": ("3", "has no boxes"),
    "no bbox": ({"box": [1, 2, 3, 4]}, "has no boxes"),
    "no boxes": ({"bbox": []}, "has no boxes"),
    "three numbers": ({"bbox": [1, 2, 3]}, r"box 0 is \[1, 2, 3\], expected \[x, y, w, h\]"),
    "words": ({"bbox": ["1", "2", "3", "4"]}, "expected .x, y, w, h"),
    "no width": ({"bbox": [1, 2, 0, 4]}, "expected .x, y, w, h"),
    "infinite": ('{"bbox": [1, 2, 1e999, 4]}', "expected .x, y, w, h"),
    "not a number": ('{"bbox": [NaN, 2, 3, 4]}', "expected .x, y, w, h"),
    "too large a number": ('{"bbox": [1, 2, 1' + 400 * "0" + ", 4]}", "expected .x, y, w, h"),
    "outside": ({"bbox": [130, 10, 20, 80]}, "lies outside the image photo of 120 x 90 pixels"),
    "above": ({"bbox": [10, -50, 100, 50]}, "lies outside the image"),
    "absurdly large": ({"bbox": [0, 0, 1e9, 1e9]}, "lies outside the image"),
}
BAD_PEOPLE = {
    "no people": ({"people": []}, "has no people"),
    "a list": ([], "has no people"),
    "no keypoints": ({"people": [{}]}, "person 0 has no pose_keypoints_2d"),
    "not triples": ({"people": [{"pose_keypoints_2d": [1, 2]}]}, "person 0 has no pose_keypoints_2d"),
    "none confident": ({"people": [{"pose_keypoints_2d": [1, 2, 0.1]}]}, "person 0 has 0 keypoints of confidence"),
    "only one": ({"people": [{"pose_keypoints_2d": [1, 2, 1]}]}, "person 0 has 1 keypoints of confidence"),
    "a number": ({"people": [3]}, "person 0 has no pose_keypoints_2d"),
}


@pytest.mark.parametrize(
    ("kind", "content", "text"),
    [("bbox", *case) for case in BAD_BOXES.values()] + [("openpose", *case) for case in BAD_PEOPLE.values()],
    ids=[*BAD_BOXES, *(f"openpose {name}" for name in BAD_PEOPLE)],
)
def test_bad_people_are_one_clear_line_each(photo, tmp_path, kind, content, text):
    (error,) = people_of(photo, tmp_path, content, kind)
    assert isinstance(error, UserError)
    assert str(error).startswith(str(tmp_path / "people.json"))
    assert re.search(text, str(error)), str(error)
    assert "\n" not in str(error)


def test_one_bad_person_leaves_the_others(photo, tmp_path):
    found = people_of(photo, tmp_path, {"bbox": [[1, 2], [10, 20, 30, 50]]}, "bbox")
    assert isinstance(found[0], UserError)
    assert found[1] == Square(25, 45, 50)
