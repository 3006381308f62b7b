"""What a checkpoint was trained with: one checksum for one content, another body or atlas is refused by name."""

import utils.environment  # noqa: F401, I001  before MindSpore

import gzip
import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from mindspore import nn

from models import inference
from models.inference import load_trained
from tests.helpers import tiny_decomr
from training import stages
from utils.checkpoints import checkpoint
from utils import config
from atlas import trained_on
from atlas.tables import build_atlas, get_uv_map, load_or_build_atlas
from atlas.reference_map import load_or_build_reference_map
from utils.body_model import load_body_model
from utils.errors import UserError
from utils.objfile import ObjMesh, read_obj, write_obj
from utils.train_options import TrainOptions

FILES = Path(__file__).parents[1] / "files"
SIZES = (128, 64, 32, 16)  # of reference maps


@pytest.fixture(params=["tiny", "generated"])
def body_root(request, root, generated_root, monkeypatch) -> Path:
    """A data root with a body, an atlas and a mesh at rest, set as that of this process."""
    chosen = root if request.param == "tiny" else generated_root
    monkeypatch.setattr(config, "_root", chosen)
    return chosen


def options_of(*words):
    return TrainOptions().parse_args([str(word) for word in (*tiny_decomr.OPTIONS, *words)])


# ---- one content, one checksum ----


def body_checksum(path) -> str:
    model = load_body_model(path)
    return trained_on.body_checksum(model.v_template, model.faces)


def test_a_body_has_one_checksum_in_every_file_format(root, tmp_path):
    content = pickle.loads((root / config.SMPL_FILE.name).read_bytes())
    expected = body_checksum(root / config.SMPL_FILE.name)
    np.savez(tmp_path / "double.npz", **content)
    np.savez(tmp_path / "single.npz", **content | {"v_template": content["v_template"].astype(np.float32)})
    for path in tmp_path.iterdir():
        assert body_checksum(path) == expected, path


def test_a_body_written_by_chumpy_has_the_checksum_of_its_values(tmp_path):
    path = tmp_path / "body.pkl"
    path.write_bytes(gzip.decompress((FILES / "chumpy_python2_2.pkl.gz").read_bytes()))
    template = np.load(FILES / "chumpy_values.npz")["v_template"]
    assert body_checksum(path) == trained_on.body_checksum(template, load_body_model(path).faces)


def test_a_body_of_another_shape_or_other_faces_has_another_checksum():
    template, faces = np.random.default_rng(0).normal(size=(50, 3)), np.arange(30).reshape(10, 3)
    expected = trained_on.body_checksum(template, faces)
    moved = template.copy()
    moved[7, 1] += 1e-4  # a tenth of a millimetre
    assert trained_on.body_checksum(moved, faces) != expected
    assert trained_on.body_checksum(template, faces[::-1]) != expected


def test_an_atlas_has_one_checksum_at_any_resolution_built_or_read_in_any_order(body_root):
    template = read_obj(config.atlas_template("BF"))
    rng = np.random.default_rng(0)
    found = set()
    for size in (128, 64):
        for atlas in (build_atlas(template, size, size), load_or_build_atlas("BF", size, size)):
            order = rng.permutation(len(atlas.vt2v))
            found.add(trained_on.atlas_checksum(atlas.texcoords, atlas.vt2v))
            found.add(trained_on.atlas_checksum(atlas.texcoords[order].astype(np.float64), atlas.vt2v[order]))
    assert len(found) == 1


def test_another_atlas_has_another_checksum(root):
    atlas = load_or_build_atlas("BF", 128, 128)
    expected = trained_on.atlas_checksum(atlas.texcoords, atlas.vt2v)
    swapped = atlas.vt2v.copy()
    swapped[[3, 4]] = swapped[[4, 3]]
    assert trained_on.atlas_checksum(atlas.texcoords, swapped) != expected
    assert trained_on.atlas_checksum(1 - atlas.texcoords, atlas.vt2v) != expected


def test_an_atlas_unwrapped_on_another_machine_has_the_same_checksum(body_root):
    """Texcoords of the generated body differ by 3e-9 on average from processor to processor."""
    atlas = load_or_build_atlas("BF", 128, 128)
    nudge = np.random.default_rng(0).uniform(-5e-9, 5e-9, atlas.texcoords.shape)
    nudged = trained_on.atlas_checksum(atlas.texcoords + nudge, atlas.vt2v)
    assert nudged == trained_on.atlas_checksum(atlas.texcoords, atlas.vt2v)


