"""UP-3D preprocessing that was interrupted, or runs again: finished work is kept, what changed is made anew."""

from pathlib import Path

import numpy as np
import pytest

from datasets.preprocess import tables, up_3d
from tests.helpers.prepared import ALL_STEPS, UP_3D, load, preprocess
from tests.helpers.tiny_up3d import write_sample
from utils import config

TRAIN = "up_3d_trainval"


def file_times(root: Path) -> dict[Path, int]:
    made = [*root.glob("DATASET_NPZ_PATH/*"), *root.glob("up-3d/*_IUV_gt/*")]
    return {path: path.stat().st_mtime_ns for path in made}


@pytest.fixture(scope="module")
def prepared(prepared_up_3d):
    return prepared_up_3d


def test_a_second_run_touches_nothing(own_copy):
    before = file_times(own_copy)
    assert preprocess(UP_3D, own_copy, *ALL_STEPS).returncode == 0
    assert file_times(own_copy) == before


def test_an_interrupted_run_continues_without_redoing_finished_images(own_copy):
    before = file_times(own_copy)
    lost = own_copy / "up-3d" / load(own_copy, TRAIN)["iuv_names"][2]
    content = lost.read_bytes()
    lost.unlink()
    finished = preprocess(UP_3D, own_copy, "--gt_iuv")
    assert "up_3d_trainval BF IUV: 1 made, 4 kept" in finished.stdout
    assert lost.read_bytes() == content
    assert {path: time for path, time in file_times(own_copy).items() if path != lost} == {
        path: time for path, time in before.items() if path != lost
    }


def test_rows_made_before_an_interruption_are_kept(own_copy, monkeypatch):
    complete = load(own_copy, TRAIN)
    data_set = up_3d.Up3D()
    npz_file = data_set.npz_file("train")
    npz_file.unlink()
    real_pose, calls = up_3d.pose_vertices, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real_pose(*arguments)

    monkeypatch.setattr(up_3d, "pose_vertices", interrupted)
    with pytest.raises(KeyboardInterrupt):
        data_set.make_split("train", 1)
    assert not npz_file.exists()
    summary = data_set.make_split("train", 1)
    assert (summary.kept, summary.done) == (3, 2)
    assert all(np.array_equal(load(own_copy, TRAIN)[key], complete[key]) for key in up_3d.LAYOUT.columns)
    assert [path.name for path in npz_file.parent.glob("up_3d_trainval*")] == ["up_3d_trainval.npz"]


def test_shards_of_an_interrupted_run_are_joined_in_the_order_of_the_list(own_copy, monkeypatch):
    """A shard after every sample, as a run of thousands has after every 500."""
    monkeypatch.setattr(tables, "SAVE_EVERY", 1)
    complete = load(own_copy, TRAIN)
    data_set = up_3d.Up3D()
    npz_file = data_set.npz_file("train")
    npz_file.unlink()
    job, calls = up_3d.RowMaker.__call__, []

    def interrupted(self, name):
        calls.append(name)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return job(self, name)

    monkeypatch.setattr(up_3d.RowMaker, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        data_set.make_split("train", 1)
    shards = sorted(npz_file.parent.glob("*.partial_*.npz"))
    assert [load(own_copy, shard.stem)["imgname"].tolist() for shard in shards] == [[calls[0]], [calls[1]]]
    summary = data_set.make_split("train", 1)
    assert (summary.kept, summary.done) == (2, 3)
    assert all(np.array_equal(load(own_copy, TRAIN)[key], complete[key]) for key in up_3d.LAYOUT.columns)
    assert not list(npz_file.parent.glob("*.partial_*"))


def test_a_damaged_table_is_named(own_copy):
    (own_copy / "DATASET_NPZ_PATH/up_3d_trainval.npz").write_bytes(b"not an archive")
    for step in ("--train_files", "--gt_iuv"):
        finished = preprocess(UP_3D, own_copy, step)
        assert finished.returncode == 2 and "Traceback" not in finished.stderr
        assert "up_3d_trainval.npz cannot be read" in finished.stderr and "Delete it" in finished.stderr


def test_a_changed_sample_is_made_again(own_copy):
    write_sample(own_copy, 1)
    finished = preprocess(UP_3D, own_copy, *ALL_STEPS)
    assert "up_3d_trainval: 1 made, 4 kept" in finished.stdout
    assert "up_3d_trainval BF IUV: 1 made, 4 kept" in finished.stdout


def test_images_of_two_atlases_are_not_mixed(own_copy):
    template = own_copy / "uv_sampler" / config.ATLAS_TEMPLATES["BF"]
    template.write_text(template.read_text() + "# another atlas\n")
    finished = preprocess(UP_3D, own_copy, "--gt_iuv")
    assert finished.returncode == 2
    assert "another atlas" in finished.stderr
