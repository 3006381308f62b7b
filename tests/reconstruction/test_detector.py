"""People found by a YOLO network: layouts of exports, the letterbox, overlaps, scores, and files that are refused."""

import cv2
import numpy as np
import pytest
from onnx import TensorProto
from PIL import Image

from reconstruction.boxes import PassedOver, Square
from reconstruction.detector import GREY, Detector, Letterbox, suppress_overlaps
from reconstruction.inputs import Photo, read_photos
from reconstruction.people_finder import PeopleFinder
from tests.helpers.yolo_files import COCO_NAMES, YoloFile, make_output, write_constant, write_people, write_seeing

SIZE = (64, 96)  # width, height of the input
PEOPLE = [(8, 16, 40, 80, 0.875, 0), (30, 40, 60, 90, 0.75, 0), (0, 0, 20, 20, 0.9, 1)]
CORNERS = [((8, 16), (40, 80)), ((30, 40), (60, 90))]  # of the persons


def photo_of(width: int, height: int, frame: int | None = None) -> Photo:
    return Photo("photo", "photo", np.zeros((height, width, 3), np.uint8), "photo.jpg", frame)


def find(path, photo: Photo, min_score=0.5) -> list:
    return Detector(path, min_score)(photo)


def corners(entries) -> list:
    return [(entry.low, entry.high) for entry in entries]


# ---- layouts ----


def layouts() -> dict[str, np.ndarray]:
    v8, v5 = make_output(PEOPLE, "v8", SIZE), make_output(PEOPLE, "v5", SIZE)
    return {
        "[1, 84, N]": v8,
        "[1, N, 85]": v5,
        "[1, N, 84]": v8.transpose(0, 2, 1),
        "[1, 85, N]": v5.transpose(0, 2, 1),
        "[84, N]": v8[0],
        "[N, 85]": v5[0],
        "[1, 1, 84, N]": v8[None],
        "[1, 116, N] with masks": make_output(PEOPLE, "v8", SIZE, more=32),
        "[1, N, 117] with masks": make_output(PEOPLE, "v5", SIZE, more=32),
    }


@pytest.mark.parametrize("name", layouts())
def test_people_are_found_in_every_layout(tmp_path, name):
    path = write_constant(tmp_path / "yolo.onnx", np.ascontiguousarray(layouts()[name]), SIZE)
    found = find(path, photo_of(*SIZE))
    assert corners(found) == CORNERS
    assert [entry.score for entry in found] == pytest.approx([0.875, 0.75])
    assert found[0].where == f"{path}: person 0" and found[0].margin == 1.2


def test_the_score_of_v5_is_objectness_times_class(tmp_path):
    output = make_output([(8, 16, 40, 80, 0.5, 0)], "v5", SIZE)
    assert output[0, 0, 4] == np.float32(0.8)
    path = write_constant(tmp_path / "yolo.onnx", output, SIZE)
    assert find(path, photo_of(*SIZE))[0].score == pytest.approx(0.5)
    assert find(path, photo_of(*SIZE), 0.55) == []  # though the class has 0.625


def test_the_output_with_boxes_is_found_among_others(tmp_path):
    file = YoloFile()
    file.constant_output(np.zeros((1, 32, 16, 24), np.float32), "a_masks")
    file.constant_output(make_output(PEOPLE, "v8", SIZE), "b_boxes")
    path = file.write(tmp_path / "yolo.onnx", SIZE, {"a_masks": (1, 32, 16, 24), "b_boxes": (1, 84, 4)})
    assert corners(find(path, photo_of(*SIZE))) == CORNERS


def test_the_class_person_is_found_by_its_name(tmp_path):
    people = [(8, 16, 40, 80, 0.9, 2), (30, 40, 60, 90, 0.9, 0)]
    for kind, names in (("v8", "{0: 'dog', 1: 'cat', 2: 'Person'}"), ("v5", "['dog', 'cat', 'person']")):
        output = make_output(people, kind, SIZE, classes=3)
        path = write_constant(tmp_path / "yolo.onnx", output, SIZE, metadata={"names": names})
        assert corners(find(path, photo_of(*SIZE))) == CORNERS[:1]


def test_exports_for_poses_and_masks_are_read_with_their_metadata(tmp_path):
    for task, names, more in (("pose", {0: "person"}, 51), ("segment", COCO_NAMES, 32), ("detect", COCO_NAMES, 0)):
        output = make_output(PEOPLE[:2], "v8", SIZE, len(names), more)
        path = write_constant(tmp_path / "yolo.onnx", output, SIZE, metadata={"task": task, "names": names})
        assert corners(find(path, photo_of(*SIZE))) == CORNERS


def test_a_half_precision_input_and_a_dynamic_batch_are_fed(tmp_path):
    for settings in ({"element": TensorProto.FLOAT16}, {"batch": "batch"}, {"batch": -1}, {"channels": "channels"}):
        path = write_people(tmp_path / "yolo.onnx", PEOPLE, size=SIZE, **settings)
        assert corners(find(path, photo_of(*SIZE))) == CORNERS


