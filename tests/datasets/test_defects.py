"""One test for each thing that the 2022 MindSpore port got wrong, named after it and numbered.

Where the property has a fuller test elsewhere, the docstring names its file.
"""

import models  # noqa: F401, I001  before MindSpore

import importlib
import os

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from datasets.base_dataset import BaseDataset
from models import losses
from models.dense_cnn import DPNet, warp_feature
from models.distributed import Shares
from models.smpl import SMPL
from models.inference import find_checkpoint
from models.TrainOneStepDP import TrainOneStepDP
from models.uv_generator import Index_UV_Generator, cal_uv_weight
from models.WithLossCellDP import WithLossCellDP
from models.WithLossCellEnd import WithLossCellEnd
from tests.helpers import tiny_decomr
from tests.helpers.short_train import BLOCKS
from training.stages import load_start_of_cnet
from utils.checkpoints import checkpoint
from atlas.reference_map import load_or_build_reference_map
from utils.joints import SMPL_FLIP
from utils.metrics import pose_errors
from utils.train_options import TrainOptions

ms.set_device("CPU")


def test_01_shape_error_summed_coordinates_instead_of_the_euclidean_norm():
    """tests/utils/test_metrics.py"""
    vertices, joints = np.zeros((1, 5, 3)), np.zeros((1, 14, 3))
    joints[0] += np.random.default_rng(0).normal(size=(14, 3))
    moved = vertices + [0.003, 0.004, 0]
    assert pose_errors(moved, joints, vertices, joints)["shape_error"] == pytest.approx(5)  # mm, not 7


def test_02_the_best_of_30_checkpoints_on_the_test_set_was_reported(tmp_path):
    for epoch in (3, 1, 2):
        path = tmp_path / f"dmr_{epoch}.ckpt"
        path.touch()
        os.utime(path, (epoch, epoch))
    options = TrainOptions().parse_args(["--eval_dir", str(tmp_path)])
    assert find_checkpoint(options).name == "dmr_3.ckpt"  # one, chosen without looking at any error
    options = TrainOptions().parse_args(["--eval_dir", str(tmp_path), "--checkpoint", "mine.ckpt"])
    assert str(find_checkpoint(options)) == "mine.ckpt"


def test_03_resample_used_texcoords_in_0_1_as_if_they_were_in_minus_1_1(root, witness):
    """tests/atlas/test_atlas.py"""
    axis = np.linspace(0, 1, tiny_decomr.ATLAS_SIZE, dtype=np.float32)
    own_position = ms.Tensor(np.stack(np.meshgrid(axis, axis), -1)[None])
    sampler = Index_UV_Generator(tiny_decomr.ATLAS_SIZE)
    found = sampler.resample(own_position).asnumpy()[0][sampler.vt2v.asnumpy()]
    np.testing.assert_allclose(found, sampler.texcoords.asnumpy(), atol=1e-5)  # one texcoord per vertex here


def test_04_warp_let_background_pixels_through():
    """tests/models/test_models.py"""
    dp_out = np.zeros((1, 3, 4, 4), np.float32)
    dp_out[:, 0] = 0.4
    assert not warp_feature(ms.Tensor(dp_out), ms.ops.ones((1, 2, 4, 4)), 8).asnumpy().any()


def test_05_the_consistency_loss_cast_its_grid_of_positions_to_integers():
    size = tiny_decomr.IMAGE_SIZE
    consistency = losses.ConsistencyLoss(size)
    # a surface that lies, all of it, on the optical axis: each pixel is off by its own distance from the centre
    location_map = ms.ops.zeros((1, 8, 8, 3))
    camera = ms.Tensor([[1.0, 0, 0]], ms.float32)
    gt_iuv = ms.ops.full((1, 3, size, size), 0.5, dtype=ms.float32)
    gt_iuv[:, 0] = 1
    expected = (np.linspace(-1, 1, size) ** 2).mean()  # about 1/3; with positions cut to -1, 0 and 1 almost 1
    assert consistency(location_map, camera, gt_iuv).asnumpy()[0] == pytest.approx(expected, rel=1e-4)


def test_06_flags_were_multiplied_by_their_batch_mean_instead_of_selecting_samples():
    mean = losses.annotated_mean(ms.Tensor([2.0, 100.0, 4.0, 100.0]), *Shares()(ms.Tensor([1.0, 0, 1, 0])))
    assert float(mean.asnumpy()) == 3


def test_07_total_variation_was_counted_twice(witness):
    terms, expected = end_terms(witness, ["--lam_tv", 1])
    assert terms["tv"] == pytest.approx(expected, rel=1e-4)
    assert terms["total"] == pytest.approx(sum(terms.values()) - terms["total"], rel=1e-5)


