"""What a video becomes, from people that a stand-in for the network saw."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh

from reconstruction.body_fits import FittedBody
from reconstruction.boxes import Square
from reconstruction.inputs import Clip, Photo
from reconstruction.outputs import COLOURS
from reconstruction.people import Person
from reconstruction.video_results import VideoWriter
from tests.helpers.bvh_reader import read_bvh
from tests.helpers.gltf_reader import read_glb
from tests.helpers.soft_body import soft_body
from utils.body_model import pose_joints
from utils.errors import CannotWrite, UserError
from utils.joints import SMPL_JOINTS
from utils.media.video_files import write_frames
from utils.media.videos import Video
from utils.objfile import ObjMesh

BALL = trimesh.creation.icosphere(subdivisions=2, radius=0.5)
ATLAS = ObjMesh(BALL.vertices, BALL.faces)
HEIGHT, WIDTH = 120, 160


def person(x: float, y: float, side: float = 60.0, seen: float = 1.0, body=None) -> Person:
    """A ball whose middle lies at (x, y) px and whose diameter is half of `side`."""
    scale = side / WIDTH
    camera = np.array([scale, *((2 * np.array([x, y]) - (WIDTH, HEIGHT)) / WIDTH / scale)])
    iuv = np.full((3, 4, 4), seen, np.float32)
    nothing = np.zeros(3)
    return Person(Square(x, y, side), np.asarray(BALL.vertices), nothing, iuv, nothing, camera, body)


def frames_of(clip: Clip, people: list[list[Person]]):
    for number, found in enumerate(people):
        image = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
        name = f"{clip.name}_{number:06d}"
        yield Photo(name, name, image, clip.file, number * clip.every, clip), found


def write(folder: Path, people: list[list[Person]], rate: float = 25.0, every: int = 1, **others):
    """(number of people, lines, frames [T, H, W, 3] of the written video, its rate)."""
    lines: list[str] = []
    clip = Clip("walk", "walk.mp4", rate, every)
    count = VideoWriter(folder, ATLAS, lines.append, **others)(clip, frames_of(clip, people))
    return count, lines, *read(folder / "walk_overlay.mp4")


def read(path: Path) -> tuple[np.ndarray, float | None]:
    video = Video(path)
    frames = []
    while video.grab():
        frames.append(video.retrieve())
    rate = video.frame_rate()
    video.release()
    return np.array(frames), rate


def middle(frame: np.ndarray, colour) -> np.ndarray:
    """(x, y) px of the pixels whose hue is that of an RGB colour; white has none."""
    hue, saturation, _ = np.moveaxis(cv2.cvtColor(frame, cv2.COLOR_BGR2HSV).astype(int), -1, 0)
    swatch = np.uint8([[np.rint(255 * np.array(colour[::-1]))]])
    wanted = int(cv2.cvtColor(swatch, cv2.COLOR_BGR2HSV)[0, 0, 0])
    apart = np.minimum((hue - wanted) % 180, (wanted - hue) % 180)
    return np.argwhere((saturation > 40) & (apart < 15)).mean(0)[::-1]


def test_everyone_keeps_their_colour_and_lies_where_their_camera_says(tmp_path):
    """Whatever the order in which a detector names them."""
    places = [((30 + 2 * step, 40), (130 - 2 * step, 80)) for step in range(10)]
    people = [[person(*place) for place in pair[:: 1 if step % 2 else -1]] for step, pair in enumerate(places)]
    count, lines, frames, rate = write(tmp_path, people)
    assert (count, lines, rate) == (2, [], 25)
    assert frames.shape == (10, HEIGHT, WIDTH, 3)
    colours = [COLOURS[1], COLOURS[0]]  # the second is named first in the first frame
    for frame, pair in zip(frames, places, strict=True):
        for place, colour in zip(pair, colours, strict=True):
            assert middle(frame, colour) == pytest.approx(place, abs=2.5)


def test_the_larger_hides_the_smaller(tmp_path):
    _, _, frames, _ = write(tmp_path, [[person(80, 60, 100), person(80, 60, 40)]] * 5)
    alone = write(tmp_path, [[person(80, 60, 100)]] * 5)[2]
    assert np.abs(frames.astype(int) - alone).max() <= 2


def test_frames_without_people_are_frames_too_and_a_flicker_is_no_person(tmp_path):
    people = [[], [], *[[person(60, 60)]] * 6, [person(60, 60), person(130, 30)], [], [person(60, 60)]]
    count, _, frames, _ = write(tmp_path, people)
    assert count == 1
    assert [frame.min() < 220 for frame in frames] == [bool(found) for found in people]


def test_every_nth_frame_is_shown_at_the_same_pace(tmp_path):
    assert write(tmp_path, [[person(60, 60)]] * 4, rate=30.0, every=3)[3] == 10


def test_frames_are_written_on_their_own_only_if_they_are_kept(tmp_path):
    kept = []
    write(tmp_path, [[person(60, 60)], [], [person(62, 60)]], write_frame=lambda photo, people: kept.append(photo.name))
    assert kept == ["walk_000000", "walk_000002"]
    assert [path.name for path in tmp_path.iterdir()] == ["walk_overlay.mp4"]


def test_crops_without_a_body_are_counted_in_one_line(tmp_path):
    _, lines, _, _ = write(tmp_path, [[person(60, 60, seen=float(number > 1))] for number in range(6)])
    assert len(lines) == 1
    assert "walk.mp4: in 2 of 6 crops the network sees too little of a body" in lines[0]


def test_frames_are_taken_one_at_a_time(tmp_path):
    """None is asked for before the one before is drawn, and none is kept."""
    alive = []

    def people():
        for number in range(50):
            alive.append(number)
            assert len(alive) <= 2
            yield [person(60, 60)]
            alive.pop(0)

    assert write(tmp_path, people())[0] == 1


def fitted(step: int) -> FittedBody:
    """A body that bends its left elbow by 0.05 radians a frame and stands somewhere in the space of its mesh."""
    model, pose = soft_body(), np.zeros((24, 3))
    pose[SMPL_JOINTS.index("left_elbow"), 1] = 0.05 * step
    translation = np.array([0.1, 0.2, 0.05])
    joints = pose_joints(model, pose, np.zeros(10)) + translation
    return FittedBody(pose, np.zeros(10), translation, np.zeros((1, 3)), joints)


def test_the_motion_of_everyone_is_written_at_the_video_s_rate_with_missing_frames_filled(tmp_path):
    """The pelvis of a motion lies at the pixel where the network's camera shows it, for the focal length asked for."""
    people = [[person(50 + 4 * step, 60, body=fitted(step))] if step != 4 else [] for step in range(12)]
    people[5][0] = person(70, 60, body=UserError("has vertices that are not finite"))
    people[6][0] = person(74, 60, seen=0.0, body=fitted(100))  # a body that was made from nothing
    people[8].append(person(130, 20, body=fitted(0)))  # a flicker
    count, lines, _, _ = write(tmp_path, people, 20.0, model=soft_body(), focal=300.0)
    assert count == 1
    assert len(lines) == 1 and "in 2 of 12 crops" in lines[0]
    names = {f"walk_person0{suffix}" for suffix in (".glb", ".bvh", ".npz")} | {"walk_overlay.mp4"}
    assert {path.name for path in tmp_path.iterdir()} == names
    with np.load(tmp_path / "walk_person0.npz") as content:
        assert content["poses"].shape == (12, 72) and content["first_frame"] == 0
        assert content["mocap_framerate"] == content["mocap_frame_rate"] == 20
        elbow = content["poses"].reshape(-1, 24, 3)[:, SMPL_JOINTS.index("left_elbow")]
        np.testing.assert_allclose(elbow, np.outer(0.05 * np.arange(12), [0, 1, 0]), atol=1e-6)
        rest = (soft_body().joint_regressor @ soft_body().v_template)[0]
        across, away, up = (content["trans"] + rest).T
    # the pelvis lies where the weak camera of the frame shows it: scale side / WIDTH, and its middle at (x, y)
    pelvis = fitted(0).joints[0]
    for step in (0, 3, 11):
        expected = np.array([50 + 4 * step, 60]) + pelvis[:2] * 60 / 2
        found = 300 * np.array([across[step], -up[step]]) / away[step] + (WIDTH / 2, HEIGHT / 2)
        assert found == pytest.approx(expected, abs=1e-3)
        assert away[step] == pytest.approx(2 * 300 / 60)  # where a metre is 30 px long
    joints, seconds, rows = read_bvh((tmp_path / "walk_person0.bvh").read_text())
    assert (len(rows), seconds) == (12, 0.05)
    animation = read_glb(tmp_path / "walk_person0.glb").document["animations"]
    assert len(animation) == 1


