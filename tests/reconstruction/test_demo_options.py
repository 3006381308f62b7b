"""The options of demo.py: boxes on the command line, what fits together, and that a page lists them."""

import re
from pathlib import Path

import pytest

from reconstruction.detector import MIN_SCORE
from reconstruction.options import make_parser, parse_options
from utils.errors import UserError

IMAGE = ["--img", "photo.jpg"]
BOXES = [[10, 20, 100, 200], [-5.5, 0, 30, 40]]


@pytest.mark.parametrize(
    "words",
    [
        ["--bbox", "10,20,100,200", "-5.5,0,30,40"],
        ["--bbox", "10,20,100,200", "--bbox", "-5.5,0,30,40"],
        ["--bbox=10,20,100,200", "--bbox=-5.5,0,30,40"],
        ["--bbox", "[10, 20, 100, 200]", "(-5.5, 0, 3e1, 40)"],
        ["--bbox", "10", "20", "100", "200", "-5.5", "0", "30", "40"],
    ],
)
def test_boxes_on_the_command_line_may_be_written_in_any_way(words):
    assert parse_options([*IMAGE, *words]).bbox == BOXES
    assert parse_options([*words, *IMAGE]).bbox == BOXES


def test_a_file_or_folder_of_boxes_is_a_path(tmp_path, monkeypatch):
    assert parse_options([*IMAGE, "--bbox", "boxes.json"]).bbox == "boxes.json"
    monkeypatch.chdir(tmp_path)
    Path("1,2,3,4").mkdir()
    assert parse_options([*IMAGE, "--bbox", "1,2,3,4"]).bbox == "1,2,3,4"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--bbox", "1,2,3"], "--bbox has '1,2,3', expected boxes x,y,w,h"),
        (["--bbox", "1,2,3,4", "1,2,3,4,5"], "--bbox has '1,2,3,4,5', expected"),
        (["--bbox", "1", "2", "3"], "expected boxes x,y,w,h"),
        (["--bbox", "1", "2", "3", "4", "5"], "expected boxes x,y,w,h"),
        (["--bbox", "1,2,3,4", "boxes.json"], "--bbox has 'boxes.json', expected"),
        (["--bbox", "a.json", "b.json"], "--bbox has 2 files or folders, expected one"),
        (["--bbox"], "argument --bbox: expected at least one argument"),
        (["--bbox", "1,2,3,4", "--openpose", "x"], "--bbox and --openpose both say"),
        (["--detector", "a.onnx", "--bbox", "1,2,3,4"], "--bbox and --detector both say where people are"),
        (["--detector", "a.onnx", "--openpose", "x"], "--openpose and --detector both say where people are"),
        (["--detector", "a.onnx", "--openpose", "x", "--bbox", "y"], "--bbox and --openpose and --detector all say"),
        (["--detector", "a.onnx", "--min_score", "0"], "--min_score is 0.0, expected a number above 0 and up to 1"),
        (["--detector", "a.onnx", "--min_score", "50"], "--min_score is 50.0, expected a number above 0 and up to 1"),
        (["--min_score", "0.5"], "--min_score needs --bbox, --openpose or --detector"),
        (["--min_score", "-1", "--bbox", "x"], "--min_score is -1.0, expected a number that is at least 0"),
        (["--min_score", "nan", "--bbox", "x"], "--min_score is nan"),
        (["--min_score", "inf", "--bbox", "x"], "--min_score is inf"),
        (["--focal", "0"], "--focal is 0.0, expected a number of pixels above 0"),
        (["--focal", "-5"], "--focal is -5.0, expected"),
        (["--focal", "inf"], "--focal is inf, expected"),
        (["--focal", "nan"], "--focal is nan, expected"),
        (["--smooth", "-0.1"], "--smooth is -0.1, expected a number of seconds that is at least 0"),
        (["--smooth", "nan"], "--smooth is nan"),
        (["--every", "0"], "--every is 0, expected at least 1"),
        (["--batch_size", "-1"], "--batch_size is -1, expected at least 1"),
    ],
)
def test_options_that_make_no_sense_are_refused(words, text):
    with pytest.raises(UserError, match=re.escape(text)):
        parse_options([*IMAGE, *words])


def test_the_least_score_is_0_for_boxes_of_files_and_that_of_the_detector_for_its_own():
    assert parse_options([*IMAGE]).min_score == 0
    assert parse_options([*IMAGE, "--bbox", "1,2,3,4"]).min_score == 0
    assert parse_options([*IMAGE, "--detector", "a.onnx"]).min_score == MIN_SCORE
    assert parse_options([*IMAGE, "--detector", "a.onnx", "--min_score", "0.25"]).min_score == 0.25


def test_the_page_on_reconstruction_lists_where_people_are_said_to_be():
    text = (Path(__file__).parents[2] / "docs/reconstruction.md").read_text(encoding="utf-8")
    options = {word for action in make_parser()._actions for word in action.option_strings if word.startswith("--")}
    assert {"--bbox", "--openpose", "--detector", "--min_score"} <= options
    # these are those of train.py
    for option in options - {
        "--help",
        "--version",
        "--kernels",
        "--no_tf32",
        "--data_dir",
        "--device_target",
        "--device_id",
    }:
        assert f"`{option}" in text or f" {option} " in text, f"{option} is not in docs/reconstruction.md"
