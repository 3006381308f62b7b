"""Boxes in the files of detectors: COCO results and annotations, YOLO's labels, the JSON of ultralytics and mmdet."""

import json

import numpy as np
import pytest

from reconstruction.boxes import Square
from reconstruction.inputs import Photo
from tests.reconstruction.test_people import IMAGE, PHOTO, find, frame, write
from utils.errors import UserError

BOX, OTHER = Square(25, 45, 50), Square(70, 45, 80)  # [10, 20, 30, 50] and [50, 5, 40, 80]
# what ultralytics 8.4 wrote with save_txt for a picture of 120 x 90 pixels: two people and a car
LABELS = """0 0.208333 0.5 0.25 0.555556
0 0.583333 0.5 0.333333 0.888889
2 0.125 0.166667 0.25 0.333333
"""
KEYPOINTS = " ".join(["0.327727 0.523158 0.544606"] * 17)


def result(image, box=(10, 20, 30, 50), category=1, **more) -> dict:
    return {"image_id": image, "category_id": category, "bbox": list(box), **more}


def named(file: str) -> Photo:
    stem = file.rsplit(".", 1)[0]
    return Photo(stem, stem, IMAGE, file)


def boxes_by(tmp_path, content, photos=(PHOTO,), **options):
    write(tmp_path / "results.json", content)
    return find(photos, str(tmp_path / "results.json"), **options)


def labels_by(tmp_path, text, **options):
    (tmp_path / "photo.txt").write_text(text)
    return find([PHOTO], str(tmp_path), **options)


def close(found: list, expected: list) -> bool:
    values = [[(square.x, square.y, square.side) for square in squares] for squares in (found, expected)]
    return np.shape(values[0]) == np.shape(values[1]) and np.allclose(*values, atol=1e-3)


# ---- COCO ----


@pytest.mark.parametrize("file", ["000000000139.jpg", "139.png", "COCO_val2014_000000000139.jpg"])
@pytest.mark.parametrize("image", [139, "139", "000000000139", 139.0, "000000000139.jpg"])
def test_coco_results_belong_to_the_photograph_with_the_number_of_their_image_id(tmp_path, file, image):
    content = [result(7), result(image), result("other")]
    assert boxes_by(tmp_path, content, [named(file)])[0] == [[BOX]]


def test_the_boxes_of_one_numbered_image_belong_to_the_only_photograph(tmp_path):
    content = [result(1), result(1, (50, 5, 40, 80))]
    assert boxes_by(tmp_path, content, is_alone=True)[0] == [[BOX, OTHER]]
    for several in ([*content, result(2)], [result("other.jpg")]):
        assert "--bbox has boxes of no photograph" in boxes_by(tmp_path, several, is_alone=True)[2][0]


@pytest.mark.parametrize(
    "entry",
    [
        result("a.b"),
        result("a.b.jpg"),
        result(5, file_name="a.b.jpg"),
        result(5, file_name="val/a.b.png"),
        result(5, file_name="C:\\pictures\\a.b.jpg"),
        result("a.b", file_name=None),
    ],
)
def test_coco_results_belong_to_the_photograph_that_they_name(tmp_path, entry):
    content = [entry, result("a"), result("b"), result(1)]
    assert boxes_by(tmp_path, content, [named("a.b.jpg")])[0] == [[BOX]]


def test_pictures_of_one_stem_have_the_boxes_of_their_own_file(tmp_path):
    content = [result(1, file_name="a.jpg"), result(2, (50, 5, 40, 80), file_name="a.png")]
    assert boxes_by(tmp_path, content, [named("a.jpg"), named("a.png")])[0] == [[BOX], [OTHER]]


def test_only_people_count_and_what_is_passed_over_is_counted(tmp_path):
    content = [
        result("photo"),
        result("photo", category=18),
        result("photo", iscrowd=1),
        result("photo", category=None),
    ]
    found, lines, errors = boxes_by(tmp_path, content)
    assert found == [[BOX]] and not errors
    assert lines == ["passed over: 2 of another class than person, 1 that mark a crowd"]


def test_boxes_below_the_least_score_are_passed_over_and_counted(tmp_path):
    content = [result("photo", score=0.5), result("photo", score=0.49), result("photo", (50, 5, 40, 80))]
    found, lines, _ = boxes_by(tmp_path, content, min_score=0.5)
    assert found == [[BOX, OTHER]]
    assert lines == ["passed over: 1 with a score below 0.5", "1 boxes have no score; they were kept"]
    assert len(boxes_by(tmp_path, content)[0][0]) == 3


def test_an_image_without_results_shows_nobody(tmp_path):
    found, lines, errors = boxes_by(tmp_path, [result("photo")], [named("other.jpg"), PHOTO])
    assert found == [[], [BOX]] and not errors
    assert lines[0].startswith("nobody in other.jpg: ") and "results.json has no box of other.jpg" in lines[0]
    assert boxes_by(tmp_path, [])[:2] == ([[]], ["nobody in photo.jpg: there is no box in its file"])


