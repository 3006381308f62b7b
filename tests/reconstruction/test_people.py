"""Who is in a photograph: boxes, keypoints or the whole picture; frames of videos; photographs without anybody."""

import json
import re

import numpy as np
import pytest

from reconstruction.boxes import Square
from reconstruction.inputs import Photo
from reconstruction.openpose import KEYPOINT_MARGIN
from reconstruction.people_finder import WAYS_TO_SAY, PeopleFinder
from utils.errors import UserError

IMAGE = np.zeros((90, 120, 3), np.uint8)
PHOTO = Photo("photo", "photo", IMAGE, "photo.jpg")
SEEN = {"people": [{"pose_keypoints_2d": [0, 0, 1, 10, 10, 1]}]}
NOBODY = {"version": 1.3, "people": []}


def frame(number: int, video: str = "clip") -> Photo:
    return Photo(f"{video}_{number:06d}", f"{video}_{number:06d}", IMAGE, f"{video}.mp4", number)


def find(photos, bbox=None, openpose=None, min_score=0.0, is_alone=False):
    """(what was found in each photograph, the lines that were said, the errors at the end)."""
    lines: list = []
    finder = PeopleFinder(bbox, openpose, min_score, lines.append, is_alone)
    found = [finder(photo) for photo in photos]
    return found, lines, [str(error) for error in finder.finish()]


def people_of(tmp_path, content, kind):
    """The people of PHOTO by a file of such content; its error, if it is refused as a whole."""
    path = tmp_path / "people.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    try:
        (found,), _, _ = find([PHOTO], **{kind: str(path)})
    except UserError as error:
        return [error]
    return found


def write(path, content):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))


def test_without_a_box_the_person_fills_the_picture_which_is_said_once():
    found, lines, errors = find([PHOTO, PHOTO])
    assert found == [[Square(60, 45, 120)]] * 2
    assert lines == [f"the whole picture is taken for one person; {WAYS_TO_SAY}"]
    assert not errors


def test_boxes_become_squares_around_their_middle(tmp_path):
    two = [Square(25, 45, 50), Square(5, 0.25, 20)]
    assert people_of(tmp_path, {"bbox": [10, 20, 30, 50]}, "bbox") == two[:1]
    assert people_of(tmp_path, [10, 20, 30, 50], "bbox") == two[:1]
    boxes = [[10, 20, 30, 50], [-5, -5, 20, 10.5]]
    assert people_of(tmp_path, {"bbox": boxes}, "bbox") == two
    assert people_of(tmp_path, boxes, "bbox") == two
    assert find([PHOTO], boxes)[0] == [two]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path, encoding):
    (tmp_path / "boxes.json").write_text("[10, 20, 30, 50]", encoding=encoding)
    (tmp_path / "boxes.txt").write_text("0 0.5 0.5 0.25 0.2\n", encoding=encoding)
    (tmp_path / "pose.json").write_text(json.dumps(SEEN), encoding=encoding)
    assert find([PHOTO], str(tmp_path / "boxes.json"))[0] == [[Square(25, 45, 50)]]
    assert find([PHOTO], str(tmp_path / "boxes.txt"))[0] == [[Square(60, 45, 30)]]
    assert find([PHOTO], openpose=str(tmp_path / "pose.json"))[0] == [[Square(5, 5, 12)]]


def test_the_box_of_keypoints_counts_confident_ones_and_has_a_margin(tmp_path):
    keypoints = [10, 20, 0.9, 40, 60, 0.21, 500, 500, 0.2, 0, 0, 0]
    other = [50, 10, 1, 70, 20, 1]
    content = {"people": [{"pose_keypoints_2d": keypoints}, {"pose_keypoints": other}]}  # OpenPose before 1.3
    first, second = people_of(tmp_path, content, "openpose")
    assert (first.x, first.y, first.side) == pytest.approx((25, 40, KEYPOINT_MARGIN * 40))
    assert (second.x, second.y, second.side) == pytest.approx((60, 15, KEYPOINT_MARGIN * 20))


@pytest.mark.parametrize("count", [15, 18, 25, 135])
def test_bodies_of_any_number_of_keypoints_are_read(tmp_path, count):
    keypoints = [30, 40, 0.9, 50, 60, 0.8, *(count - 2) * [0, 0, 0]]
    assert people_of(tmp_path, {"people": [{"pose_keypoints_2d": keypoints}]}, "openpose") == [Square(40, 50, 24)]


