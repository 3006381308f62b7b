"""SURREAL: items whose image is a frame of a video, mirrored back (datasets.preprocess.surreal says why)."""

import numpy as np

from datasets.base_dataset import BaseDataset
from datasets.video import read_frame
from utils import config

FOLDERS = {"train": config.SURREAL_TRAIN_FOLDER, "test": config.SURREAL_VALIDATION_FOLDER}


class SurrealDataset(BaseDataset):
    """A split of SURREAL; items as BaseDataset, imgname is `folder/video.mp4:frame`."""

    source_columns = ("videoname", "framenum")

    def image_name(self, index: int) -> str:
        """`folder/video.mp4:frame` of a row."""
        video = str(self.table["videoname"][index]).lstrip("/")
        return f"{FOLDERS[self.split]}/{video}:{self.table['framenum'][index]}"

    def read_image(self, index: int) -> np.ndarray:
        """Frame [H, W, 3] uint8, BGR, mirrored back, as the joints of the table are."""
        video, frame = self.image_name(index).rsplit(":", 1)
        image = read_frame(self.root / video, int(frame), "Download it again or take it out of the data set.")
        return image[:, ::-1]
