"""Constructors never write to the data root; one step does, and what it writes is what they build in memory."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

import demo
import eval as evaluation
import export
import train
from atlas.part_weights import load_or_build_part_weights
from atlas.prepare import write_missing_tables
from atlas.reference_map import load_or_build_reference_map
from atlas.tables import Atlas, load_or_build_atlas
from models.dense_cnn import get_LNet
from models.ground_truth import GroundTruth
from models.uv_generator import Index_UV_Generator
from models.WithLossCellEnd import WithLossCellEnd
from tests.helpers import tiny_decomr
from utils import config
from utils.errors import CannotWrite, UserError

TABLES = "uv_sampler/paras_h0128_w0128_BF.npz"
REFERENCE = {"uv_sampler/paras_h0064_w0064_BF.npz", "BF_ref_map_64.npy"}
PART_WEIGHTS = "weight_p24_h0128_w0128_BF.npy"


@pytest.fixture
def fresh(tmp_path):
    """The data root of a tiny body without derived tables."""
    with tiny_decomr.data_root(tmp_path) as root:
        yield root


def files(root) -> dict:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def build_all(options) -> list[np.ndarray]:
    """Everything that networks and loss cells take from the tables."""
    lnet, sampler = get_LNet(options), Index_UV_Generator(options.uv_res)
    cell = WithLossCellEnd(lnet, options)
    truth = GroundTruth(options.uv_res, options.uv_type).sampler
    found = [lnet.reference_map, cell.uv_weight, truth.v_index, sampler.bary_weights, sampler.texcoords]
    return [tensor.asnumpy() for tensor in found]


def test_networks_leave_the_data_root_untouched_and_read_what_the_step_writes_bit_for_bit(fresh):
    options = tiny_decomr.make_options()
    before = files(fresh)
    built = build_all(options)
    assert files(fresh) == before
    write_missing_tables(options, part_weights=True)
    assert files(fresh).keys() - before.keys() == {TABLES, PART_WEIGHTS} | REFERENCE
    for one, other in zip(built, build_all(options), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_step_writes_what_the_loaders_build(fresh):
    atlas, reference = load_or_build_atlas("BF", 128, 128), load_or_build_reference_map("BF", 64)
    weights = load_or_build_part_weights("BF", 128, 128)
    write_missing_tables(tiny_decomr.make_options(), part_weights=True)
    with np.load(fresh / TABLES) as written:
        assert set(written) == set(Atlas.__dataclass_fields__)
        for name, array in written.items():
            assert array.dtype == getattr(atlas, name).dtype
            np.testing.assert_array_equal(array, getattr(atlas, name))
    np.testing.assert_array_equal(np.load(fresh / "BF_ref_map_64.npy"), reference)
    np.testing.assert_array_equal(np.load(fresh / PART_WEIGHTS), weights)


def test_part_weights_are_left_out_unless_asked_for(fresh):
    config.SEGMENTATION_FILE.write_bytes(b"no segmentation")
    before = files(fresh)
    write_missing_tables(tiny_decomr.make_options())
    assert files(fresh).keys() - before.keys() == {TABLES} | REFERENCE
    with pytest.raises(UserError, match="segm_per_v_overlap.pkl"):
        write_missing_tables(tiny_decomr.make_options(), part_weights=True)


@pytest.mark.parametrize(
    ("missing", "left_out"),
    [
        ("reference_mesh.obj", REFERENCE),
        ("segm_per_v_overlap.pkl", {PART_WEIGHTS}),
        ("uv_sampler/smpl_boundry_free_template.obj", {TABLES, PART_WEIGHTS} | REFERENCE),
    ],
)
def test_a_missing_source_leaves_its_tables_out_and_is_no_error(fresh, missing, left_out):
    (fresh / missing).unlink()
    before = files(fresh)
    write_missing_tables(tiny_decomr.make_options(), part_weights=True)
    assert files(fresh).keys() - before.keys() == ({TABLES, PART_WEIGHTS} | REFERENCE) - left_out


def test_tables_that_are_there_stay_as_they_are(fresh):
    options = tiny_decomr.make_options()
    write_missing_tables(options, part_weights=True)
    for name in ("BF_ref_map_64.npy", PART_WEIGHTS):
        np.save(fresh / name, np.load(fresh / name) + 1)
    before = files(fresh)
    write_missing_tables(options, part_weights=True)
    assert files(fresh) == before


def test_a_data_root_that_takes_no_file_costs_one_line(fresh, monkeypatch, capsys):
    def refuse(path, **arrays):
        raise CannotWrite(f"cannot write to the folder {path.parent}: Permission denied.")

    monkeypatch.setattr("atlas.prepare.write_npz", refuse)
    before = files(fresh)
    write_missing_tables(tiny_decomr.make_options())
    assert files(fresh) == before
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "built in memory" in said and f"{fresh / 'uv_sampler'}: Permission" in said


@pytest.mark.parametrize(
    ("script", "rank"), [(train, 0), (train, 1), (evaluation, 0), (evaluation, 1), (demo, 0), (export, 0)]
)
def test_the_first_rank_of_a_command_writes_the_tables(script, rank, fresh, monkeypatch):
    """The commands end in an error behind the step: there is no data set, or the checkpoint is no checkpoint."""
    weights = fresh / "out" / "dmr_1.ckpt"
    weights.parent.mkdir()
    weights.write_bytes(b"no checkpoint")
    words = {
        train: ["--ckpt_dir", weights.parent, "--log_dir", weights.parent],
        evaluation: ["--checkpoint", weights, "--save_root", weights.parent],
        demo: ["--checkpoint", weights, "--img", fresh / "photo.png", "--out", weights.parent],
        export: ["--checkpoint", weights],
    }[script]
    (fresh / "photo.png").write_bytes(b"")
    device = SimpleNamespace(rank=rank, world_size=1, target="CPU")
    monkeypatch.setattr(sys, "argv", [script.__file__, *map(str, words), "--data_dir", str(fresh)])
    monkeypatch.setattr(script, "setup_device", lambda options: device)
    if script is evaluation:
        monkeypatch.setattr(evaluation, "open_single", lambda options, split: [])
        monkeypatch.setattr(evaluation, "mean_training_mesh", lambda options, rows: 0)
    with pytest.raises(UserError):
        script.main()
    expected = (REFERENCE | {TABLES} | ({PART_WEIGHTS} if script is train else set())) if not rank else set()
    assert {name for name in files(fresh) if name in REFERENCE | {TABLES, PART_WEIGHTS}} == expected
