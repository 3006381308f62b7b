"""Claims about the networks, the body model and the warp that need no second implementation."""

import models  # noqa: F401, I001  before MindSpore

import mindspore as ms
import numpy as np
import pytest
import scipy.spatial.transform
from mindspore import nn

from models.adam import Adam
from models.dense_cnn import DPNet, UVNet, get_LNet, warp_feature
from models.geometric_layers import rodrigues
from models.smpl import SMPL
from models.TrainOneStepEnd import TrainOneStepEnd
from models.WithLossCellEnd import WithLossCellEnd
from models.zero_init import UPRIGHT_CAMERA
from tests.helpers import short_train, tiny_decomr
from training.feed import FrozenFeatures
from training.stages import build_dmr
from utils import config
from utils.body_model import load_body_model, pose_vertices

ms.set_device("CPU")


@pytest.fixture
def short(monkeypatch):
    """Networks of few blocks, one of each kind."""
    short_train.install(monkeypatch.setattr)


def count_parameters(network: nn.Cell) -> int:
    return sum(parameter.size for parameter in network.trainable_params())


def test_the_networks_have_the_published_numbers_of_parameters():
    assert round(count_parameters(DPNet()) / 1e6, 2) == 31.46
    assert round(count_parameters(UVNet(np.zeros((1, 64, 64, 3), np.float32))) / 1e6, 2) == 30.56


def test_the_same_seed_gives_the_same_weights():
    def weights(seed):
        ms.set_seed(seed)
        lnet = UVNet(np.zeros((1, 64, 64, 3), np.float32), width=0.125)
        return np.concatenate([parameter.asnumpy().ravel() for parameter in lnet.trainable_params()])

    first = weights(1)
    np.testing.assert_array_equal(first, weights(1))
    assert not np.array_equal(first, weights(2))


def test_the_groups_of_groupnorm_keep_their_number_in_a_thin_lnet():
    def groups(width):
        lnet = UVNet(np.zeros((1, 64, 64, 3), np.float32), width=width)
        norms = {name: cell.groups for name, cell in lnet.cells_and_names() if hasattr(cell, "groups")}
        return {name: count for name, count in norms.items() if not name.startswith("uv_end") and "norm" in name}

    assert groups(0.125) == groups(0.25) == groups(1.0)


@pytest.mark.usefixtures("short")
def test_a_frozen_cnet_keeps_every_bit_while_the_lnet_trains(root, witness):
    options = tiny_decomr.make_options("--freeze_cnet")
    dmr = build_dmr(DPNet(), options)
    cell = WithLossCellEnd(dmr, options)
    step = TrainOneStepEnd(cell, Adam(dmr.LNet.trainable_params(), 1e-3))
    step.set_train(True)
    dmr.set_train(True)

    def weights(network):
        return {name: parameter.asnumpy().copy() for name, parameter in network.parameters_and_names()}

    frozen, learning = weights(dmr.CNet), weights(dmr.LNet)
    batch = tiny_decomr.random_batch(witness, all_annotated=True)
    batch = {name: ms.Tensor(value) for name, value in batch.items()}
    seen = {"imgname": ["a", "b", "c", "d"], "center": ms.ops.zeros((4, 2)), "scale": ms.ops.ones(4)}
    features = FrozenFeatures(dmr.CNet, reuse=True)
    computed = features(batch | seen)
    for first, again in zip(computed, features(seen), strict=True):  # no image is needed any more
        np.testing.assert_array_equal(first.asnumpy(), again.asnumpy())
    step(*(batch[name] if name != "img" else computed for name in cell.input_names))
    for name, value in weights(dmr.CNet).items():
        np.testing.assert_array_equal(value, frozen[name], err_msg=name)
    changed = [name for name, value in weights(dmr.LNet).items() if not np.array_equal(value, learning[name])]
    assert all(np.isfinite(value).all() for value in weights(dmr.LNet).values())
    assert len(changed) > 0.9 * len(learning)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("words", [[], ["--no_warp"]])
def test_only_the_codes_reach_a_network_without_warp(words, root):
    lnet = get_LNet(tiny_decomr.make_options(*words)).set_train(False)
    rng = np.random.default_rng(0)
    codes = ms.Tensor(rng.normal(size=(1, 2048)).astype(np.float32))
    maps = []
    for _ in range(2):
        dp_out, features = (rng.random((1, channels, 16, 16), np.float32) for channels in (3, 256))
        maps.append(lnet(ms.Tensor(dp_out), ms.Tensor(features), codes)[0].asnumpy())
    assert np.array_equal(*maps) == bool(words)


@pytest.mark.usefixtures("short")
def test_a_simple_start_gives_every_image_the_upright_camera(root):
    lnet = build_dmr(DPNet(), tiny_decomr.make_options("--zero_init_residual")).LNet.set_train()
    codes = ms.Tensor(np.random.default_rng(0).normal(size=(3, 2048)).astype(np.float32))
    np.testing.assert_array_equal(lnet.camera(codes).asnumpy(), [UPRIGHT_CAMERA] * 3)


# --- body model


def random_pose(rng, count=2):
    return rng.normal(size=(count, 72)).astype(np.float32), rng.normal(size=(count, 10)).astype(np.float32)


