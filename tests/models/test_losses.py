"""Claims about the losses that need no second implementation: zero where all is right, blind to the unannotated."""

import models  # noqa: F401, I001  before MindSpore

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from models import losses
from models.smpl import SMPL
from models.uv_generator import Index_UV_Generator
from models.WithLossCellDP import WithLossCellDP
from models.WithLossCellEnd import WithLossCellEnd
from tests.helpers import tiny_decomr
from tests.helpers.tiny_decomr import ATLAS_SIZE, IMAGE_SIZE

ms.set_device("CPU")


class Outputs(nn.Cell):
    """Stands for the network: returns its parameters whatever the image."""

    def __init__(self, dp_out, location_map, camera):
        super().__init__()
        self.dp_out, self.location_map, self.camera = (
            ms.Parameter(ms.Tensor(array, ms.float32), name=name)
            for name, array in (("dp_out", dp_out), ("location_map", location_map), ("camera", camera))
        )

    def construct(self, image):
        return self.dp_out, self.location_map, self.camera


FLAGS = ("has_dp", "has_smpl", "has_pose_3d", "has_pose_3d_smpl")


def perfect_prediction(size=2) -> tuple[tuple, dict]:
    """Outputs and a batch that they explain exactly: a flat sheet, seen from the front, filling the image."""
    axis = np.linspace(0, 1, IMAGE_SIZE)
    iuv = np.stack([np.ones((IMAGE_SIZE,) * 2), *np.meshgrid(axis, axis)])
    sheet = np.linspace(-1, 1, ATLAS_SIZE)
    location_map = np.stack([*np.meshgrid(sheet, sheet), np.full((ATLAS_SIZE,) * 2, 0.3)], -1)
    dp_out, location_map = np.stack([iuv] * size), np.stack([location_map] * size)
    camera = np.tile([1.0, 0, 0], (size, 1))
    vertices = Index_UV_Generator(ATLAS_SIZE).resample(ms.Tensor(location_map, ms.float32))
    body, ones = SMPL(), np.ones((size, 24, 1))
    joints, smpl_joints = body.get_train_joints(vertices).asnumpy(), body.get_smpl_joints(vertices).asnumpy()
    batch = {
        "img": np.zeros((size, 3, IMAGE_SIZE, IMAGE_SIZE)),
        "gt_iuv": dp_out,
        "keypoints": np.concatenate([joints[..., :2], ones], 2),
        "pose_3d": np.concatenate([joints + 5, ones], 2),  # where the pelvis is does not matter
        "keypoints_smpl": np.concatenate([smpl_joints[..., :2], ones], 2),
        "pose_3d_smpl": np.concatenate([smpl_joints - 3, ones], 2),
        "fit_joint_error": np.zeros(size),
        "from_mesh": np.zeros((size, 2)),
        "gt_vertices": vertices.asnumpy(),
        "gt_uv_map": location_map,
        **dict.fromkeys(FLAGS, np.ones(size)),
    }
    return (dp_out, location_map, camera), batch


def run_terms(loss_cell, batch) -> dict:
    outputs = loss_cell(*(ms.Tensor(batch[name], ms.float32) for name in loss_cell.input_names))
    return dict(zip(("total", *loss_cell.loss_names), (float(value.asnumpy()) for value in outputs), strict=True))


@pytest.fixture(scope="module")
def options(root):
    return tiny_decomr.make_options("--use_smpl_joints", "--lam_tv", 0)


def test_every_loss_is_zero_on_a_perfect_prediction(options):
    outputs, batch = perfect_prediction()
    network = Outputs(*outputs)
    terms = run_terms(WithLossCellEnd(network, options), batch) | run_terms(WithLossCellDP(network, options), batch)
    assert len(terms) == 11
    assert max(terms.values()) < 1e-6, terms
    flat = ms.ops.ones((2, ATLAS_SIZE, ATLAS_SIZE, 3))
    assert float(losses.total_variation(flat).asnumpy()) == 0


@pytest.mark.parametrize("output", ["dp_out", "location_map", "camera"])
def test_no_loss_is_zero_on_a_wrong_prediction(options, output):
    outputs, batch = perfect_prediction()
    network = Outputs(*outputs)
    wrong = getattr(network, output)
    wrong.set_data(wrong * 0.9)
    terms = run_terms(WithLossCellEnd(network, options), batch)
    touched = {
        "dp_out": {"dp_mask", "dp_uv"},
        "location_map": {"uv", "mesh", "key3D", "key2D", "con", "key3D_smpl", "key2D_smpl"},
        "camera": {"key2D", "con", "key2D_smpl"},
    }[output]
    assert {name for name, value in terms.items() if value > 1e-6} == touched | {"total"}
    assert terms["total"] == pytest.approx(sum(value for name, value in terms.items() if name != "total"), rel=1e-5)


