"""The readers of files that others wrote, each with valid contents to start from."""

import contextlib
import copy
import gc
import io
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import mindspore as ms
import numpy as np

import utils.environment  # noqa: F401, I001  before MindSpore
from atlas import trained_on
from atlas.tables import build_atlas, load_or_build_atlas
from datasets.columns import read_table
from datasets.preprocess import h36m, lsp, mpi_inf_3dhp, mpii, pw3d, surreal, up_3d
from datasets.preprocess.coco import read_people
from datasets.preprocess.samples import SkipSample
from pretrained_model_convert import architecture
from pretrained_model_convert.files import read_pytorch
from pretrained_model_convert.pairs import PAIRS
from reconstruction.detector_trial import try_detector
from reconstruction.inputs import Photo, read_photos
from reconstruction.options import parse_boxes
from reconstruction.people_finder import PeopleFinder
from tests.helpers.gltf_reader import read_glb
from tests.reliability.fuzz.contents import (
    OBJ,
    atlases,
    body_model,
    bytes_of,
    chumpy_bodies,
    coco,
    coco_people,
    configs,
    hdf5_files,
    images,
    joint_mats,
    keypoints,
    mats,
    npy,
    options,
    pickles,
    pytorch_files,
    safetensors_files,
    states,
    tables,
    videos,
    yolo,
)
from tests.reliability.fuzz.mocap_contents import (
    annotation_files,
    annotation_files_of_test,
    box_files,
    pose_files,
    recordings,
)
from tests.reliability.fuzz.written_contents import detectors, rigged_bodies
from training.saved_states import SavedStates
from utils import surreal_files
from utils.array_files.pickles import load_arrays, load_npy, load_pickle
from utils.body_model import load_body_model
from utils.checkpoints import checkpoint, foreign_files
from utils.errors import UserError
from utils.media import image_files
from utils.objfile import read_obj
from utils.train_options import TrainOptions

PHOTO = Photo("photo", "photo", np.zeros((60, 80, 3), np.uint8), "photo.jpg")
FRAME = Photo("clip_000001", "clip_000001", PHOTO.image, "clip.mp4", 1)


@dataclass(frozen=True)
class Reader:
    """read: called with a file of `name` in a folder of its own; contents: what such files may hold.

    elsewhere: it reads in a process of its own, which has limits and may crash.
    """

    name: str
    read: Callable[[Path], object]
    contents: Callable[[], list[bytes]]
    elsewhere: bool = False


def _read_list(path: Path):
    return up_3d.read_list(path)


def _read_valid_list(path: Path):
    names = path.with_name("names.txt")
    names.write_text("x/val/r/s/a.mp4\t3\nx/val/r/s/b.mp4\t3\n")
    return surreal.validation_videos(names, path)


def _read_video_names(path: Path):
    valid = path.with_name("valid.txt")
    valid.write_text("[1]")
    return surreal.validation_videos(path, valid)


def _people(kind: str) -> Callable[[Path], list]:
    def read(path: Path) -> list:
        find_people = PeopleFinder(**({"bbox": None, "openpose": None} | {kind: str(path)}), say=str)
        return [*find_people(PHOTO), *find_people(FRAME), *find_people.finish()]

    return read


def _boxes_of_words(path: Path) -> list:
    """Boxes of a command line whose words are the lines of the file."""
    boxes = parse_boxes(path.read_text(encoding="utf-8", errors="replace").replace("\0", "").splitlines() or [""])
    return PeopleFinder(boxes, None, say=str)(PHOTO) if isinstance(boxes, list) else []


def _read_keypoints(path: Path):
    try:
        return up_3d.read_keypoints(path)
    except SkipSample:
        return None


def _adopt(path: Path):
    values = copy.copy(TrainOptions().parse_args([]))
    checkpoint.adopt_architecture(values, path.with_name("dmr_1.ckpt"), given=set())
    trained_on.check(values, path.with_name("dmr_1.ckpt"))


def _read_release(path: Path):
    found = architecture.find_config([path.parent])
    return found and architecture.read_from_config(found, given=set())


def _flatten(path: Path):
    with contextlib.redirect_stdout(io.StringIO()):
        return PAIRS["decomr"].flatten(read_pytorch(path), path)


def _load_weights(path: Path):
    parameters = {"conv.weight": ms.Parameter(np.zeros((2, 3), np.float32))}
    return checkpoint.assign(parameters, checkpoint.read_checkpoint(path), path)


def _newest_state(path: Path):
    return SavedStates(path.parent, 1, resumed=True).newest_sound(None, lambda line: None)


def _read_image(path: Path):
    image = image_files.read_image(path, "")
    assert image.shape == (*image_files.image_size(path, ""), 3) and image.dtype == np.uint8


def _read_photos(path: Path):
    return [entry for entry in read_photos([path]) if not isinstance(entry, UserError)]