def test_skinning_equals_a_float64_computation(root):
    pose, betas = random_pose(np.random.default_rng(0))
    vertices = SMPL()(ms.Tensor(pose), ms.Tensor(betas)).asnumpy()
    body = load_body_model(config.SMPL_FILE)
    for found, *parameters in zip(vertices, pose, betas, strict=True):
        np.testing.assert_allclose(found, pose_vertices(body, *parameters), atol=1e-5)


def test_rotation_matrices_pose_the_body_as_their_axis_angles_do(root):
    pose, betas = random_pose(np.random.default_rng(1))
    matrices = scipy.spatial.transform.Rotation.from_rotvec(pose.reshape(-1, 3)).as_matrix().reshape(2, 24, 3, 3)
    body, betas = SMPL(), ms.Tensor(betas)
    by_matrix = body(ms.Tensor(matrices.astype(np.float32)), betas).asnumpy()
    np.testing.assert_allclose(by_matrix, body(ms.Tensor(pose), betas).asnumpy(), atol=1e-5)


@pytest.mark.parametrize("angle", [0, 1e-9, 1e-5, 0.99e-4, 1.01e-4, 1e-2, 1, np.pi, 6])
def test_rodrigues_equals_scipy_at_every_angle(angle):
    axes = np.random.default_rng(2).normal(size=(20, 3))
    vectors = (angle * axes / np.linalg.norm(axes, axis=1, keepdims=True)).astype(np.float32)
    expected = scipy.spatial.transform.Rotation.from_rotvec(vectors.astype(np.float64)).as_matrix()
    np.testing.assert_allclose(rodrigues(ms.Tensor(vectors)).asnumpy(), expected, atol=1e-6)


def test_the_gradient_of_rodrigues_at_zero_is_the_cross_product():
    cotangent = np.random.default_rng(3).normal(size=(1, 3, 3)).astype(np.float32)
    gradient = ms.grad(lambda vector: (rodrigues(vector) * ms.Tensor(cotangent)).sum())
    # d R = [v]x at rest, so each component sees the antisymmetric part
    c = cotangent[0]
    expected = [[c[2, 1] - c[1, 2], c[0, 2] - c[2, 0], c[1, 0] - c[0, 1]]]
    np.testing.assert_allclose(gradient(ms.ops.zeros((1, 3))).asnumpy(), expected, rtol=1e-5)


# --- warp


def warp(dp_out, features, size=64):
    return warp_feature(ms.Tensor(dp_out, ms.float32), ms.Tensor(features, ms.float32), size).asnumpy()


def one_pixel(u: float, v: float, mask: float = 1.0) -> np.ndarray:
    return np.array([mask, u, v], np.float32).reshape(1, 3, 1, 1)


def test_background_pixels_neither_reach_the_surface_nor_receive_a_gradient():
    rng = np.random.default_rng(4)
    dp_out = rng.random((2, 3, 8, 8)).astype(np.float32)
    dp_out[:, 0, :2] = 0.5  # on the threshold is background
    background = dp_out[:, 0] <= 0.5
    features = rng.normal(size=(2, 5, 8, 8)).astype(np.float32)
    other = np.where(background[:, None], 100, features)
    assert background.any() and not background.all()
    np.testing.assert_array_equal(warp(dp_out, features), warp(dp_out, other))

    gradient = ms.grad(lambda x: (warp_feature(ms.Tensor(dp_out), x, 64) ** 2).sum())(ms.Tensor(features)).asnumpy()
    assert not gradient.transpose(0, 2, 3, 1)[background].any()
    assert gradient.transpose(0, 2, 3, 1)[~background].all()


def test_no_gradient_reaches_the_iuv_image():
    rng = np.random.default_rng(5)
    dp_out, features = ms.Tensor(rng.random((1, 3, 6, 6)), ms.float32), ms.ops.ones((1, 2, 6, 6))
    assert not ms.grad(lambda x: (warp_feature(x, features, 64) ** 2).sum())(dp_out).asnumpy().any()


@pytest.mark.parametrize("position, cell", [(0.5, 0), (1.5, 2), (2.5, 2), (2.51, 3), (62.5, 62), (63, 63)])
def test_cells_are_rounded_half_to_even(position, cell):
    # 64 cells a side: powers of two make (position / 64) exact, and so the product
    u = np.float32(position) / np.float32(64)
    surface = warp(one_pixel(u, 0.0), np.ones((1, 1, 1, 1)), size=65)
    assert np.argwhere(surface[0, -1]).tolist() == [[0, cell]]


def test_row_comes_from_v_and_column_from_u():
    surface = warp(one_pixel(u=10 / 63, v=40 / 63), np.ones((1, 1, 1, 1)))
    assert np.argwhere(surface[0, -1]).tolist() == [[40, 10]]


def test_pixels_of_one_cell_are_averaged_and_empty_cells_are_zero():
    dp_out = np.zeros((1, 3, 2, 2), np.float32)
    dp_out[0, 0] = [[1, 1], [1, 0]]
    features = np.array([[[[1, 2], [6, 100]]]], np.float32)
    surface = warp(dp_out, features)
    # features, pixel x, pixel y, hit: of the pixels (-1, -1), (1, -1) and (-1, 1)
    np.testing.assert_allclose(surface[0, :, 0, 0], [3, -1 / 3, -1 / 3, 1], rtol=1e-6)
    surface[0, :, 0, 0] = 0
    assert not surface.any()