@pytest.mark.parametrize(
    ("metadata", "size"), [({}, (640, 640)), ({"imgsz": "[96, 64]"}, SIZE), ({"imgsz": "x"}, (640, 640))]
)
def test_an_input_of_dynamic_size_takes_the_size_of_training_or_640(tmp_path, metadata, size):
    output = make_output([(8, 16, 40, 80, 0.875, 0)], "v8", size)
    path = write_constant(tmp_path / "yolo.onnx", output, size, ("width", "height"), metadata=metadata)
    detector = Detector(path)
    assert detector.size == size
    assert corners(detector(photo_of(*size))) == CORNERS[:1]


# ---- letterbox ----

# picture, input, size of the picture in the input, its place there
LETTERBOXES = {
    "wide": ((1280, 720), (640, 640), (640, 360), (0, 140)),
    "tall": ((360, 640), (640, 640), (360, 640), (140, 0)),
    "odd": ((333, 501), (640, 640), (425, 640), (107, 0)),
    "odd border": ((100, 77), (640, 640), (640, 493), (0, 73)),
    "small": ((16, 16), (64, 96), (64, 64), (0, 16)),
    "wide input": ((100, 100), (640, 384), (384, 384), (128, 0)),
    "one line": ((5000, 1), (640, 640), (640, 1), (0, 319)),
}


@pytest.mark.parametrize("name", LETTERBOXES)
def test_the_letterbox_keeps_the_shape_and_puts_the_picture_into_the_middle(name):
    image, target, size, place = LETTERBOXES[name]
    letterbox = Letterbox.make(image, target)
    canvas = letterbox.draw(np.full((image[1], image[0], 3), 255, np.uint8), target)
    assert canvas.shape == (target[1], target[0], 3)
    rows, columns = np.nonzero(canvas[..., 0] == 255)
    assert (columns.min(), rows.min()) == place
    assert (np.ptp(columns) + 1, np.ptp(rows) + 1) == size
    assert set(np.unique(canvas)) <= {GREY, 255}
    # the corners of the picture
    ends = np.array([place, np.add(place, size)], float)
    np.testing.assert_allclose(letterbox.undo(ends), [[0, 0], image], atol=1e-9)


@pytest.mark.parametrize(
    ("image", "box", "expected"),
    [
        ((1280, 720), (100, 240, 200, 340), (200, 200, 400, 400)),
        ((360, 640), (240, 40, 340, 600), (100, 40, 200, 600)),
        ((333, 501), (207, 64, 307, 320), (100 * 333 / 425, 64 * 501 / 640, 200 * 333 / 425, 320 * 501 / 640)),
    ],
)
def test_boxes_come_back_into_the_pixels_of_the_picture(tmp_path, image, box, expected):
    path = write_people(tmp_path / "yolo.onnx", [(*box, 0.9, 0)], size=(640, 640))
    (found,) = find(path, photo_of(*image))
    np.testing.assert_allclose([*found.low, *found.high], expected, atol=1e-4)


@pytest.mark.parametrize("size", [(128, 128), (128, 64), (64, 128), (160, 96)])
@pytest.mark.parametrize("image", [(64, 64), (64, 32), (32, 64), (256, 128), (61, 43)])
def test_a_bright_person_is_found_where_it_is(tmp_path, size, image):
    picture = np.full((image[1], image[0], 3), 20, np.uint8)
    picture[8:24, 12:28] = 255
    (found,) = find(write_seeing(tmp_path / "yolo.onnx", size), Photo("photo", "photo", picture, "photo.jpg"))
    scale = min(size[0] / image[0], size[1] / image[1])
    tolerance = 1e-4 if scale in (0.5, 1, 2, 4) else 1 / scale + 0.5  # elsewhere the edge is blurred
    np.testing.assert_allclose([*found.low, *found.high], [12, 8, 28, 24], atol=tolerance)


def test_the_network_sees_red_green_blue_from_0_to_1(tmp_path):
    file = YoloFile()
    means = file.node("ReduceMean", "images", axes=[2, 3], keepdims=1)  # [1, 3, 1, 1]
    scores = file.node("Concat", file.node("Reshape", means, file.constant([1, 3, 1], np.int64)),
                       file.constant(np.zeros((1, 77, 1))), axis=1)  # fmt: skip
    boxes = file.constant([[[32], [48], [20], [20]]])
    file.node("Concat", boxes, scores, axis=1, output="output0")
    path = file.write(tmp_path / "yolo.onnx", SIZE, {"output0": (1, 84, 1)})
    for colour, score in (((255, 0, 204), 0.8), ((204, 102, 51), 0.2), ((0, 255, 102), 0.4)):  # blue, green, red
        image = np.full((96, 64, 3), colour, np.uint8)
        (found,) = find(path, Photo("photo", "photo", image, "photo.jpg"), 0.1)
        assert found.score == pytest.approx(score, abs=1e-5)


# ---- who counts ----