def test_people_of_whom_nothing_is_seen_are_passed_over_and_counted(tmp_path):
    unseen, one = 75 * [0], [10, 20, 0.9, *72 * [0]]
    people = [{"pose_keypoints_2d": keypoints} for keypoints in (unseen, [0, 0, 1, 10, 10, 1], one)]
    write(tmp_path / "photo_keypoints.json", {"people": people})
    found, lines, errors = find([PHOTO], openpose=str(tmp_path))
    assert found == [[Square(5, 5, 12)]] and not errors
    assert lines == ["passed over: 2 of fewer than two keypoints with confidence above 0.2"]


def test_a_folder_of_boxes_holds_one_file_per_photo(tmp_path):
    write(tmp_path / "photo.json", {"bbox": [0, 0, 10, 10]})
    write(tmp_path / "photo_keypoints.json", SEEN)
    assert find([PHOTO], str(tmp_path))[0] == [[Square(5, 5, 10)]]
    assert find([PHOTO], openpose=str(tmp_path))[0] == [[Square(5, 5, 12)]]
    for kind, name in (("bbox", "other.json"), ("openpose", "other_keypoints.json")):
        (((error,),), _, _) = find([Photo("x", "other", IMAGE, "other.jpg")], **{kind: str(tmp_path)})
        assert f"{name} cannot be read: No such file" in str(error)


def test_a_folder_without_boxes_is_refused_at_once(tmp_path):
    with pytest.raises(UserError, match=r"holds no .json or .txt files of boxes.$"):
        PeopleFinder(str(tmp_path), None)
    (tmp_path / "labels").mkdir()
    with pytest.raises(UserError, match=r"holds no .json or .txt files of boxes. Give its folder labels.$"):
        PeopleFinder(str(tmp_path), None)


# ---- nobody ----


def test_a_picture_of_nobody_is_a_line_and_no_error(tmp_path):
    for kind, name, content in (("openpose", "photo_keypoints.json", NOBODY), ("bbox", "photo.json", [])):
        write(tmp_path / name, content)
        found, lines, errors = find([PHOTO], **{kind: str(tmp_path)})
        assert found == [[]] and not errors
        assert lines == ["nobody in photo.jpg: there is no box in its file"]


@pytest.mark.parametrize("digits", [12, 6, 1, 15])
def test_frames_of_a_video_have_files_with_numbers_of_any_width(tmp_path, digits):
    for number in range(11):
        people = [{"pose_keypoints_2d": [0, 5, 1, 10 + number, 5, 1]}]
        content = NOBODY if number == 6 else {"people": people}
        write(tmp_path / f"clip_{number:0{digits}d}_keypoints.json", content)
    found, lines, errors = find([frame(number) for number in range(0, 11, 2)], openpose=str(tmp_path))
    assert [[square.side for square in people] for people in found] == [
        [pytest.approx(KEYPOINT_MARGIN * (10 + number))] if number != 6 else [] for number in range(0, 11, 2)
    ]
    assert lines == ["nobody in 1 of 6 frames of clip.mp4"] and not errors


def test_frames_without_a_file_are_one_error_for_the_video(tmp_path):
    write(tmp_path / "clip_000000000000_keypoints.json", SEEN)
    found, lines, (error,) = find([frame(number) for number in (0, 7, 9)], openpose=str(tmp_path))
    assert found == [[Square(5, 5, 12)], [], []] and not lines
    expected = r"2 of 3 frames of clip.mp4 have no file; the first: .*/clip_000000000007_keypoints.json cannot be read"
    assert re.match(expected, error)


def test_frames_of_two_videos_are_not_mixed_up(tmp_path):
    write(tmp_path / "clip_000000000001_keypoints.json", SEEN)
    write(tmp_path / "clip_2_000000000001_keypoints.json", NOBODY)
    found, lines, _ = find([frame(1), frame(1, "clip_2")], openpose=str(tmp_path))
    assert found == [[Square(5, 5, 12)], []]
    assert lines == ["nobody in 1 of 1 frames of clip_2.mp4"]


# ---- bad files ----

