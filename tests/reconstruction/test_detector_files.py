"""Files that are given as detectors: networks that do not fit and damaged files are refused; what a header states."""

import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from reconstruction.detector import Detector
from reconstruction.detector_trial import try_detector
from reconstruction.inputs import Photo
from reconstruction.onnx_header import read_header
from reconstruction.people_finder import PeopleFinder
from tests.helpers.yolo_files import COCO_NAMES, YoloFile, make_output, write_constant, write_people, write_seeing
from utils.errors import UserError

SIZE = (64, 96)  # width, height of the input
PEOPLE = [(8, 16, 40, 80, 0.875, 0), (30, 40, 60, 90, 0.75, 0), (0, 0, 20, 20, 0.9, 1)]
CORNERS = [((8, 16), (40, 80)), ((30, 40), (60, 90))]  # of the persons
PHOTO = Photo("photo", "photo", np.zeros((SIZE[1], SIZE[0], 3), np.uint8), "photo.jpg")


def refusal(path, *arguments) -> str:
    with pytest.raises(UserError) as caught:
        Detector(path, *arguments)
    line = str(caught.value)
    assert line.startswith(str(path)) and "\n" not in line and len(line) < 400
    return line


def refused_settings() -> dict:
    names = {"names": {0: "dog", 1: "cat"}}
    return {
        "a batch": ({"batch": 8}, r"takes \[8, 3, 96, 64\], expected one picture \[1, 3, height, width\]: batch=1"),
        "grey": ({"channels": 1}, r"takes \[1, 1, 96, 64\], expected one picture"),
        "bytes": ({"element": TensorProto.UINT8}, r"takes \[1, 3, 96, 64\] of another type than float"),
        "boxes that turn": ({"metadata": {"task": "obb"}}, "made for the task obb, expected one of detect, segment, p"),
        "no person": ({"metadata": names}, "has the classes dog, cat, and no person"),
        "odd names": ({"metadata": {"names": {7: "person"}}}, "has the classes person, and no person"),
        "other classes": (
            {"metadata": {"names": ["person"]}},
            r"gives \[1, 84, 4\], expected .* with 1 classes: \[1, 5, N",
        ),
    }


@pytest.mark.parametrize("name", refused_settings())
def test_networks_that_do_not_fit_are_refused_in_one_line(tmp_path, name):
    settings, text = refused_settings()[name]
    line = refusal(write_people(tmp_path / "yolo.onnx", PEOPLE, size=SIZE, **settings))
    assert re.search(text, line), line


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        (
            (1, 1000),
            r"gives \[1, 1000\], expected the boxes of a YOLO network with 80 classes: \[1, 84, N\] or \[1, N, 85\]",
        ),
        ((1, 3, 8, 12, 85), r"gives \[1, 3, 8, 12, 85\]"),
        ((2, 84, 10), r"gives \[2, 84, 10\]"),
        ((1, 22, 50), r"gives \[1, 22, 50\]"),
        ((1, 300, 6), r"chooses the boxes itself, .* Export it anew .* without dynamic, nms, .* with end2end=False"),
        ((1, 300, 38), "chooses the boxes itself"),
    ],
)
def test_outputs_that_are_no_boxes_are_refused(tmp_path, shape, text):
    line = refusal(write_constant(tmp_path / "yolo.onnx", np.ones(shape, np.float32), SIZE))
    assert re.search(text, line), line


def test_a_network_of_ultralytics_that_chooses_boxes_is_not_taken_for_a_v5_of_one_class(tmp_path):
    output = make_output(PEOPLE[:2], "v5", SIZE, classes=1)
    assert output.shape == (1, 3, 6)
    v5 = write_constant(tmp_path / "v5.onnx", output, SIZE, metadata={"names": "['person']"})
    assert [(box.low, box.high) for box in Detector(v5)(PHOTO)] == CORNERS
    v26 = write_constant(tmp_path / "v26.onnx", output, SIZE, metadata={"names": "['person']", "task": "detect"})
    assert "chooses the boxes itself" in refusal(v26)


def test_boxes_in_shares_of_the_picture_are_refused(tmp_path):
    output = make_output(PEOPLE, "v8", SIZE)
    output[:, :4] /= np.array([64, 96, 64, 96], np.float32)[None, :, None]
    assert "not in pixels of its input" in refusal(write_constant(tmp_path / "yolo.onnx", output, SIZE))


def test_an_operator_that_opencv_does_not_know_is_named(tmp_path, capfd):
    file = YoloFile()
    file.node("Det", "images", output="output0")
    path = file.write(tmp_path / "yolo.onnx", SIZE, {"output0": (1, 3)})
    assert re.search(
        r"OpenCV [\d.]+ cannot read its operator Det\. Export it anew by the exporter's def", refusal(path)
    )
    assert capfd.readouterr() == ("", "")


def test_what_opencv_says_is_told_where_it_names_no_operator(tmp_path):
    """As of ultralytics' nms=True."""
    file = YoloFile()
    chosen = file.node("Where", file.constant([[True]], bool), file.constant([[1.0]]), file.constant([[0.0]]))
    file.node("Add", chosen, "images", output="output0")
    path = file.write(tmp_path / "yolo.onnx", SIZE, {"output0": (1, 3)})
    assert re.search(r"OpenCV [\d.]+ cannot read it \(Unsupported data type: BOOL\)\. Export it anew", refusal(path))


