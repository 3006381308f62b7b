"""Valid contents of the files that others write, for the fuzz tests to start from."""

import gzip
import io
import json
import pickle
import struct
import zlib
from pathlib import Path

import h5py
import mindspore as ms
import numpy as np
import safetensors.torch
import scipy.io
import scipy.sparse
import torch
from PIL import Image

import utils.environment  # noqa: F401, I001  before MindSpore
from atlas import trained_on
from atlas.tables import build_atlas
from training.saved_states import RECORD
from utils.objfile import read_obj
from utils.train_options import TrainOptions

OBJ = b"""# a square
v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0
vt 0.1 0.1
vt 0.9 0.1
vt 0.9 0.9
vt 0.1 0.9
f 1/1 2/2 3/3 4/4
f -4/-4 -3/-3 -2/-2
"""
FILES = Path(__file__).resolve().parent.parent.parent / "files"
SIDEWAYS = Image.Exif()
SIDEWAYS[0x0112] = 6
PICTURES = [
    ("PNG", {"exif": SIDEWAYS}), ("JPEG", {"exif": SIDEWAYS}), ("JPEG", {"progressive": True}), ("BMP", {}),
    ("TIFF", {"compression": "tiff_lzw", "tiffinfo": {0x0112: 6}}), ("WEBP", {"exif": SIDEWAYS}), ("GIF", {}),
    ("AVIF", {"exif": SIDEWAYS}), ("JPEG2000", {}),
]  # fmt: skip
OPTIONS = ("img_res", "lnet_width", "lr", "batch_size", "name", "resume", "dataset", "checkpoint", "wd", "seed")


def pickles() -> list[bytes]:
    sparse = scipy.sparse.random(4, 6, 0.5, random_state=0)
    content = {
        "pose": np.arange(72.0),
        "betas": np.ones(10, np.float32),
        "t": np.float64(3),
        "f": np.arange(6, dtype=np.uint32),
        "J": sparse.tocsc(),
        "R": sparse.tocsr(),
        "C": sparse.tocoo(),
        "o": np.array([1.5, 2], object),
        "s": np.array(["ab"]),
    }
    return [pickle.dumps(content, protocol) for protocol in (0, 2, 4, 5)] + chumpy_bodies()


def chumpy_bodies() -> list[bytes]:
    return [gzip.decompress(path.read_bytes()) for path in sorted(FILES.glob("chumpy_*.pkl.gz"))]


def body_model() -> bytes:
    count = 5
    content = {
        "v_template": np.eye(count, 3),
        "shapedirs": np.zeros((count, 3, 10), np.float32),
        "posedirs": np.zeros((count, 3, 207), np.float16),
        "weights": np.ones((count, 24), np.float32) / 24,
        "J_regressor": scipy.sparse.csc_matrix(np.ones((24, count)) / count),
        "f": np.array([[0, 1, 2]], np.uint32),
        "kintree_table": np.array([[4294967295, *range(23)], range(24)], np.uint32),
    }
    return pickle.dumps(content, 2)


def npy() -> list[bytes]:
    arrays = (np.arange(12.0).reshape(3, 4), np.array(["a", "bc"]), np.array([1, 2.5], object), np.zeros((0, 3)))
    return [bytes_of(np.save, array) for array in arrays]


def tables() -> list[bytes]:
    rng = np.random.default_rng(0)
    columns = {
        "imgname": np.array(["a.png", "b.png"]),
        "center": rng.random((2, 2)),
        "scale": rng.random(2),
        "part": rng.random((2, 24, 3)),
        "pose": rng.random((2, 72)),
        "shape": rng.random((2, 10)),
    }
    others = {
        "imgname": np.array(["a.png", b"b.png"], object),
        "center": rng.random((2, 1, 2)),
        "scale": np.array([[1.5], [2]], object),
        "S": rng.random((2, 24, 4)).astype(np.float32),
        "pose": rng.random((2, 24, 3)),
        "has_smpl": np.array([[True], [False]]),
        "gender": np.array([b"m", b"female"]),
        "maskname": np.array([None, "b.png"], object),
    }
    return [bytes_of(np.savez, **columns), bytes_of(np.savez_compressed, **columns), bytes_of(np.savez, **others)]


def videos() -> list[bytes]:
    return [path.read_bytes() for path in (FILES / "turned.mp4", FILES / "av1.mp4")]


def bytes_of(save, *arrays, **named) -> bytes:
    stream = io.BytesIO()
    save(stream, *arrays, **named)
    return stream.getvalue()


def atlases() -> list[bytes]:
    mesh = read_obj_text(OBJ)
    return [bytes_of(np.savez, **vars(build_atlas(mesh, 8, 8)))]


def read_obj_text(text: bytes):
    path = Path(f"/dev/shm/fuzz-{id(text)}.obj")
    path.write_bytes(text)
    try:
        return read_obj(path)
    finally:
        path.unlink()


def images() -> list[bytes]:
    picture = np.random.default_rng(0).integers(0, 255, (20, 30, 3)).astype(np.uint8)
    return [bytes_of(Image.fromarray(picture).save, kind, **more) for kind, more in PICTURES]


