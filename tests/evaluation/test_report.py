"""The report page opens in a browser without an error and without a network, and its viewer draws and turns."""

import re
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from evaluation.contact_sheet import Case
from evaluation.measure import Evaluation
from evaluation.protocols import PROTOCOLS
from evaluation.report import build_page, choose_cases
from utils import config
from utils.body_model import load_body_model, pose_vertices

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
COUNT = 7
# turns the mesh with the mouse, then looks at a case; what the canvas shows goes into the document
DRIVER = """
<script>
(async function () {
  const canvas = document.getElementById("view");
  const frame = () => new Promise((done) => setTimeout(done, 100));
  const covered = () => {
    const copy = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    copy.canvas.width = canvas.width; copy.canvas.height = canvas.height;
    copy.drawImage(canvas, 0, 0);
    const data = copy.getImageData(0, 0, canvas.width, canvas.height).data;
    let count = 0, sum = 0;
    for (let i = 3; i < data.length; i += 4) if (data[i]) { count++; sum = (sum * 31 + data[i - 3] + i) % 1000003; }
    return count + ":" + sum;
  };
  const drag = (x) => canvas.dispatchEvent(new PointerEvent("pointermove", {buttons: 1, movementX: x}));
  const seen = [];
  await frame(); seen.push(covered());
  drag(120); await frame(); seen.push(covered());
  canvas.dispatchEvent(new WheelEvent("wheel", {deltaY: -300, cancelable: true})); await frame(); seen.push(covered());
  document.querySelector(".case button").click(); await frame(); seen.push(covered());
  document.body.dataset.seen = seen.join(" ");
})();
</script>
"""
# in virtual time a headless browser makes no frames after the first
FRAMES = "<head><script>window.requestAnimationFrame = (work) => setTimeout(work, 0);</script>"


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
            crop, rng.random((3, 56, 56)), true + rng.normal(size=true.shape) * 0.01, camera, true, camera
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
    assert page.count("<img ") == 3 * 5
    assert "dmr_1.ckpt &amp; co" in page
    assert "&lt;3&gt;.png" in page or "&lt;0&gt;.png" in page
    assert "<0>" not in page
    assert "202.17" in page
    assert "LSP mask accuracy" in page


def browser() -> str:
    for name in BROWSERS:
        if shutil.which(name):
            return name
    raise AssertionError(
        f"the report is tested in a browser; install one of: {', '.join(BROWSERS)} (apt-get install chromium)"
    )


def open_page(path: Path, *words: str) -> subprocess.CompletedProcess:
    command = [
        browser(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--enable-logging=stderr",
        f"--user-data-dir={path.parent / 'profile'}", "--window-size=1280,1500", "--virtual-time-budget=8000", *words,
        path.as_uri(),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
def test_the_viewer_draws_and_turns_in_a_browser_without_an_error_on_the_console(page, tmp_path):
    path = tmp_path / "driven.html"
    path.write_text(page.replace("<head>", FRAMES).replace("</body>", f"{DRIVER}</body>"))
    result = open_page(path, "--dump-dom")
    console = [line for line in result.stderr.splitlines() if "CONSOLE" in line]
    assert not console, console
    seen = re.search(r'data-seen="([^"]+)"', result.stdout)
    assert seen, result.stdout[-500:] + result.stderr[-2000:]
    views = seen[1].split()
    assert len(set(views)) == len(views) == 4  # every step changed the picture
    at_rest, turned, closer, two = (int(view.split(":")[0]) for view in views)
    assert 10_000 < at_rest < 560 * 560 / 2
    assert closer > 1.3 * turned
    assert two > 10_000


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