BAD_BOXES = {
    "no JSON": ("{", "is not JSON"),
    "nested too deeply": ("[" * 100_000, "is not JSON"),
    "a number": ("3", "has no boxes"),
    "no bbox": ({"box": [1, 2, 3, 4]}, "has no boxes"),
    "three numbers": ({"bbox": [1, 2, 3]}, r"box 0 is \[1, 2, 3\], expected \[x, y, w, h\]"),
    "three numbers alone": ([1, 2, 3], r"box 0 is \[1, 2, 3\], expected \[x, y, w, h\]"),
    "words": ({"bbox": ["1", "2", "3", "4"]}, "expected .x, y, w, h"),
    "no width": ({"bbox": [1, 2, 0, 4]}, "expected .x, y, w, h"),
    "infinite": ('{"bbox": [1, 2, 1e999, 4]}', "expected .x, y, w, h"),
    "not a number": ('{"bbox": [NaN, 2, 3, 4]}', "expected .x, y, w, h"),
    "too large a number": ('{"bbox": [1, 2, 1' + 400 * "0" + ", 4]}", "expected .x, y, w, h"),
    "outside": ({"bbox": [130, 10, 20, 80]}, "lies outside the image photo of 120 x 90 pixels"),
    "above": ({"bbox": [10, -50, 100, 50]}, "lies outside the image"),
    "beyond all numbers": ({"bbox": [1e308, 0, 1e308, 9]}, r"box 0 \(1e\+308, 0, inf, 9\) lies outside the image"),
    "absurdly large": ({"bbox": [0, 0, 1e9, 1e9]}, "lies outside the image"),
    "in shares of the image": ({"bbox": [0.1, 0.2, 0.5, 0.7]}, "longer side of 0.7 pixels. Give its coordinates in p"),
}
BAD_PEOPLE = {
    "no people": ({"people": 3}, "has no people"),
    "a list": ([], "has no people"),
    "no keypoints": ({"people": [{}]}, "person 0 has no pose_keypoints_2d"),
    "not triples": ({"people": [{"pose_keypoints_2d": [1, 2]}]}, "person 0 has no pose_keypoints_2d"),
    "a number": ({"people": [3]}, "person 0 has no pose_keypoints_2d"),
    "in shares of the image": ({"people": [{"pose_keypoints_2d": [0.1, 0.2, 1, 0.6, 0.9, 1]}]}, "0.7 pixels"),
}


@pytest.mark.parametrize(
    ("kind", "content", "text"),
    [("bbox", *case) for case in BAD_BOXES.values()] + [("openpose", *case) for case in BAD_PEOPLE.values()],
    ids=[*BAD_BOXES, *(f"openpose {name}" for name in BAD_PEOPLE)],
)
def test_bad_people_are_one_clear_line_each(tmp_path, kind, content, text):
    (error,) = people_of(tmp_path, content, kind)
    assert isinstance(error, UserError)
    assert str(error).startswith(str(tmp_path / "people.json"))
    assert re.search(text, str(error)), str(error)
    assert "\n" not in str(error)


def test_a_file_that_is_no_text_is_refused_at_once(tmp_path):
    (tmp_path / "people.json").write_bytes(b'["\x80"]')
    (tmp_path / "people.txt").write_bytes(b"\x80\x81\x82\x83")
    with pytest.raises(UserError, match="people.json is not JSON"):
        PeopleFinder(str(tmp_path / "people.json"), None)
    with pytest.raises(UserError, match="people.txt is not a text"):
        PeopleFinder(str(tmp_path / "people.txt"), None)


def test_one_bad_person_leaves_the_others(tmp_path):
    found = people_of(tmp_path, {"bbox": [[1, 2], [10, 20, 30, 50]]}, "bbox")
    assert isinstance(found[0], UserError)
    assert found[1] == Square(25, 45, 50)


def test_a_file_that_cannot_be_read_leaves_the_other_photographs(tmp_path):
    (tmp_path / "photo.json").write_text("{")
    write(tmp_path / "other.json", [0, 0, 10, 10])
    found, _, errors = find([PHOTO, Photo("other", "other", IMAGE, "other.jpg")], str(tmp_path))
    assert "photo.json is not JSON" in str(found[0][0])
    assert found[1] == [Square(5, 5, 10)] and not errors


def test_boxes_of_the_command_line_that_make_no_sense_are_refused_at_once():
    with pytest.raises(UserError, match=r"--bbox: box 1 is \[1.0, 2.0, -3.0, 4.0\], expected"):
        PeopleFinder([[1.0, 2.0, 3.0, 4.0], [1.0, 2.0, -3.0, 4.0]], None)
