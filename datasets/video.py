"""Frames of videos by number, with the videos kept open between requests.

To open a video and seek in it costs as much as decoding dozens of frames. So each thread keeps the videos that it used
last open. It decodes on to a frame that lies a little ahead, and seeks only for one behind or far ahead.
"""

import os
import threading
from collections import OrderedDict
from pathlib import Path

import numpy as np

from utils.errors import UserError
from utils.media.videos import Video

MAX_OPEN = 32  # videos of a thread; each takes a file handle and the memory of some frames
# frames ahead that are reached by decoding: seeking decodes from the last key frame, about a dozen frames back
READ_AHEAD = 32


class OpenVideo(Video):
    """A video file with the number of its next frame."""

    def __init__(self, path: Path):
        # one decoding thread: the loader's workers already run in parallel, and threads do not survive a fork
        super().__init__(path, threads=1)
        self.next_frame = 0

    def read(self, frame: int, ahead: int = READ_AHEAD) -> np.ndarray | None:
        """Frame [H, W, 3] uint8 BGR, None if it cannot be decoded; one more than `ahead` frames ahead is sought."""
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
            # This process was forked. Its parent's videos share their file positions with the parent, and closing
            # them would wait for threads that do not exist here. So they are kept, but not used.
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

    UserError, with the advice, if the file is missing, is no video or has fewer frames.
    """
    if not os.path.isfile(path):
        raise UserError(f"{path} does not exist. {advice}")
    video = _cache.open(path)
    video.check_size(advice)
    image = video.read(frame)
    if image is None:  # seeking fails in videos of a single frame, so it is tried again from the start
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

    Frames are counted, because a video that was cut off still states its old number of frames.
    """
    capture, count = OpenVideo(path).capture, 0
    while count < limit and capture.grab():
        count += 1
    capture.release()
    return count
