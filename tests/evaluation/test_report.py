"""The report page opens in a browser without an error and without a network, and its viewer draws and turns."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from evaluation.contact_sheet import Case
from evaluation.measure import Evaluation
from evaluation.protocols import PROTOCOLS
from evaluation.report import build_page, choose_cases
from tests.helpers.browser import drive, open_page
from utils import config
from utils.body_model import load_body_model, pose_vertices

COUNT = 7
TURN = """
const drag = (x, shiftKey) =>
  canvas.dispatchEvent(new PointerEvent("pointermove", {buttons: 1, movementX: x, shiftKey}));
const views = [];
await drawn(); views.push(covered());
drag(120, false); await drawn(); views.push(covered());
drag(20, true); await drawn(); views.push(covered());
canvas.dispatchEvent(new WheelEvent("wheel", {deltaY: -300, cancelable: true})); await drawn(); views.push(covered());
press(".case button"); await drawn(); views.push(covered());
press("#variants button", "fitted body"); await drawn(); views.push(covered());
return views;
"""


@pytest.fixture
def page(data_root) -> str:
    """A page of invented errors, with the meshes of the generated body."""
    rng = np.random.default_rng(0)
    body = load_body_model(config.SMPL_FILE)
    results = {name: 100 + 50 * rng.random(COUNT) for name in PROTOCOLS["up-3d"].measured}
    results |= {
        "mean_mesh_shape_error": np.full(COUNT, 170.0),
        "imgname": np.array([f"<{i}>.png" for i in range(COUNT)]),
    }
    results |= {"joint_errors": rng.random((COUNT, 14)) * 90, "part_errors": rng.random((COUNT, 24)) * 90}
    height = body.v_template[:, 1]
    vertex_errors = 100 * (height - height.min()) / np.ptp(height)
    results["mask_confusion"] = np.tile([[4, 1, 0, 5], [5, 0, 1, 4]], (COUNT, 1, 1))
    kinds = choose_cases(results["shape_error"], 1)
    cases = {}
    for (index,) in kinds.values():
        pose = rng.normal(size=72) * 0.2
        pose[:3] = (np.pi, 0, 0)
        true = pose_vertices(body, pose, np.zeros(10))
        camera = np.array([0.8, 0.0, 0.3])
        crop = rng.integers(0, 255, (224, 224, 3)).astype(np.uint8)
        cases[index] = Case(
            crop, rng.random((3, 56, 56)), true + rng.normal(size=true.shape) * 0.01, camera, true, camera, 1.1 * true
        )
    evaluation = Evaluation(Path("dmr_1.ckpt & co"), "up-3d", PROTOCOLS["up-3d"], results, vertex_errors)
    return build_page(evaluation, kinds, cases, body)


def test_cases_are_the_smallest_middle_and_largest_errors_and_none_comes_twice():
    errors = np.array([5.0, 1, 9, 3, 7, 2, 8, 4, 6])
    assert choose_cases(errors, 1) == {"best": [1], "median": [0], "worst": [2]}
    assert choose_cases(errors, 2) == {"best": [1, 5], "median": [7, 0], "worst": [2, 6]}
    for count in range(1, 9):
        chosen = sum(choose_cases(errors[:count]).values(), [])
        assert len(set(chosen)) == len(chosen) > 0
    assert choose_cases(errors[:1]) == {"worst": [0]}
    assert choose_cases(np.array([np.nan, 2.0, 1.0])) == {"best": [2], "worst": [1]}
    assert choose_cases(np.array([np.nan])) == {}


def test_the_page_is_complete_and_asks_for_nothing(page):
    assert "{{" not in page
    assert not re.search(r"""(?:src|href)=["'](?!data:)|https?://|@import|url\(""", page)
    assert page.count("<img ") == 3 * 6
    assert "dmr_1.ckpt &amp; co" in page
    assert "&lt;3&gt;.png" in page or "&lt;0&gt;.png" in page
    assert "<0>" not in page
    assert "202.17" in page
    assert "LSP mask accuracy" in page


@pytest.mark.slow
def test_the_viewer_draws_turns_and_switches_in_a_browser_without_an_error_on_the_console(page, tmp_path):
    views = drive(page, TURN, tmp_path)
    assert len({tuple(view) for view in views}) == 6  # every step changed the picture
    at_rest, turned, moved, closer, pair, fitted = (count for count, _ in views)
    assert 10_000 < at_rest < 560 * 560 / 2
    assert moved == pytest.approx(turned, rel=0.02)
    assert closer > 1.3 * turned
    assert pair > 10_000 and fitted > 10_000


@pytest.mark.slow
def test_a_screenshot_shows_the_mesh_coloured_by_its_errors(page, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(page)
    open_page(path, f"--screenshot={tmp_path / 'page.png'}")
    picture = cv2.imread(str(tmp_path / "page.png")).astype(int)
    blue, green, red = np.moveaxis(picture, -1, 0)
    # errors rise with height on this body: feet are blue, the head is red
    reddish, bluish = (
        np.argwhere((red > blue + 80) & (red > green + 80)),
        np.argwhere((blue > red + 60) & (blue > green + 40)),
    )
    assert len(reddish) > 200
    canvas_blue = bluish[bluish[:, 0] > reddish[:, 0].max()]
    assert len(canvas_blue) > 200


@pytest.mark.slow
def test_an_error_on_the_console_would_be_seen(tmp_path):
    path = tmp_path / "wrong.html"
    path.write_text("<body><script>undefined_function()</script></body>")
    assert "CONSOLE" in open_page(path, "--dump-dom").stderr