def test_of_boxes_that_overlap_the_surest_stays():
    # overlaps with the first: 0.5 exactly, 0.6, 0; the last overlaps with the one before alone
    boxes = np.array([(0, 0, 60, 40), (0, 0, 30, 40), (0, 0, 36, 40), (100, 0, 120, 10), (101, 0, 121, 10)], float)
    scores = np.array([0.9, 0.8, 0.85, 0.6, 0.7])
    assert suppress_overlaps(boxes[:, :2], boxes[:, 2:], scores).tolist() == [0, 1, 4]
    assert suppress_overlaps(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0)).tolist() == []


def test_people_are_sorted_by_score_and_each_is_found_once(tmp_path):
    people = [(10, 10, 30, 30, 0.6, 0), (11, 10, 31, 30, 0.7, 0), (40, 40, 60, 60, 0.9, 0)]
    path = write_people(tmp_path / "yolo.onnx", people)
    assert corners(find(path, photo_of(64, 64))) == [((40, 40), (60, 60)), ((11, 10), (31, 30))]


def test_people_below_the_least_score_are_left_out(tmp_path):
    path = write_people(tmp_path / "yolo.onnx", [(10, 10, 30, 30, 0.5, 0), (40, 40, 60, 60, 0.25, 0)])
    assert corners(find(path, photo_of(64, 64))) == [((10, 10), (30, 30))]
    assert corners(Detector(path)(photo_of(64, 64))) == [((10, 10), (30, 30))]
    assert len(find(path, photo_of(64, 64), 0.25)) == 2
    assert find(path, photo_of(64, 64), 0.51) == []


def test_boxes_end_at_the_edge_and_those_outside_are_passed_over(tmp_path):
    # the picture fills rows 16 to 48
    people = [(-10, 0, 30, 30, 0.9, 0), (40, 40, 80, 80, 0.8, 0), (0, 0, 20, 15, 0.7, 0), (5, 50, 20, 60, 0.6, 0)]
    path = write_people(tmp_path / "yolo.onnx", people)
    found = find(path, photo_of(128, 64))
    assert corners(found[:2]) == [((0, 0), (60, 28)), ((80, 48), (128, 64))]
    assert found[2:] == [PassedOver("of less than 2 pixels inside the picture")] * 2


# ---- with photographs and videos ----


def finder_of(path, min_score=0.5):
    lines: list = []
    return PeopleFinder(None, None, min_score, lines.append, detector=str(path)), lines


def test_a_person_becomes_a_square_with_a_margin(tmp_path):
    finder, lines = finder_of(write_people(tmp_path / "yolo.onnx", PEOPLE, size=SIZE))
    assert finder(photo_of(*SIZE)) == [Square(24, 48, 1.2 * 64), Square(45, 65, 1.2 * 50)]
    assert list(finder.finish()) == [] and lines == []


def test_nobody_is_a_line_and_no_error(tmp_path):
    finder, lines = finder_of(write_people(tmp_path / "yolo.onnx", PEOPLE, size=SIZE), 0.95)
    assert finder(photo_of(*SIZE)) == []
    assert [finder(photo_of(*SIZE, frame=number)) for number in range(3)] == [[], [], []]
    assert list(finder.finish()) == []
    assert lines == [
        "nobody in photo.jpg: the detector finds no person with a score of 0.95 or more",
        "nobody in 3 of 3 frames of photo.jpg",
    ]


def test_people_outside_the_picture_are_counted(tmp_path):
    finder, lines = finder_of(write_people(tmp_path / "yolo.onnx", [(5, 50, 20, 60, 0.6, 0)]))
    assert finder(photo_of(128, 64)) == [] and list(finder.finish()) == []
    assert lines == [
        "nobody in photo.jpg: all boxes are passed over",
        "passed over: 1 of less than 2 pixels inside the picture",
    ]


def test_a_turned_photograph_is_searched_upright(tmp_path):
    upright = np.full((64, 32, 3), 20, np.uint8)
    upright[40:56, 4:20] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # stored turned to the left: turn it to the right
    Image.fromarray(np.rot90(upright)).save(tmp_path / "photo.png", exif=exif)
    (photo,) = read_photos([tmp_path / "photo.png"])
    assert photo.image.shape == upright.shape
    (found,) = find(write_seeing(tmp_path / "yolo.onnx", (128, 128)), photo)
    np.testing.assert_allclose([*found.low, *found.high], [4, 40, 20, 56], atol=1e-4)


def test_the_frames_of_a_video_are_searched_one_by_one(tmp_path):
    video = cv2.VideoWriter(str(tmp_path / "walk.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (128, 128))
    for number in range(3):
        frame = np.full((128, 128, 3), 20, np.uint8)
        frame[32:96, 16 * number : 16 * number + 32] = 255
        video.write(frame)
    video.release()
    detector = Detector(write_seeing(tmp_path / "yolo.onnx", (128, 128)))
    for number, photo in enumerate(read_photos([tmp_path / "walk.avi"])):
        ((low, high),) = corners(detector(photo))
        np.testing.assert_allclose([*low, *high], [16 * number, 32, 16 * number + 32, 96], atol=2)
        assert photo.frame == number
    assert number == 2
