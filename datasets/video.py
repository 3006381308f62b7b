"""Frames of videos by number, with the videos kept open between requests.

Opening a video and seeking in it costs as much as decoding dozens of frames. Each process, and each
thread of it, keeps its most recently used videos open and reads on from where they stand when the frame
asked for lies ahead; only a frame behind, or far ahead, is sought.
"""

import os
import threading
from collections import OrderedDict
from pathlib import Path

import numpy as np

from utils.errors import UserError
from utils.media.videos import Video

MAX_OPEN = 32  # videos; each holds a file handle and some frames of memory
# frames decoded in passing rather than sought: seeking decodes from the last key frame, a dozen back
READ_AHEAD = 32


class OpenVideo(Video):
    """A video file with the number of the frame that it would give next."""

    def __init__(self, path: Path):
        # one decoding thread: the loader's workers are the parallelism, and threads do not survive a fork
        super().__init__(path, threads=1)
        self.next_frame = 0

    def read(self, frame: int, ahead: int = READ_AHEAD) -> np.ndarray | None:
        """Frame [H, W, 3] uint8 BGR, None where it cannot be decoded; up to `ahead` frames are passed, not sought."""
        if not 0 <= frame - self.next_frame <= ahead:
            self.seek(frame)
            self.next_frame = frame
        while self.next_frame < frame:
            if not self.grab():
                return None
            self.next_frame += 1
        image = self.retrieve() if self.grab() else None
        self.next_frame += 1
        return image


class _Cache(threading.local):
    """The open videos of this thread in this process, least recently used first."""

    def __init__(self):
        self.process, self.videos = os.getpid(), OrderedDict()

    def open(self, path: Path) -> OpenVideo:
        if self.process != os.getpid():
            # Forked: the parent's videos share their file positions with it, and closing them would wait for
            # threads that do not exist here. They are set aside, never touched again.
            _inherited.append(self.videos)
            self.process, self.videos = os.getpid(), OrderedDict()
        video = self.videos.pop(path, None) or OpenVideo(path)
        self.videos[path] = video
        while len(self.videos) > MAX_OPEN:
            self.videos.popitem(last=False)[1].release()
        return video

    def forget(self, path: Path) -> None:
        self.videos.pop(path).release()


_inherited: list[OrderedDict] = []
_cache = _Cache()


def read_frame(path: Path, frame: int, advice: str) -> np.ndarray:
    """Frame number `frame` (from 0) of a video: [H, W, 3] uint8, BGR.

    UserError names a file that is missing, is no video or has fewer frames, and gives the advice.
    """
    if not os.path.isfile(path):
        raise UserError(f"{path} does not exist. {advice}")
    video = _cache.open(path)
    video.check_size(advice)
    image = video.read(frame)
    if image is None:  # seeking fails in videos of a single frame: once more, from the start
        _cache.forget(path)
        video = _cache.open(path)
        image = video.read(frame, ahead=frame)
    if image is None:
        fault = "" if video.has_frames else video.fault()
        _cache.forget(path)
        raise UserError(f"{path} has no frame {frame} that can be decoded{fault}. {advice}")
    return image


def count_frames(path: Path, limit: int) -> int:
    """How many frames of a video can be decoded from its start, `limit` at most; 0 for what is no video.

    The number that the file states is not asked: a video that was cut off still states the old one.
    """
    capture, count = OpenVideo(path).capture, 0
    while count < limit and capture.grab():
        count += 1
    capture.release()
    return count