def large_png(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header says width x height."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(100_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def mats() -> list[bytes]:
    content = {
        "pose": np.zeros((72, 2)),
        "shape": np.zeros((10, 2)),
        "joints2D": np.zeros((2, 24, 2)),
        "joints3D": np.zeros((3, 24, 2)),
        "gender": np.zeros((2, 1)),
        "zrot": np.zeros((2, 1)),
    }
    stream, packed = io.BytesIO(), io.BytesIO()
    scipy.io.savemat(stream, content)
    scipy.io.savemat(packed, content, do_compression=True)
    return [stream.getvalue(), packed.getvalue()]


def joint_mats() -> list[bytes]:
    """joints.mat of LSP: Matlab's version 5, packed, and version 7.3."""
    joints = np.arange(84.0).reshape(3, 14, 2)
    stream = io.BytesIO()
    with h5py.File(stream, "w", userblock_size=512) as file:
        file["joints"] = joints.T
    version_7 = b"MATLAB 7.3 MAT-file".ljust(512) + stream.getvalue()[512:]
    version_5 = [bytes_of(scipy.io.savemat, {"joints": joints}, do_compression=packed) for packed in (False, True)]
    return [*version_5, version_7]


def hdf5_files() -> list[bytes]:
    """train.h5 of MPII, plain and packed."""
    found = []
    for packed in ({}, {"compression": "gzip", "chunks": True}):
        stream = io.BytesIO()
        with h5py.File(stream, "w") as file:
            file["imgname"] = [b"a.jpg", b"b.jpg"]
            for name, shape in (("center", (2, 2)), ("part", (2, 16, 2)), ("scale", (2,))):
                file.create_dataset(name, data=np.ones(shape), **packed)
        found.append(stream.getvalue())
    return found


def coco_people() -> bytes:
    """person_keypoints_train2014.json with one person."""
    entry = {"id": 7, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "keypoints": [5, 6, 2] * 17}
    image = {"id": 1, "file_name": "a.jpg", "height": 20, "width": 30}
    categories = [{"id": 1, "name": "person"}]
    return json.dumps({"images": [image], "annotations": [entry], "categories": categories}).encode()


def states() -> list[bytes]:
    path = Path("/dev/shm/fuzz-state.ckpt")
    entries = [
        {"name": name, "data": ms.Tensor(array)}
        for name, array in (("conv.weight", np.ones((2, 3), np.float32)), ("conv.bias", np.ones(2, np.float32)))
    ]
    ms.save_checkpoint(entries, str(path), append_dict={RECORD: json.dumps({"options": {"seed": 0}, "ranks": 1})})
    content = path.read_bytes()
    path.unlink()
    return [content]


def options() -> list[bytes]:
    values = vars(TrainOptions().parse_args([]))
    return [json.dumps(values).encode(), json.dumps({name: values[name] for name in OPTIONS}).encode()]


def configs() -> list[bytes]:
    """config.json as training writes it, and as a published checkpoint has it."""
    record = {part: {"file": "a.obj", "sha256": "0" * 64} for part in trained_on.PARTS}
    released = {"uv_channels": "64", "warp_level": 2, "norm_type": "GN", "uv_type": "BF", "smpl": None, "gpu_ids": [0]}
    return [
        *options(),
        json.dumps({"uv_res": 128, trained_on.TRAINED_ON: record}).encode(),
        json.dumps(released).encode(),
    ]


def pytorch_files() -> list[bytes]:
    """A DecoMR of few weights as torch.save writes it, in a zip and as before."""
    state = {"module.conv.weight": torch.ones(2, 3), "module.conv.bias": torch.ones(2).half()}
    content = {"model": {"CNet": state, "LNet": {"state_dict": state}}, "epoch": 3, "rate": np.float64(0.1)}
    streams = []
    for zipped in (True, False):
        streams.append(io.BytesIO())
        torch.save(content, streams[-1], _use_new_zipfile_serialization=zipped)
    return [stream.getvalue() for stream in streams]


def safetensors_files() -> list[bytes]:
    return [safetensors.torch.save({"CNet.conv.weight": torch.ones(2, 3), "LNet.conv.bias": torch.ones(2).half()})]


def keypoints() -> bytes:
    return json.dumps({"people": [{"pose_keypoints_2d": [10.0, 20.0, 0.9, 30.0, 50.0, 0.8]}]}).encode()


def coco() -> list[bytes]:
    boxes = [
        {"image_id": image, "category_id": 1, "bbox": [1, 2, 30, 40], "score": 0.9, "iscrowd": 0}
        for image in (1, "photo", "clip_000001.jpg")
    ]
    annotations = {
        "images": [{"id": 1, "file_name": "photo.jpg"}],
        "annotations": boxes[:1],
        "categories": [{"id": 1, "name": "person"}],
    }
    ultralytics = [{"name": "person", "class": 0, "confidence": 0.9, "box": {"x1": 1, "y1": 2, "x2": 31, "y2": 42}}]
    mmdet = {"labels": [0], "scores": [0.9], "bboxes": [[1, 2, 31, 42]]}
    return [json.dumps(content).encode() for content in (boxes, annotations, ultralytics, mmdet)]


def yolo() -> bytes:
    pose = " ".join(["0.1 0.2 0.9"] * 17)
    return f"0 0.5 0.5 0.25 0.25\n0 0.5 0.5 0.25 0.25 0.9 3\n2 0.5 0.5 1 1 0.5\n0 0.4 0.5 0.2 1 {pose} 0.9\n".encode()