def test_every_nth_frame_still_gives_a_motion_of_all_frames(tmp_path):
    write(tmp_path, [[person(60, 60, body=fitted(3 * step))] for step in range(5)], 30.0, 3, model=soft_body())
    with np.load(tmp_path / "walk_person0.npz") as content:
        assert len(content["poses"]) == 13 and content["mocap_frame_rate"] == 30
        elbow = content["poses"].reshape(-1, 24, 3)[:, SMPL_JOINTS.index("left_elbow"), 1]
        np.testing.assert_allclose(elbow, 0.05 * np.arange(13), atol=1e-6)


def test_two_people_have_files_in_the_order_in_which_they_came(tmp_path):
    people = [[*([person(130, 60, body=fitted(0))] if step > 3 else []), person(40, 60, body=fitted(step))]
              for step in range(10)]  # fmt: skip
    assert write(tmp_path, people, model=soft_body(), smooth=0.3)[0] == 2
    firsts = [np.load(tmp_path / f"walk_person{number}.npz")["first_frame"] for number in (0, 1)]
    assert firsts == [0, 4]


def test_the_report_gets_the_motions_with_their_identities_and_the_first_frame_that_shows_most_people(tmp_path):
    class Report:
        def add_video(self, clip, picture, motions):
            self.seen = clip.name, picture, motions

    people = [[*([person(130, 60, body=fitted(0))] if step >= 20 else []),
               person(30 + step, 60, body=fitted(step))] for step in range(30)]  # fmt: skip
    people[0].insert(0, person(90, 20, body=UserError("is too far")))  # a flicker, who takes a number
    report = Report()
    _, _, frames, _ = write(tmp_path, people, model=soft_body(), report=report)
    name, picture, motions = report.seen
    assert name == "walk" and [(identity, motion.first_frame) for identity, motion in motions] == [(1, 0), (2, 20)]
    assert np.abs(picture[..., ::-1].astype(int) - frames).mean((1, 2, 3)).argmin() == 0  # two; none has more


