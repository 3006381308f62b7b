"""Videos are upright as their players show them, any name opens, and what cannot be decoded is called by its name."""

import os
import shutil
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from datasets.video import read_frame
from reconstruction.inputs import count_photos, read_photos
from utils.errors import UserError
from utils.media.videos import Video

# written by ffmpeg: portrait pictures of 48 x 64 with a bright upper left quarter; turned.mp4 as phones write them,
# lying on their side with a matrix that turns them
FILES = Path(__file__).parents[1] / "files"
TURNED, AV1, H266 = FILES / "turned.mp4", FILES / "av1.mp4", FILES / "h266.mp4"
# the matrix (a, b, c, d) of a track, and what it does to a picture by ISO/IEC 14496-12: x, y go to a x + c y, b x + d y
MATRICES = {
    "upright": ((1, 0, 0, 1), lambda p: p), "90": ((0, 1, -1, 0), lambda p: np.rot90(p, 3)),
    "180": ((-1, 0, 0, -1), lambda p: np.rot90(p, 2)), "270": ((0, -1, 1, 0), np.rot90),
    "mirrored": ((-1, 0, 0, 1), np.fliplr), "upside down": ((1, 0, 0, -1), np.flipud),
    "transposed": ((0, 1, 1, 0), lambda p: p.swapaxes(0, 1)),
    "90 and mirrored": ((0, -1, -1, 0), lambda p: np.rot90(p.swapaxes(0, 1), 2)),
}  # fmt: skip


def quarters() -> np.ndarray:
    """[48, 64, 3] uint8 whose quarters differ in brightness."""
    return np.kron(np.array([[30, 90], [150, 220]]), np.ones((24, 32)))[..., None].repeat(3, 2).astype(np.uint8)


def write(path: Path, matrix=(1, 0, 0, 1), frames: int = 3) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 48))
    for _ in range(frames):
        writer.write(quarters())
    writer.release()
    content = bytearray(path.read_bytes())
    start = content.index(b"tkhd") + 4 + 40
    a, b, c, d = (entry << 16 for entry in matrix)
    content[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    return path


def test_a_phone_s_video_stands_upright_in_reconstruction_and_in_data_sets():
    (first, *_) = read_photos([TURNED])
    for frame in (first.image, read_frame(TURNED, 0, ""), read_frame(TURNED, 2, "")):
        assert frame.shape == (64, 48, 3)
        assert frame[16, 12].min() > 180 and max(frame[place].max() for place in ((48, 12), (16, 36), (48, 36))) < 80


@pytest.mark.parametrize("name", MATRICES)
def test_every_matrix_of_quarter_turns_and_mirrors_is_obeyed(tmp_path, name):
    matrix, turn = MATRICES[name]
    found, expected = read_frame(write(tmp_path / "a.mp4", matrix), 1, ""), turn(quarters())
    assert found.shape == expected.shape and np.abs(found.astype(int) - expected).mean() < 6


@pytest.mark.parametrize(("path", "codec"), [(AV1, "AV1"), (H266, r"H.266 \(VVC\)")])
def test_a_codec_that_cannot_be_decoded_is_named_with_the_command_that_converts(path, codec):
    (error,) = read_photos([path])
    assert isinstance(error, UserError)
    with pytest.raises(UserError, match=rf"no frame can be decoded here \(codec {codec}\). Convert it: ffmpeg -i "):
        raise error
    with pytest.raises(UserError, match=rf"has no frame 0 that can be decoded: no frame .*\(codec {codec}\). Do this."):
        read_frame(path, 0, "Do this.")


def test_a_truncated_video_is_named_as_such(tmp_path):
    path = write(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes()[:-300])  # the directory stands at the end
    (error,) = read_photos([path])
    assert "is truncated, the end of the file is missing. Copy or download it again." in str(error)


def test_frames_before_the_end_of_a_truncated_video_are_used(tmp_path):
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for _ in range(6):
        writer.write(quarters())
    writer.release()
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 9 // 10])
    *photos, error = read_photos([path])
    assert 0 < len(photos) < 6
    assert f"is truncated: the end of the file is missing. The {len(photos)} frames before are used." in str(error)


@pytest.mark.parametrize("suffix", [".avi", ".mkv", ".mov", ".ts", ".mpg", ".flv", ".wmv", ".3gp", ".m2ts"])
def test_containers_of_every_kind_are_opened_from_a_folder(tmp_path, suffix):
    codec = {".flv": "FLV1", ".wmv": "WMV2", ".mpg": "PIM1"}.get(suffix, "mp4v")
    path = str(tmp_path / f"a{suffix}")
    writer = cv2.VideoWriter(path, cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), 25, (64, 48))
    for _ in range(30):
        writer.write(quarters())
    writer.release()
    assert len(list(read_photos([tmp_path], every=10))) == 3 and count_photos([tmp_path]) is None


def test_the_content_says_whether_a_file_is_a_video(tmp_path):
    video, picture = tmp_path / "a.jpg", tmp_path / "b.mp4"
    shutil.copy(TURNED, video)
    picture.write_bytes(cv2.imencode(".png", quarters())[1].tobytes())
    assert [photo.name for photo in read_photos([video])] == ["a_000000", "a_000001", "a_000002"]
    assert [photo.name for photo in read_photos([picture])] == ["b"]


def test_names_that_are_no_text_open_too(tmp_path):
    for name in (b"\xc4\xfa\xba\xc3.mp4", b"caf\xe9.mp4", b"a\nb.mp4", "😀.mp4".encode(), b"file:%d.mp4"):
        path = tmp_path / os.fsdecode(name)
        shutil.copy(TURNED, path)
        assert len(list(read_photos([path]))) == 3
        assert read_frame(path, 1, "").shape == (64, 48, 3)


def test_threads_are_as_many_as_asked_for():
    video = Video(TURNED, threads=1)
    assert video.capture.get(cv2.CAP_PROP_N_THREADS) == 1
    video.release()