@pytest.mark.parametrize("size", SIZES)
def test_rounding_on_another_machine_does_not_change_the_checksum_of_a_reference_map(body_root, size):
    """As libraries and processors differ: in float32, with more digits than float64 has, summed in another order."""
    expected = trained_on.reference_map_checksum(load_or_build_reference_map("BF", size))
    atlas = load_or_build_atlas("BF", size, size)
    vertices = read_obj(config.REFERENCE_MESH).vertices
    for kind in (np.float32, np.longdouble):
        corners = vertices.astype(kind)[atlas.v_index][..., ::-1, :]
        blended = (corners * atlas.bary_weights.astype(kind)[..., ::-1, None]).sum(axis=2)
        assert trained_on.reference_map_checksum(blended[None].astype(np.float32)) == expected


@pytest.mark.parametrize("size", SIZES)
def test_another_body_at_rest_has_another_reference_map(body_root, size):
    atlas = load_or_build_atlas("BF", size, size)
    vertices = read_obj(config.REFERENCE_MESH).vertices
    found = {
        trained_on.reference_map_checksum(get_uv_map(atlas, vertices * scale)[None])
        for scale in (1, 1.02, (1, 1, 1.05))
    }
    assert len(found) == 3


# ---- what is beside the weights ----


@pytest.fixture
def folder(root, tmp_path) -> Path:
    """Checkpoints of the tiny body with their config.json, as training writes it; nothing here reads the weights."""
    folder = tmp_path / "ckpt"
    folder.mkdir()
    for name in ("dmr_1.ckpt", "CNet_1.ckpt"):
        (folder / name).touch()
    checkpoint.save_config(options_of(), folder, trained_on.identify(options_of()))
    return folder


def with_another_atlas(root: Path) -> None:
    path = root / "uv_sampler" / config.ATLAS_TEMPLATES["BF"]
    mesh = read_obj(path)
    places, corners = mesh.textured()
    write_obj(path, ObjMesh(mesh.vertices, mesh.faces, places[:, ::-1], corners))
    for tables in (root / "uv_sampler").glob("*.npz"):
        tables.unlink()


def with_another_rest(root: Path) -> None:
    path = root / config.REFERENCE_MESH.name
    mesh = read_obj(path)
    write_obj(path, ObjMesh(mesh.vertices * 1.05, mesh.faces))
    for reference_map in root.glob("*_ref_map_*.npy"):
        reference_map.unlink()


def with_another_body(root: Path) -> None:
    path = root / config.SMPL_FILE.name
    content = pickle.loads(path.read_bytes())
    content["v_template"] = content["v_template"] * 1.05
    path.unlink()
    path.with_name("SMPL_NEUTRAL.pkl").write_bytes(pickle.dumps(content, 2))


@pytest.fixture
def elsewhere(root, tmp_path, monkeypatch) -> Path:
    """A copy of the data root, set as the data root of this process."""
    copy = Path(shutil.copytree(root, tmp_path / "elsewhere"))
    monkeypatch.setattr(config, "_root", copy)
    return copy


CHANGES = {
    "atlas": (
        with_another_atlas,
        r"the atlas smpl_boundry_free_template.obj \({0}\).*there is the atlas smpl_\S+ \({1}\)",
    ),
    "reference_map": (
        with_another_rest,
        r"the reference map BF_ref_map_64.npy \({0}\); in \S+ there is the reference map",
    ),
    "body": (
        with_another_body,
        r"the body basicmodel_\S+ \({0}\); in \S+elsewhere there is the body SMPL_NEUTRAL.pkl \({1}\)",
    ),
}


@pytest.mark.parametrize("part", CHANGES)
def test_weights_of_another_data_root_are_refused_by_name_unless_an_option_says_otherwise(
    folder, elsewhere, part, capsys
):
    change, line = CHANGES[part]
    options = options_of()
    trained_on.check(options, folder / "dmr_1.ckpt")  # the copy is the same
    there = trained_on.identify(options)[part]["sha256"][:12]
    change(elsewhere)
    here = trained_on.identify(options)[part]["sha256"][:12]
    expected = rf"dmr_1.ckpt was trained with {line.format(there, here)}"
    with pytest.raises(UserError, match=expected) as caught:
        trained_on.check(options, folder / "dmr_1.ckpt")
    assert "--other_body" in str(caught.value) and "\n" not in str(caught.value)
    assert capsys.readouterr().err == ""
    trained_on.check(options_of("--other_body"), folder / "dmr_1.ckpt")
    assert capsys.readouterr().err.startswith("--other_body: ")


def test_of_weights_without_a_record_nothing_is_refused(folder, elsewhere):
    with_another_atlas(elsewhere)
    options = options_of()
    checkpoint.save_config(options, folder)  # as before there were records
    trained_on.check(options, folder / "dmr_1.ckpt")
    (folder / "config.json").unlink()  # converted by hand
    trained_on.check(options, folder / "dmr_1.ckpt")