def test_without_a_body_there_is_no_motion_but_a_line_and_the_video(tmp_path):
    people = [[person(60, 60, body=UserError("is too far"))]] * 5
    count, lines, frames, _ = write(tmp_path, people, model=soft_body())
    assert (count, len(frames), len(lines)) == (1, 5, 2)
    assert "walk.mp4: 0 of 1 people have a motion" in lines[0] and "in 5 of 5 crops" in lines[1]
    assert [path.name for path in tmp_path.iterdir()] == ["walk_overlay.mp4"]


def test_a_run_that_is_stopped_leaves_no_video(tmp_path):
    def people():
        yield [person(60, 60)]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, people())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("size", "expected"), [((60, 80), (60, 80)), ((61, 81), (60, 80)), ((2, 2), (2, 2))])
def test_odd_sizes_lose_a_row_or_column(tmp_path, size, expected):
    write_frames(tmp_path / "a.mp4", iter([np.full((*size, 3), 90, np.uint8)] * 3), 12.5)
    frames, rate = read(tmp_path / "a.mp4")
    assert frames.shape == (3, *expected, 3) and rate == 12.5
    assert frames.mean() == pytest.approx(90, abs=3)


def test_a_size_that_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(CannotWrite, match="writes no video of 1 x 60"):
        write_frames(tmp_path / "a.mp4", iter([np.zeros((60, 1, 3), np.uint8)]), 25)
    assert not list(tmp_path.iterdir())