def _mesh_and_atlas(path: Path):
    return build_atlas(read_obj(path), 8, 8)


def _atlas_tables(path: Path):
    return load_or_build_atlas("BF", 8, 8, path.parent.parent)


def _read_pose(path: Path):
    unpacked = path.with_name("unpacked")
    unpacked.mkdir(exist_ok=True)
    with mock.patch.object(tempfile, "tempdir", str(unpacked)):  # cdflib unpacks there
        try:
            return h36m.read_joints(path)
        finally:
            gc.collect()  # cdflib deletes them with its object
            assert not list(unpacked.iterdir()), "unpacked files were left"


def _read_glb(path: Path):
    """The reader of the tests, whose refusals are of any kind."""
    try:
        glb = read_glb(path)
        return glb.faces, glb.joint_names, glb.skinned(), glb.frame_times(), glb.skinned(1), glb.texture
    except (AssertionError, ArithmeticError, LookupError, TypeError, ValueError, struct.error) as error:
        raise UserError(f"{path}: {error!r}") from error
    except (OSError, SyntaxError) as error:  # what Pillow raises for a texture that is no picture, or a damaged one
        raise UserError(f"{path}: its texture: {error}") from error
    except RecursionError as error:  # a node that is its own child
        raise UserError(f"{path}: nodes without end") from error


READERS = [
    Reader("body.pkl", up_3d.read_body, pickles),
    Reader("content.pkl", load_pickle, pickles),
    Reader("model.pkl", load_body_model, lambda: [body_model(), *chumpy_bodies()]),
    Reader("content.npz", load_arrays, tables),
    Reader("joints.npy", load_npy, npy),
    Reader("_joints.npy", _read_keypoints, lambda: [bytes_of(np.save, np.ones((3, 14)))]),
    Reader("table.npz", lambda path: read_table(path, "", ("imgname", "center", "scale")), tables),
    Reader("uv_sampler/paras_h0008_w0008_BF.npz", _atlas_tables, atlases),
    Reader("mesh.obj", _mesh_and_atlas, lambda: [OBJ]),
    Reader("trainval.txt", _read_list, lambda: [b"/00000_image.png\r\n\n00001_image.png\n"]),
    Reader("valid_list.txt", _read_valid_list, lambda: [b"[1, 2]"]),
    Reader("namescmu.txt", _read_video_names, lambda: [b"/a/val/run/seq/x.mp4\t100\n/b/val/run/seq/y.mp4\t7\n"]),
    Reader("bbox.json", _people("bbox"), lambda: [b'{"bbox": [[1, 2, 30, 40], [5, 6.5, 7e1, 8]]}']),
    Reader("results.json", _people("bbox"), coco),
    Reader("labels.txt", _people("bbox"), lambda: [yolo()]),
    Reader("words.txt", _boxes_of_words, lambda: [b"1,2,30,40\n[-5, 6.5, 7e1, 8]", b"1\n2\n30\n40"]),
    Reader("openpose.json", _people("openpose"), lambda: [keypoints()]),
    Reader("options.json", lambda path: TrainOptions().parse_args(["--from_json", str(path)]), options),
    Reader("config.json", _adopt, configs),
    Reader("release/config.json", _read_release, configs),
    Reader("weights.pt", _flatten, pytorch_files),
    Reader("weights.safetensors", _flatten, safetensors_files),
    Reader(
        "weights.bin", foreign_files.refusal, lambda: [*pytorch_files(), *safetensors_files(), *tables(), *states()]
    ),
    Reader("dmr_1.ckpt", _load_weights, states),
    Reader("state_0_000000001.ckpt", _newest_state, states),
    Reader("image.png", _read_image, images),
    Reader("photo.png", _read_photos, images),
    Reader("clip.mp4", _read_photos, videos),
    Reader("x_info.mat", surreal_files.read_info, mats),
    Reader("joints.mat", lsp.read_joints, joint_mats),
    Reader("train.h5", lambda path: mpii.read_people(path, path.parent), hdf5_files),
    Reader("people.json", lambda path: read_people(path, path.parent), lambda: [coco_people()]),
    Reader("Sitting.1.cdf", _read_pose, pose_files),
    Reader("Sitting.1.mat", lambda path: list(h36m.read_boxes(path, range(0, 20, 5))), box_files),
    Reader("annot.mat", lambda path: mpi_inf_3dhp.read_training_joints(path, "annot2", 2), annotation_files),
    Reader("annot_data.mat", mpi_inf_3dhp.read_test_joints, annotation_files_of_test),
    Reader("sequence.pkl", pw3d.read_recording, recordings),
    Reader("yolo.onnx", try_detector, detectors, elsewhere=True),
    Reader("rigged.glb", _read_glb, rigged_bodies),
]
