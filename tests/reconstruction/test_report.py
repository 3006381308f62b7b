"""The page of demo.py's people: in a browser the switches choose among them, and motions play as numpy has them."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from reconstruction.body_fits import BodyFits
from reconstruction.inputs import Clip, Photo
from reconstruction.motions import Motion
from reconstruction.outputs import COLOURS
from reconstruction.people import Person
from reconstruction.report import open_report
from tests.helpers.browser import drive, open_page
from tests.helpers.soft_body import soft_body
from tests.helpers.soft_people import draw_person, draw_photo, front_and_back
from tests.reconstruction.test_rigged_glb import skin
from utils.camera import upright

RATE, HEIGHT, WIDTH = 12.5, 120, 90
FIRST = (3, 7)  # frames of the video with which the motions of two people begin
LENGTHS = (10, 5)
CLIP = Clip("walk", "walk & </script><b>.mp4", RATE, 1)


def draw_motion(number: int) -> Motion:
    rng, length = np.random.default_rng(number), LENGTHS[number]
    pose = 0.4 * rng.normal(size=(24, 3)) + 0.03 * np.cumsum(rng.normal(size=(length, 24, 3)), axis=0)
    pose[:, 0] = np.pi, 0, 0
    places = rng.normal(size=3) + (0, 0, 5) + 0.1 * np.cumsum(rng.normal(size=(length, 3)), axis=0)
    return Motion(pose, rng.normal(size=10), places, RATE, FIRST[number])


def draw_people(count: int) -> list[Person]:
    fits, rng = BodyFits(soft_body(), front_and_back()), np.random.default_rng(4)
    return [draw_person(rng, fits, 0.02) for _ in range(count)]


def picture() -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), 120, np.uint8)


def write_page(path: Path, people: list[Person], motions: list[tuple[int, Motion]], photo: Photo | None = None) -> str:
    with open_report(path, soft_body().faces, soft_body()) as report:
        report.add_photo(photo or draw_photo(), people, {"predicted mesh": picture()})
        report.add_video(CLIP, picture(), motions)
    return path.read_text()


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    """A photograph of two people, and a video of two others, of whom the second has identity 3."""
    motions = [(0, draw_motion(0)), (3, draw_motion(1))]
    return write_page(tmp_path_factory.mktemp("page") / "page.html", draw_people(2), motions)


def test_the_page_is_complete_and_asks_for_nothing(page):
    assert "{{" not in page
    assert not re.search(r"""(?:src|href)=["'](?!data:)|https?://|@import|url\(""", page)
    assert page.count("<img ") == 2 + 1
    assert "walk &amp; &lt;/script&gt;&lt;b&gt;.mp4: motion of 2 people" in page
    assert "</script><b>" not in page


POSITIONS = """
show("walk");
const seen = [];
for (const number of [3, 6, 7, 11, 12]) {
  moveTo(number); draw();
  seen.push(chosenMeshes().map((mesh) => mesh.hasFrame(number) ? [...mesh.vertices] : null));
}
return {seen, clock: clock.textContent, shown: document.getElementById("shown").textContent};
"""


@pytest.mark.slow
def test_everyone_is_where_numpy_s_skinning_has_them(page, tmp_path):
    result = drive(page, POSITIONS, tmp_path)
    assert result["shown"] == "walk & </script><b>.mp4: motion of 2 people"
    assert result["clock"] == "0.96 of 0.96 s, frame 12"  # of the video
    compared = 0
    for frame, people in zip((3, 6, 7, 11, 12), result["seen"], strict=True):
        for number, vertices in enumerate(people):
            motion, row = draw_motion(number), frame - FIRST[number]
            assert (vertices is not None) == (0 <= row < LENGTHS[number])
            if vertices is not None:
                expected = skin(soft_body(), motion.betas, motion.pose[row], motion.translation[row])
                distance = np.linalg.norm(np.reshape(vertices, (-1, 3)) - expected, axis=1)
                assert distance.max() < 0.001
                compared += 1
    assert compared == 5 + 2


PLAY = """
let now = 5000;
performance.now = () => now;
const frames = [];
const pass = async (seconds) => { now += 1000 * seconds; await drawn(); frames.push([time.value, covered()]); };
press("button[data-scene=walk]");
for (const seconds of [0.01, 0.4, 0.2, 0.2]) await pass(seconds);
press("#play"); await pass(0.4);
time.value = 5; time.dispatchEvent(new Event("input")); await pass(0.4);
press("#play"); await pass(0.25);
press("#play");
return frames;
"""


@pytest.mark.slow
def test_a_motion_plays_at_the_video_s_rate_again_and_again_until_it_is_paused(page, tmp_path):
    """10 frames, 3 to 12, at 12.5 a second; the clock is the test's."""
    frames = drive(page, PLAY, tmp_path)
    #                                             0.01  0.41  0.61  0.81, paused, moved, played on for 0.25 s
    assert [int(number) for number, _ in frames] == [3, 8, 10, 3, 3, 5, 8]
    pictures = {int(number): view for number, view in frames}
    assert len({tuple(view) for view in pictures.values()}) == 4
    assert all(pictures[int(number)] == view for number, view in frames)
    assert min(count for count, _ in pictures.values()) > 1000