def test_results_that_name_no_photograph_are_an_error(tmp_path):
    found, _, (error,) = boxes_by(tmp_path, [result(1), result(2)], [PHOTO, named("other.jpg")])
    assert found == [[], []]
    assert error.startswith("--bbox has boxes of no photograph: ")
    assert error.endswith("has no box of other.jpg; it has some of 1, 2. Name images by file name, stem or number.")


def test_coco_annotations_name_images_and_the_category_of_people(tmp_path):
    content = {
        "images": [{"id": 1, "file_name": "train/photo.jpg"}, {"id": 2, "file_name": "empty.jpg"}],
        "annotations": [result(1, category=7, id=1, iscrowd=0), result(1, category=1), result(3, category=7)],
        "categories": [{"id": 1, "name": "bicycle"}, {"id": 7, "name": "Person"}],
    }
    found, lines, errors = boxes_by(tmp_path, content, [PHOTO, named("empty.jpg")])
    assert found == [[BOX], []] and not errors
    assert lines[0] == "nobody in empty.jpg: there is no box in its file"
    content["categories"].pop()
    with pytest.raises(UserError, match='has no category "person"'):
        boxes_by(tmp_path, content)


def test_results_of_frames_name_their_number_or_their_video(tmp_path):
    content = [result(3), result("0004.jpg"), result("clip_5"), result("clip_000000000006.jpg"), result("other_7")]
    found, lines, _ = boxes_by(tmp_path, content, [frame(number) for number in range(3, 8)])
    assert found == [[BOX]] * 4 + [[]]
    assert lines == ["nobody in 1 of 5 frames of clip.mp4"]


def test_a_folder_may_hold_results_of_one_image_each(tmp_path):
    write(tmp_path / "photo.json", [result(0), result(0, (50, 5, 40, 80))])
    assert find([PHOTO], str(tmp_path))[0] == [[BOX, OTHER]]


# ---- the JSON of ultralytics, mmdet and AlphaPose ----


def test_boxes_with_corners_are_read_as_such(tmp_path):
    corners = dict(zip(("x1", "y1", "x2", "y2"), (10.0, 20.0, 40.0, 70.0), strict=True))
    to_json = [
        {"name": "person", "class": 0, "confidence": 0.9, "box": corners},
        {"name": "person", "class": 0, "confidence": 0.3, "box": corners},
        {"name": "car", "class": 2, "confidence": 0.8, "box": corners},
    ]
    said = ["passed over: 1 with a score below 0.5, 1 of another class than person"]
    assert boxes_by(tmp_path, to_json, min_score=0.5)[:2] == ([[BOX]], said)
    box = list(corners.values())
    mmdet = {"labels": [0, 0, 2], "scores": [0.9, 0.3, 0.8], "bboxes": [box, box, box]}
    assert boxes_by(tmp_path, mmdet, min_score=0.5)[:2] == ([[BOX]], said)


def test_alphapose_calls_its_boxes_box(tmp_path):
    content = [
        {"image_id": "photo.jpg", "category_id": 1, "keypoints": [1, 2, 0.5], "score": 2.9, "box": [10, 20, 30, 50]}
    ]
    assert boxes_by(tmp_path, content)[0] == [[BOX]]


# ---- YOLO ----


def test_yolo_labels_are_in_shares_of_the_image_and_class_0_is_a_person(tmp_path):
    ((found,), lines, errors) = labels_by(tmp_path, LABELS)
    assert close(found, [BOX, OTHER]) and not errors
    assert lines == ["passed over: 1 of another class than person"]
    (found,) = find([PHOTO], str(tmp_path / "photo.txt"))[0]
    assert close(found, [BOX, OTHER])


@pytest.mark.parametrize(
    "line",
    [
        "0 0.208333 0.5 0.25 0.555556",
        "0 0.208333 0.5 0.25 0.555556 0.9",
        "0 0.208333 0.5 0.25 0.555556 7",
        "0 0.208333 0.5 0.25 0.555556 0.9 7",
        f"0 0.208333 0.5 0.25 0.555556 {KEYPOINTS}",
        f"0 0.208333 0.5 0.25 0.555556 {KEYPOINTS} 0.9 7",
    ],
    ids=["plain", "conf", "track", "conf and track", "pose", "pose with conf and track"],
)
def test_confidence_track_and_keypoints_of_yolo_are_told_apart(tmp_path, line):
    has_score = " 0.9" in line
    (found,), _, _ = labels_by(tmp_path, line, min_score=0.8)
    assert close(found, [BOX])
    (found,), lines, _ = labels_by(tmp_path, line, min_score=0.95)
    assert len(found) == (not has_score)
    assert ("passed over: 1 with a score below 0.95" in lines) == has_score