def test_operators_that_are_not_in_their_order_are_no_damage(tmp_path, capfd):
    """As of ultralytics' half=True on a CPU."""
    path = write_people(tmp_path / "yolo.onnx", PEOPLE)
    model = onnx.load(path)
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(reversed(nodes))
    onnx.save(model, path)
    line = refusal(path)
    assert re.search(r"lists an operator before the one whose result it takes, as exports in float16 do.* half", line)
    assert capfd.readouterr() == ("", "")


def test_a_network_for_another_size_than_it_says_is_refused(tmp_path, capfd):
    path = write_seeing(tmp_path / "yolo.onnx", SIZE)
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    onnx.save(model, path)
    assert re.search(r"OpenCV [\d.]+ cannot", refusal(path))
    assert capfd.readouterr() == ("", "")


def test_scores_that_are_not_finite_are_an_error_of_the_photograph(tmp_path):
    output = make_output(PEOPLE, "v8", SIZE)
    output[0, 4, 1] = np.nan
    path = write_constant(tmp_path / "yolo.onnx", output, SIZE)
    (error,) = PeopleFinder(None, None, 0.5, detector=str(path))(PHOTO)
    assert re.search("yolo.onnx computes scores that are not finite for photo. Export it in float32", str(error))


def test_files_that_are_no_network_are_refused(tmp_path, capfd):
    whole = write_people(tmp_path / "whole.onnx", PEOPLE).read_bytes()
    contents = {
        "empty": b"", "cut": whole[: len(whole) // 2], "cut late": whole[:-3], "text": b"no network",
        "zeros": bytes(1000),
    }  # fmt: skip
    for name, content in contents.items():
        (tmp_path / "yolo.onnx").write_bytes(content)
        line = refusal(tmp_path / "yolo.onnx")
        assert "is no ONNX file, or is damaged. Export it with: yolo export model=yolo11n.pt format=onnx" in line, name
    (tmp_path / "yolo.pt").write_bytes(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.")
    assert "is a PyTorch file of before 2020, expected a YOLO network in ONNX" in refusal(tmp_path / "yolo.pt")
    assert "does not exist. Export it with" in refusal(tmp_path / "missing.onnx")
    assert capfd.readouterr() == ("", "")


def test_networks_without_or_with_two_pictures_are_refused(tmp_path):
    path = write_people(tmp_path / "yolo.onnx", PEOPLE)
    model = onnx.load(path)
    extra = model.graph.input.add()
    extra.CopyFrom(model.graph.input[0])
    extra.name = "more"
    onnx.save(model, path)
    assert "has 2 inputs, expected one picture" in refusal(path)


# ---- the trial in another process ----


def test_a_file_that_ends_the_process_is_told_in_one_line(tmp_path, monkeypatch):
    path = write_people(tmp_path / "yolo.onnx", PEOPLE)
    try_detector(path)
    program = tmp_path / "python"
    for does, text in (("kill -SEGV $$", "crashes (SIGSEGV)"), ("kill -XCPU $$", "more than 8 GiB or 120 s"),
                       ("echo MemoryError >&2; exit 1", "more than 8 GiB or 120 s")):  # fmt: skip
        program.write_text(f"#!/bin/sh\n{does}\n")
        program.chmod(0o755)
        monkeypatch.setattr("sys.executable", str(program))
        with pytest.raises(UserError) as caught:
            try_detector(path)
        assert text in str(caught.value)
        assert str(path) in str(caught.value)


def test_the_trial_refuses_what_the_detector_refuses(tmp_path, monkeypatch):
    write_people(tmp_path / "yolo.onnx", PEOPLE, size=SIZE, batch=8)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"^/.*yolo.onnx takes \[8, 3, 96, 64\], expected one picture"):
        try_detector("yolo.onnx")


# ---- the header ----


def test_the_header_is_what_the_package_onnx_reads(tmp_path):
    path = write_people(
        tmp_path / "yolo.onnx", PEOPLE, batch=-1, channels="c", metadata={"names": COCO_NAMES, "ö": "ü"}
    )
    model = onnx.load(path)
    # before version 4 of the format weights are inputs too
    weights = model.graph.input.add()
    weights.CopyFrom(model.graph.input[0])
    weights.name = model.graph.initializer[0].name
    header = read_header(model.SerializeToString())
    assert [(found.element, found.shape) for found in header.inputs] == [(TensorProto.FLOAT, (None, None, 64, 64))]
    assert header.metadata == {entry.key: entry.value for entry in model.metadata_props}
    assert len(header.metadata) == 2


def test_a_damaged_header_is_an_error(tmp_path):
    content = write_people(tmp_path / "yolo.onnx", PEOPLE).read_bytes()
    for damaged in (content[:-3], content[:100], b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"\x3b", b"\x38\x05"):
        with pytest.raises(ValueError, match="field|integer|wire type|number"):
            read_header(damaged)


def test_an_operator_that_takes_what_nothing_gives_is_refused_before_opencv_crashes(tmp_path):
    path = write_people(tmp_path / "yolo.onnx", PEOPLE)
    content = path.read_bytes()
    for name in (b"ReduceMean0", b"constant1"):
        first = content.index(name)
        path.write_bytes(content[:first] + name[:-1] + b"x" + content[first + len(name) :])
        assert "is no ONNX file, or is damaged" in refusal(path)
    for name in (b"ReduceMean0", b"Reshape"):  # of a value, of an operator
        path.write_bytes(content.replace(name, name[:-1] + b"\xff"))
        assert "is no ONNX file, or is damaged" in refusal(path)