SWITCH = """
const look = async () => {
  await drawn();
  return {
    meshes: chosenMeshes().map((mesh) => [mesh.name, [...mesh.colours.slice(0, 3)], [...mesh.vertices]]),
    view: covered(), player: player.hidden,
    pressed: [...document.querySelectorAll("[aria-pressed=true]")].map((button) => button.textContent),
  };
};
const seen = [await look()];
press("#variants button", "fitted body"); seen.push(await look());
press("#people button", "person1"); seen.push(await look());
press("#variants button", "predicted mesh"); seen.push(await look());
press("#people button", "everyone"); seen.push(await look());
return seen;
"""


@pytest.mark.slow
def test_the_switches_choose_between_mesh_and_fitted_body_and_between_people(page, tmp_path):
    raw, fitted, one, one_raw, again = drive(page, SWITCH, tmp_path)
    people = draw_people(2)
    names = [f"person{number}" for number in (0, 1)]
    for seen, meshes in ((raw, [each.vertices for each in people]), (fitted, [each.body.vertices for each in people])):
        assert [name for name, _, _ in seen["meshes"]] == names
        for (_, colour, found), expected, own in zip(seen["meshes"], meshes, COLOURS, strict=False):
            np.testing.assert_allclose(colour, np.rint(255 * np.array(own)))
            found, expected = np.reshape(found, (-1, 3)), upright(expected)
            np.testing.assert_allclose(found - found.mean(0), expected - expected.mean(0), atol=1e-4)
    assert [each["pressed"] for each in (raw, fitted, one, one_raw)] == [
        ["predicted mesh", "everyone"], ["fitted body", "everyone"], ["fitted body", "person1"],
        ["predicted mesh", "person1"],
    ]  # fmt: skip
    assert [len(each["meshes"]) for each in (raw, fitted, one, one_raw, again)] == [2, 2, 1, 1, 2]
    assert one["meshes"][0] == fitted["meshes"][1] and one_raw["meshes"][0] == raw["meshes"][1]
    assert len({tuple(each["view"]) for each in (raw, fitted, one, one_raw)}) == 4 and again == raw
    assert raw["player"]


@pytest.mark.slow
def test_people_of_a_photograph_stand_where_its_camera_sees_them(page, tmp_path):
    """The pinhole camera of the photograph sees points as deep as the pelvis where the network's camera has them."""
    (raw, *_) = drive(page, SWITCH, tmp_path)
    focal = np.hypot(HEIGHT, WIDTH)
    for (_, _, found), person in zip(raw["meshes"], draw_people(2), strict=True):
        x, y, z = np.reshape(found, (-1, 3)).T
        seen = np.array([x, -y]) / -z * focal
        scale, *shift = person.image_camera
        weak = scale * (person.vertices[:, :2] + shift).T * WIDTH / 2
        beside = np.abs(person.vertices[:, 2] - person.body.joints[0, 2]) < 0.02  # the pelvis
        assert beside.sum() > 20
        np.testing.assert_allclose(seen[:, beside], weak[:, beside], atol=0.3)


@pytest.mark.slow
def test_a_screenshot_shows_people_in_the_colours_of_the_overlay(page, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(page)
    open_page(path, f"--screenshot={tmp_path / 'page.png'}")
    shot = cv2.cvtColor(cv2.imread(str(tmp_path / "page.png")), cv2.COLOR_BGR2HSV).astype(int)
    for colour in COLOURS[:2]:
        wanted = cv2.cvtColor(np.uint8([[np.rint(255 * np.array(colour))]]), cv2.COLOR_RGB2HSV)[0, 0].astype(int)
        near = (np.abs(shot[..., 0] - wanted[0]) < 6) & (np.abs(shot[..., 1] - wanted[1]) < 25) & (shot[..., 2] > 80)
        assert near.sum() > 3000


@pytest.mark.slow
def test_a_mesh_of_numbers_that_are_not_finite_is_left_out(tmp_path):
    people = draw_people(2)
    broken = people[0].vertices.copy()
    broken[5] = np.nan
    people[0] = Person(**(vars(people[0]) | {"vertices": broken, "body": None}))
    page = write_page(tmp_path / "page.html", people, [])
    raw, *_ = drive(page, "await drawn(); return [chosenMeshes().map((mesh) => mesh.name), covered()];", tmp_path)
    assert raw == ["person1"]


def test_a_video_without_motions_has_its_picture_and_nothing_to_play(tmp_path):
    page = write_page(tmp_path / "page.html", draw_people(1), [])
    assert 'data-scene="a"' in page and 'data-scene="walk"' not in page
    assert "mp4: motion of nobody" in page and page.count("<img ") == 2 + 1


def test_a_run_that_is_stopped_leaves_no_page(tmp_path):
    with pytest.raises(KeyboardInterrupt), open_report(tmp_path / "page.html", soft_body().faces) as report:
        report.add_photo(draw_photo(), draw_people(1), {})
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_without_a_path_there_is_no_page(tmp_path):
    with open_report(None, soft_body().faces) as report:
        assert report is None


def test_a_second_of_a_person_s_motion_takes_what_the_documents_say(tmp_path):
    """272 bytes a frame: 8.2 kB a second at 30 frames a second."""
    motion = draw_motion(0)
    sizes = []
    for repeats in (1, 11):
        pose, places = np.tile(motion.pose, (repeats, 1, 1)), np.tile(motion.translation, (repeats, 1))
        long = Motion(pose, motion.betas, places, 30.0, 0)
        sizes.append(len(write_page(tmp_path / "page.html", [], [(0, long)])))
    assert sizes[1] - sizes[0] == 100 * 272