def test_a_photograph_without_a_yolo_file_shows_nobody(tmp_path):
    (tmp_path / "photo.txt").write_text(LABELS)
    found, lines, errors = find([named("other.jpg"), PHOTO], str(tmp_path))
    assert found[0] == [] and len(found[1]) == 2 and not errors
    assert lines[0].startswith("nobody in other.jpg: ") and lines[0].endswith("has no other.txt")
    _, _, (error,) = find([named("other.jpg")], str(tmp_path))
    assert error.startswith("--bbox has boxes of no photograph: ") and "has no other.txt. Name images" in error


def test_yolo_counts_the_frames_of_a_video_from_1(tmp_path):
    (tmp_path / "clip_1.txt").write_text("0 0.208333 0.5 0.25 0.555556")
    (tmp_path / "clip_11.txt").write_text("0 0.583333 0.5 0.333333 0.888889")
    found, lines, _ = find([frame(0), frame(1), frame(10)], str(tmp_path))
    assert [len(squares) for squares in found] == [1, 0, 1]
    assert close(found[0], [BOX]) and close(found[2], [OTHER])
    assert lines == ["nobody in 1 of 3 frames of clip.mp4"]


# ---- what cannot be read ----

BAD_LABELS = {
    "a class and no box": "0",
    "a classification": "0.92 person",
    "a polygon": "0 " + " ".join(["0.5"] * 40),
    "commas": "0,0.5,0.5,0.2,0.2",
    "not a number": "0 nan 0.5 0.2 0.2",
    "too large a number": "0 1e999 0.5 0.2 0.2",
    "pixels": "0 25 45 30 50",
    "no width": "0 0.5 0.5 0 0.2",
    "noise": "\x00\x01" * 2000,
}
BAD_ENTRIES = {
    "no box": ([{"image_id": "photo", "category_id": 1}], "box 0 has no bbox"),
    "nested box": ([result("photo", [[1, 2, 3, 4]])], r"box 0 is \[\[1, 2, 3, 4\]\], expected \[x, y, w, h\]"),
    "a number": ([[1, 2, 3, 4], 3], "box 1 is 3, expected"),
    "a word as score": ([result("photo", score="high")], "box 0 has score 'high', expected a number"),
    "infinite score": ([result("photo", score=float("inf"))], "box 0 has score inf"),
    "corners in the wrong order": ([{"box": {"x1": 9, "y1": 9, "x2": 1, "y2": 20}}], r"with x1 < x2 and y1 < y2"),
    "a score behind the corners": ({"bboxes": [[1, 2, 30, 40, 0.9]]}, r"box 0 is \[1, 2, 30, 40, 0.9\], expected"),
    "corners of other kinds": ([{"box": {"x1": [], "y1": {}}}], r"with x1 < x2"),
}
BAD_FILES = {
    "image_id of another kind": ([result({})], r"box 0 has image_id \{\}, expected a number or a file name"),
    "half an image_id": ([result(0.5)], "box 0 has image_id 0.5"),
    "no image_id": ({"images": [], "annotations": [{"bbox": [1, 2, 3, 4]}]}, "annotation 0 has no image_id"),
    "lists of other lengths": ({"bboxes": [[1, 2, 3, 4]], "scores": []}, "has 1 bboxes, expected as many labels"),
}


@pytest.mark.parametrize("line", BAD_LABELS.values(), ids=BAD_LABELS)
def test_bad_labels_are_one_clear_line_each_and_leave_the_others(tmp_path, line):
    ((first, error),), _, _ = labels_by(tmp_path, f"0 0.208333 0.5 0.25 0.555556\n\n{line}\n")
    assert close([first], [BOX])
    assert "photo.txt, line 3 is " in str(error) and "expected c" in str(error)
    assert len(str(error)) < 300 and "\n" not in str(error)


@pytest.mark.parametrize(("content", "text"), BAD_ENTRIES.values(), ids=BAD_ENTRIES)
def test_a_bad_entry_is_named(tmp_path, content, text):
    write(tmp_path / "results.json", content)
    with pytest.raises(UserError, match=text):
        raise find([PHOTO], str(tmp_path / "results.json"))[0][0][-1]


@pytest.mark.parametrize(("content", "text"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_file_whose_boxes_belong_nowhere_is_refused_at_once(tmp_path, content, text):
    with pytest.raises(UserError, match=text):
        boxes_by(tmp_path, content)


def test_a_long_list_of_results_is_read_once(tmp_path, monkeypatch):
    loads: list = []
    monkeypatch.setattr("reconstruction.documents.json.loads", lambda text: loads.append(text) or [result("photo")])
    (tmp_path / "results.json").write_text(json.dumps([]))
    assert find([PHOTO] * 5, str(tmp_path / "results.json"))[0] == [[BOX]] * 5
    assert len(loads) == 1