def end_terms(witness, arguments) -> tuple[dict, float]:
    """Terms of stage end for fixed outputs, and their total variation computed in numpy."""
    arrays = tiny_decomr.random_outputs(np.random.default_rng(1), 4)

    class Outputs(nn.Cell):
        def construct(self, image):
            return tuple(ms.Tensor(array) for array in arrays)

    options = tiny_decomr.make_options(*arguments)
    batch = tiny_decomr.random_batch(witness)
    loss_cell = WithLossCellEnd(Outputs(), options)
    values = loss_cell(*(ms.Tensor(batch[name]) for name in loss_cell.input_names))
    terms = dict(zip(("total", *loss_cell.loss_names), (float(value.asnumpy()) for value in values), strict=True))
    m = arrays[1].astype(np.float64)
    across, down = m[:, :-1, :-1] - m[:, :-1, 1:], m[:, :-1, :-1] - m[:, 1:, :-1]
    return terms, (np.abs(across).sum() + np.abs(down).sum()) / (m.shape[1] - 1) ** 2


@pytest.mark.parametrize("flag", ["run_distribute", "resume", "no_flip", "use_smpl_joints", "adaptive_weight"])
def test_08_false_was_true(flag):
    """tests/utils/test_options.py"""
    assert getattr(TrainOptions().parse_args([f"--{flag}", "False"]), flag) is False
    assert getattr(TrainOptions().parse_args([f"--{flag}", "True"]), flag) is True


def test_09_uv_weights_reference_maps_and_smpl_joints_crashed_when_used(root, witness, tmp_path):
    weights = cal_uv_weight(Index_UV_Generator(32), tmp_path / "weight.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "weight.npy"), weights)
    assert weights.mean() == pytest.approx(1)
    reference = load_or_build_reference_map("BF", 32)
    assert reference.shape == (1, 32, 32, 3) and reference.any()
    terms, _ = end_terms(witness, ["--use_smpl_joints"])
    assert terms["key3D_smpl"] > 0 and terms["key2D_smpl"] > 0


def test_10_joints_regressed_through_numpy_cut_the_gradient(root, witness):
    body = SMPL()
    vertices = ms.Tensor(np.random.default_rng(2).normal(size=(1, body.num_vertices, 3)), ms.float32)
    for name in ("get_joints", "get_smpl_joints", "get_train_joints", "get_lsp_joints", "get_eval_joints"):
        regress = getattr(body, name)
        gradient = ms.grad(lambda points, regress=regress: regress(points).sum())(vertices).asnumpy()
        joints = regress(vertices).shape[1]
        assert gradient.sum() == pytest.approx(3 * joints, rel=1e-3), name  # rows of a regressor sum to one


def test_11_stage_end_always_loaded_cnet_5_of_rank_0(tmp_path, monkeypatch):
    loaded = []
    monkeypatch.setattr(checkpoint, "load_cnet", lambda cnet, path: loaded.append(os.path.basename(path)))
    for epoch in (5, 7):
        (tmp_path / f"CNet_{epoch}.ckpt").touch()
        os.utime(tmp_path / f"CNet_{epoch}.ckpt", (epoch, epoch))
    told = [
        load_start_of_cnet(None, TrainOptions().parse_args(["--stage", "end", *words]), tmp_path)
        for words in ([], ["--pretrained_checkpoint", "mine.ckpt"])
    ]
    assert loaded == ["CNet_7.ckpt", "mine.ckpt"]
    assert "CNet_7.ckpt" in told[0] and "mine.ckpt" in told[1]


def test_12_it_did_not_start_on_mindspore_2(witness, monkeypatch):
    monkeypatch.setattr("models.resnet.STAGE_BLOCKS", BLOCKS)
    assert int(ms.__version__.split(".")[0]) >= 2
    assert importlib.import_module("train").main and importlib.import_module("eval").main
    batch = tiny_decomr.random_batch(witness, size=2, all_annotated=True)
    cnet = DPNet()
    loss_cell = WithLossCellDP(cnet, tiny_decomr.make_options())
    step = TrainOneStepDP(loss_cell, nn.SGD(cnet.trainable_params(), 1e-3))
    total = [step(*(ms.Tensor(batch[name]) for name in loss_cell.input_names))[0] for _ in range(2)]
    assert float(total[1].asnumpy()) < float(total[0].asnumpy())


def test_13_smpl_joints_were_flipped_with_the_permutation_of_the_training_joints():
    """The kinematic tree says which joints are partners: left limbs come first in SMPL's order."""
    parents = [-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21]
    np.testing.assert_array_equal(SMPL_FLIP[SMPL_FLIP], np.arange(24))
    for joint, parent in enumerate(parents[1:], 1):
        assert parents[SMPL_FLIP[joint]] == SMPL_FLIP[parent]  # bones go to bones
    alone = [joint for joint in range(24) if SMPL_FLIP[joint] == joint]
    assert alone == [0, 3, 6, 9, 12, 15]  # the spine and the head


def test_14_random_streams_were_the_same_in_every_rank_and_worker():
    """test_dataset.py. The stream belongs to the sample, and ranks and workers have different samples."""
    drawn = []
    for seed in range(2):
        dataset = object.__new__(BaseDataset)
        dataset.options, dataset.augment, dataset.may_flip = (
            TrainOptions().parse_args(["--seed", str(seed)]),
            True,
            True,
        )
        assert dataset.draw_augmentation(7, 1) == dataset.draw_augmentation(7, 1)
        drawn += [dataset.draw_augmentation(index, epoch) for index in range(50) for epoch in range(3)]
    assert len({tuple(augmentation.noise) for augmentation in drawn}) == len(drawn) == 2 * 50 * 3
