"""Frames by number from videos that stay open: always the frame asked for, in every process."""

import multiprocessing
import os
import threading

import cv2
import numpy as np
import pytest

from datasets import video
from datasets.video import read_frame
from utils.errors import UserError

FRAMES = 60


def write(path, frames: int = FRAMES, seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 30, (64, 48))
    for number in range(frames):
        picture = rng.integers(0, 255, (6, 8, 3)).astype(np.uint8)
        picture[:2] = number * 255 // frames
        writer.write(cv2.resize(picture, (64, 48), interpolation=cv2.INTER_NEAREST))
    writer.release()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "film.mp4"
    write(path)
    return path


@pytest.fixture(scope="module")
def frames(path):
    """The witness: the whole video decoded from front to back."""
    capture = cv2.VideoCapture(str(path))
    found = [capture.read()[1] for _ in range(FRAMES)]
    assert not capture.read()[0]
    return found


def test_frames_in_any_order_are_those_of_reading_from_front_to_back(path, frames):
    order = np.random.default_rng(1).integers(0, FRAMES, 80).tolist()
    for number in [0, FRAMES - 1, 0, 1, 1, 2, 40, 39, *order]:
        np.testing.assert_array_equal(read_frame(path, number, ""), frames[number])


def test_many_videos_share_a_bounded_number_of_open_files(tmp_path, monkeypatch):
    monkeypatch.setattr(video, "MAX_OPEN", 3)
    paths = [tmp_path / f"{index}.mp4" for index in range(5)]
    for index, path in enumerate(paths):
        write(path, 4, index)
    expected = {path: cv2.VideoCapture(str(path)).read()[1] for path in paths}
    for path in [*paths, *paths[::-1], paths[2], paths[0], paths[2]]:
        np.testing.assert_array_equal(read_frame(path, 0, ""), expected[path])
        assert len(video._cache.videos) <= 3 and list(video._cache.videos)[-1] == path
    open_files = [os.readlink(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")
                  if os.path.islink(f"/proc/self/fd/{number}")]  # fmt: skip
    assert sum(name.startswith(str(tmp_path)) for name in open_files) <= 3


def _frames_in_child(path, numbers, channel):
    channel.put([read_frame(path, number, "") for number in numbers])


def test_a_forked_process_reads_its_own_way_and_disturbs_nobody(path, frames):
    read_frame(path, 5, "")
    context = multiprocessing.get_context("fork")
    channel = context.Queue()
    child = context.Process(target=_frames_in_child, args=(path, [30, 6, 50], channel))
    child.start()
    for number in (6, 7, 20):
        np.testing.assert_array_equal(read_frame(path, number, ""), frames[number])
    for found, number in zip(channel.get(timeout=30), [30, 6, 50], strict=True):
        np.testing.assert_array_equal(found, frames[number])
    child.join(30)
    assert child.exitcode == 0


def test_threads_do_not_share_a_position(path, frames):
    failures = []

    def work(seed):
        for number in np.random.default_rng(seed).integers(0, FRAMES, 25).tolist():
            if not np.array_equal(read_frame(path, number, ""), frames[number]):
                failures.append(number)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


@pytest.mark.parametrize("count", [1, 2])
def test_the_shortest_videos_can_be_read_again_and_again(tmp_path, count):
    write(tmp_path / "short.mp4", count)
    capture = cv2.VideoCapture(str(tmp_path / "short.mp4"))
    expected = [capture.read()[1] for _ in range(count)]
    for frame in (0, count - 1, 0, 0, count - 1):
        np.testing.assert_array_equal(read_frame(tmp_path / "short.mp4", frame, ""), expected[frame])


def test_frames_that_are_not_there_are_named_and_reading_goes_on(path, frames, tmp_path):
    with pytest.raises(UserError, match=rf"film.mp4 has no frame {FRAMES} that can be decoded. Do this."):
        read_frame(path, FRAMES, "Do this.")
    np.testing.assert_array_equal(read_frame(path, 3, ""), frames[3])
    junk = tmp_path / "junk.mp4"
    junk.write_bytes(b"not a video")
    with pytest.raises(UserError, match="junk.mp4 has no frame 0"):
        read_frame(junk, 0, "")
    with pytest.raises(UserError, match="none.mp4 does not exist. Do this."):
        read_frame(tmp_path / "none.mp4", 0, "Do this.")
