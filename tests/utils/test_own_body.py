"""Every block of docs/own_body.md, from a rigged mesh in Blender to a trained network, with a body of 2000 vertices."""

import hashlib
import json
import re
import shlex
import sys

import cv2
import numpy as np
import pytest

import utils.environment  # noqa: F401  before MindSpore
from tests.conftest import REPOSITORY, run_script
from tests.helpers.rigged_body import as_exported, blender, lower_arms, straight_body
from utils.body_model import load_body_model
from utils.objfile import ObjMesh, read_obj, write_obj
from utils.own_body.rest_pose import arm_slopes

NUM_TRAIN, NUM_TEST = 4, 2
GROWTH = ((1, 1, 1), (1.08, 1, 1), (1, 1.06, 1), (0.95, 0.97, 1.1))  # of the registered shapes
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", (REPOSITORY / "docs/own_body.md").read_text(), re.DOTALL | re.MULTILINE)
SMALL = {
    "train.py": "--img_res 64 --lnet_width 0.125 --mode pynative --num_workers 1 --num_epochs_dp 1 --num_epochs_end 1 "
    f"--batch_size {NUM_TRAIN // 2} --log_freq 1 --lam_mesh 1 --gtkey3d_from_mesh --log_dir LOGS",
    "eval.py": f"--mode pynative --num_workers 1 --batch_size {NUM_TEST} --save_root RESULTS",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the page's Python blocks have run, one after the other: body.json, registered/ and the model in DIR/."""
    folder = tmp_path_factory.mktemp("own body")
    mesh, joints, weights = straight_body()
    assert 1900 < len(mesh.vertices) < 2100
    vertices, joints = lower_arms(mesh.vertices, joints, weights)
    for number, growth in enumerate(GROWTH):
        shape = ObjMesh(as_exported(vertices * growth), mesh.faces)
        write_obj(folder / f"registered/{number}.obj", shape)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setitem(sys.modules, "bpy", blender(ObjMesh(vertices, mesh.faces), joints, weights))
        python = [block for kind, block in BLOCKS if kind == "python"]
        exec(python[0], {})
        exec("".join(python[1:]), {})
    return folder


def test_the_model_of_the_page_is_the_straight_body_in_metres(folder):
    mesh, joints, weights = straight_body()
    model = load_body_model(folder / "DIR/SMPL_NEUTRAL.npz")
    np.testing.assert_allclose(model.weights, weights, atol=1e-12)
    assert (model.faces == mesh.faces).all()
    regressed = model.joint_regressor @ model.v_template
    assert arm_slopes(regressed).max() < 1e-3
    assert np.abs(regressed - joints).max() < 0.005
    # the arms' weights have been bent down and up again, which linear blending does not undo exactly at the armpits
    distance = np.linalg.norm(model.v_template - mesh.vertices, axis=1)
    assert distance.mean() < 0.003 and distance.max() < 0.05
    assert model.joint_regressor.min() >= 0
    np.testing.assert_allclose(model.joint_regressor.sum(axis=1), 1)


def test_shape_directions_of_the_page_are_the_registered_shapes(folder):
    model = load_body_model(folder / "DIR/SMPL_NEUTRAL.npz")
    count = len(GROWTH) - 1
    directions = model.shapedirs.reshape(-1, 10)
    assert (directions[:, count:] == 0).all() and np.linalg.norm(directions[:, :count], axis=0).min() > 0.01
    # a body that is 6 % taller is 6 % taller in the space of the directions; arms and trunk are moved by it alike
    taller = np.zeros_like(model.v_template)
    taller[:, 1] = 0.06 * model.v_template[:, 1]
    legs = model.v_template[:, 1] < 0
    wanted = (taller - taller[legs].mean(axis=0))[legs].ravel()
    offered = model.shapedirs[legs][..., :count]
    offered = (offered - offered.mean(axis=0)).reshape(-1, count)
    fit = offered @ np.linalg.lstsq(offered, wanted, rcond=None)[0]
    assert np.linalg.norm(fit - wanted) < 0.02 * np.linalg.norm(wanted)


def run_page(folder, number: int) -> dict:
    """Run the commands of a bash block, in small; returns what each script printed."""
    outputs = {}
    (block,) = [block for kind, block in BLOCKS if kind == "bash"][number : number + 1]
    for line in block.splitlines():
        line = re.sub(r"--num_train \d+ --num_test \d+", f"--num_train {NUM_TRAIN} --num_test {NUM_TEST}", line)
        words = shlex.split(line)
        name = words[2] if words[1] == "-m" else words[1]
        words += SMALL.get(name, "").split()
        places = re.compile(r"^(DIR|LOGS|RESULTS|atlas.png|ckpt_own|results)\b")
        outputs[name] = run_script(
            *(places.sub(lambda found: str(folder / found[0]), word) for word in words[1:])
        ).stdout
    return outputs


@pytest.mark.slow
def test_the_commands_of_the_page_go_from_the_model_to_a_mesh_of_a_photograph(folder):
    root, logs = folder / "DIR", folder / "LOGS/sample_dp/metrics.jsonl"
    assert "round_trip_128" in run_page(folder, 0)["atlas.unwrap"]
    assert cv2.imread(str(folder / "atlas.png")) is not None
    count = len(load_body_model(root / "SMPL_NEUTRAL.npz").v_template)
    for rows in (np.load(root / "J_regressor_extra.npy"), np.load(root / "smpl2lsp_j_regressor_nt_v2.npy").T):
        assert rows.shape == (14, count) and rows.min() >= 0
        np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-6)
    brought = {path: hashlib.sha256(path.read_bytes()).digest() for path in root.rglob("*") if path.is_file()}

    run_page(folder, 1)
    assert {path: hashlib.sha256(path.read_bytes()).digest() for path in brought} == brought
    table = np.load(root / "DATASET_NPZ_PATH/up_3d_trainval.npz")
    masks = [cv2.imread(str(root / "up-3d" / name))[..., 0] for name in table["iuv_names"]]
    assert len(masks) == NUM_TRAIN and all(mask.mean() > 0.01 for mask in masks)

    run_page(folder, 2)
    losses = [json.loads(line) for line in logs.read_text().splitlines()]
    losses = [(line["stage"], line["losses"]) for line in losses if "losses" in line]
    assert [stage for stage, _ in losses] == ["dp", "dp", "end", "end"]
    assert all(np.isfinite(list(terms.values())).all() for _, terms in losses)
    assert losses[-1][1]["mesh"] > 0 and losses[-1][1]["con"] > 0
    assert len(json.loads((folder / "RESULTS/up-3d.json").read_text())["images"]) == NUM_TEST
    assert len(read_obj(folder / "results/own/50000_image.obj").vertices) == count