def test_a_run_on_generated_people_says_so_beside_its_weights(folder, elsewhere):
    weights, stage_dp, stage_end = folder / "dmr_1.ckpt", options_of("--stage", "dp"), options_of("--stage", "end")
    stages.write_config(stage_dp, folder, resumed=False)
    assert not trained_on.saw_generated_people_only(weights)
    (elsewhere / config.GENERATED_MARKER).write_text("seed 0\n")
    stages.write_config(stage_end, folder, resumed=False)  # from CNet_1.ckpt, which saw others
    assert not trained_on.saw_generated_people_only(weights)
    stages.write_config(stage_dp, folder, resumed=False)
    assert trained_on.saw_generated_people_only(weights)
    for resumed in (False, True):  # from what saw generated people
        stages.write_config(stage_end, folder, resumed)
        assert trained_on.saw_generated_people_only(weights)
    (elsewhere / config.GENERATED_MARKER).unlink()
    trained_on.check(options_of(), weights)  # other people are no reason to refuse weights


def test_what_the_data_root_lacks_is_not_compared(folder, elsewhere):
    (elsewhere / config.SMPL_FILE.name).unlink()
    trained_on.check(options_of(), folder / "dmr_1.ckpt")
    assert set(trained_on.identify(options_of())) == {"atlas", "reference_map"}


@pytest.mark.parametrize(
    "record", [3, ["atlas"], {"atlas": 3}, {"atlas": {"file": "a"}}, {"atlas": {"file": "\n", "sha256": "0"}}]
)
def test_a_damaged_record_is_named(folder, record):
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(content | {"trained_on": record}))
    with pytest.raises(UserError, match=r"config.json cannot be read: trained_on is no table of files and checksums"):
        trained_on.check(options_of(), folder / "dmr_1.ckpt")


def test_config_json_still_serves_as_a_file_of_options(folder):
    assert set(json.loads((folder / "config.json").read_text())["trained_on"]) == set(trained_on.PARTS)
    read = TrainOptions().parse_args(["--from_json", str(folder / "config.json")])
    assert not hasattr(read, "trained_on")
    assert read.lnet_width == options_of().lnet_width


# ---- who asks ----


def test_what_the_network_does_not_see_does_not_keep_it_from_running(folder, elsewhere, monkeypatch):
    monkeypatch.setattr(inference, "get_CNet", lambda _: nn.Cell())
    monkeypatch.setattr(inference, "get_LNet", lambda _: nn.Cell())
    loaded = []
    monkeypatch.setattr(checkpoint, "load_dmr", lambda dmr, path: loaded.append(path.name))
    with_another_body(elsewhere)
    load_trained(options_of(), folder / "dmr_1.ckpt")  # demo.py and export.py use no body model
    assert loaded == ["dmr_1.ckpt"]
    with_another_rest(elsewhere)
    with pytest.raises(UserError, match="reference map"):
        load_trained(options_of(), folder / "dmr_1.ckpt")


STARTS = {
    "dmr": (("--checkpoint", "{0}/dmr_1.ckpt"), False, {"atlas", "reference_map", "body"}),
    "folder": (("--checkpoint", "{0}"), False, {"atlas", "reference_map", "body"}),
    "CNet": (("--pretrained_checkpoint", "{0}/CNet_1.ckpt"), False, {"atlas"}),
    "CNet of a dmr": (("--pretrained_checkpoint", "{0}/dmr_1.ckpt"), False, {"atlas"}),
    "CNet of stage dp": (("--stage", "end"), False, {"atlas"}),
    "resumed": ((), True, {"atlas", "reference_map", "body"}),
    "new": ((), False, set()),
}


@pytest.mark.parametrize("part", CHANGES)
@pytest.mark.parametrize("start", STARTS)
def test_training_starts_from_weights_of_the_same_body_only(folder, elsewhere, start, part):
    words, resumed, parts = STARTS[start]
    options = options_of(*(word.format(folder) for word in words))
    before = (folder / "config.json").read_bytes()
    CHANGES[part][0](elsewhere)
    if part in parts:
        with pytest.raises(UserError, match="--other_body"):
            stages.write_config(options, folder, resumed)
        assert (folder / "config.json").read_bytes() == before
    else:
        stages.write_config(options, folder, resumed)
        record = json.loads((folder / "config.json").read_text())["trained_on"]
        assert record == trained_on.identify(options)


def test_stage_dp_needs_no_body_and_records_none(folder, elsewhere):
    for path in (config.REFERENCE_MESH, config.SMPL_FILE):
        path.unlink()
    stages.write_config(options_of("--stage", "dp"), folder, resumed=False)
    assert set(json.loads((folder / "config.json").read_text())["trained_on"]) == {"atlas"}