@pytest.mark.parametrize("off", [True, False])
def test_a_loss_of_weight_0_is_0_whatever_it_would_be(off):
    """Keypoints of the training set that are no numbers spoil the total unless their loss is switched off."""
    outputs, batch = perfect_prediction()
    batch["keypoints"] = np.full_like(batch["keypoints"], np.nan)
    words = ["--lam_key2D", 0] if off else []
    terms = run_terms(WithLossCellEnd(Outputs(*outputs), tiny_decomr.make_options("--lam_tv", 0, *words)), batch)
    assert (terms["key2D"] == 0) == off and bool(np.isfinite(terms["total"])) == off
    assert terms["tv"] == 0


def test_a_bad_fit_damps_what_comes_from_the_mesh_and_no_annotated_joint(root):
    """Sample 0 brings joints, sample 1 takes them from its mesh; the fit of both is worth half."""
    options = tiny_decomr.make_options("--use_smpl_joints", "--gtkey3d_from_mesh", "--adaptive_weight", "--lam_tv", 0)
    outputs, batch = perfect_prediction()
    network = Outputs(*outputs)
    network.location_map.set_data(network.location_map * 0.9)
    batch |= {"has_smpl": np.ones(2), "from_mesh": np.array([[0, 0], [1, 1]])}
    for name in ("pose_3d", "pose_3d_smpl"):
        batch[name][1] = np.nan

    def terms_with(*errors):
        return run_terms(WithLossCellEnd(network, options), batch | {"fit_joint_error": np.array(errors)})

    sound, half = terms_with(0, 0), terms_with(0.05, 0.05)
    shares = {name: half[name] / sound[name] for name in ("uv", "mesh", "con", "key3D", "key3D_smpl", "key2D")}
    expected = {"uv": 0.5, "mesh": 0.5, "con": 0.5, "key3D": 0.75, "key3D_smpl": 0.75, "key2D": 1}
    assert shares == pytest.approx(expected, rel=1e-4)
    assert terms_with(0.2, 0)["key3D"] == pytest.approx(sound["key3D"], rel=1e-6)


ANNOTATIONS = ("gt_iuv", "pose_3d", "pose_3d_smpl", "gt_vertices", "gt_uv_map")


@pytest.mark.parametrize("filling", [7.0, np.nan])
def test_samples_without_annotation_contribute_neither_value_nor_gradient(options, witness, filling):
    """The first two samples carry everything; the last two hold any number, or NaN, where they carry nothing."""
    batch = tiny_decomr.random_batch(witness, all_annotated=True)
    arrays = tiny_decomr.random_outputs(np.random.default_rng(6), 4)
    for name in FLAGS:
        batch[name][2:] = 0
    for name in ("keypoints", "keypoints_smpl"):  # always there, with confidences
        batch[name][2:, :, 2] = 0
    network = Outputs(*arrays)
    loss_cell = WithLossCellEnd(network, options)

    def terms_and_gradients():
        step = ms.value_and_grad(loss_cell, None, network.trainable_params(), has_aux=True)
        values, gradients = step(*(ms.Tensor(batch[name]) for name in loss_cell.input_names))
        return [value.asnumpy() for value in values], [gradient.asnumpy() for gradient in gradients]

    terms, gradients = terms_and_gradients()
    for name in ANNOTATIONS:
        batch[name][2:] = filling
    other_terms, other_gradients = terms_and_gradients()
    np.testing.assert_array_equal(terms, other_terms)
    for gradient, other in zip(gradients, other_gradients, strict=True):
        assert gradient[:2].any() and not other[2:].any()
        np.testing.assert_array_equal(gradient[:2], other[:2])

    alone = Outputs(*(array[:2] for array in arrays))
    half = {name: value[:2] for name, value in batch.items()}
    annotated = run_terms(WithLossCellEnd(alone, options), half)
    everyone = {"key2D", "key2D_smpl"}  # a mean over all samples, by the definition of these losses
    for name, value in zip(loss_cell.loss_names, terms[1:], strict=True):
        assert value == pytest.approx(annotated[name] / (2 if name in everyone else 1), rel=1e-5), name


def test_without_any_annotation_losses_and_gradients_are_zero(options, witness):
    batch = tiny_decomr.random_batch(witness)
    for name in FLAGS:
        batch[name][:] = 0
    network = Outputs(*tiny_decomr.random_outputs(np.random.default_rng(7), 4))
    loss_cell = WithLossCellDP(network, options)
    step = ms.value_and_grad(loss_cell, None, [network.dp_out], has_aux=True)
    terms, gradients = step(*(ms.Tensor(batch[name]) for name in loss_cell.input_names))
    assert not any(term.asnumpy() for term in terms) and not gradients[0].asnumpy().any()
