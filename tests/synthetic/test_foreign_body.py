"""Claims about files made for any body, and about photographs of a body that the generator did not make."""

import json
import pickle
import shutil

import numpy as np
import pytest

from synthetic import generate
from tests.helpers.rigged_body import lower_arms, straight_body
from utils import config
from utils.array_files.pickles import load_pickle
from utils.body_model import load_body_model, load_joint_regressors, pose_vertices
from utils.complete_body import complete_body, read_places
from utils.errors import UserError
from utils.joints import EXTRA_JOINTS, PARENTS, SMPL_JOINTS, indices
from utils.objfile import ObjMesh, write_obj
from utils.own_body.landmarks import find_places
from utils.own_body.regressors import extra_regressor, joint_places, joint_regressor, row
from utils.own_body.rest_pose import arm_slopes, t_pose

MODEL = "SMPL_NEUTRAL.npz"


def write_model(folder, vertices, faces, joints, weights, name=MODEL) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    count = len(vertices)
    np.savez(
        folder / name, v_template=vertices, f=faces, weights=weights, J_regressor=joint_regressor(vertices, joints),
        shapedirs=np.zeros((count, 3, 10)), posedirs=np.zeros((count, 3, 207)),
        kintree_table=np.array([PARENTS, range(24)]),
    )  # fmt: skip


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    """A folder with the rigged body, complete; its atlas template has no sensible texcoords."""
    folder = tmp_path_factory.mktemp("body")
    mesh, joints, weights = straight_body()
    write_model(folder, mesh.vertices, mesh.faces, joints, weights)
    complete_body(folder)
    mesh.texcoords, mesh.face_texcoords = np.full((len(mesh.vertices), 2), 0.5), mesh.faces
    write_obj(config.atlas_template("BF", folder), mesh)
    return folder


@pytest.fixture
def body(complete, tmp_path):
    """A copy that a test may change."""
    return shutil.copytree(complete, tmp_path / "body")


@pytest.fixture(autouse=True)
def same_root():
    before = config.data_root()
    yield
    config.set_data_root(before)


def photograph(body, root=None, seed=0, **more) -> None:
    config.set_data_root(root or body)
    generate.generate(1, 1, seed=seed, workers=1, clothing="suit", body=body, **more)


def content_of(folder) -> dict:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_photographs_of_a_foreign_body_leave_its_files_as_they_are(body):
    before = content_of(body)
    photograph(body)
    after = content_of(body)
    assert {name: after[name] for name in before} == before
    made = {name for name in after if name not in before}
    assert {"SYNTHETIC.txt", "namesUPlsp.txt", "up-3d/00000_image.png", "up-3d/50000_joints.npy"} <= made
    assert "another origin" in (body / "SYNTHETIC.txt").read_text()
    photograph(body)
    assert content_of(body) == after
    # the joints are those of this body in this pose, seen by the camera of the photograph
    model = load_body_model(body / MODEL)
    pose = load_pickle(body / "up-3d/00000_body.pkl")
    joints = load_joint_regressors(body, model).lsp(pose_vertices(model, pose["pose"], pose["betas"])) + pose["t"]
    places, visible = np.split(np.load(body / "up-3d/00000_joints.npy"), [2])
    centred = places - places.mean(axis=1, keepdims=True)
    seen = (pose["f"] * joints[:, :2] / joints[:, 2:]).T
    np.testing.assert_allclose(centred, seen - seen.mean(axis=1, keepdims=True), atol=1e-6)
    assert visible.sum() >= 2


def test_photographs_beside_a_real_data_set_are_refused_and_go_to_a_root_of_their_own(body, tmp_path):
    (body / "up-3d").mkdir()
    (body / "up-3d/00000_image.png").write_bytes(b"a real photograph")
    with pytest.raises(UserError, match=r"not made here \(up-3d\)"):
        photograph(body)
    before = content_of(body)
    photograph(body, tmp_path / "other")
    assert content_of(body) == before
    copied = content_of(tmp_path / "other")
    assert all(copied[name] == value for name, value in before.items() if not name.startswith("up-3d"))
    assert copied["up-3d/00000_image.png"] != b"a real photograph"


def test_a_root_of_another_body_is_refused(body, tmp_path):
    photograph(body)
    complete = np.load(body / "J_regressor_extra.npy")
    np.save(body / "J_regressor_extra.npy", complete[::-1])
    with pytest.raises(UserError, match=r"another seed, clothing, img_res, body.*Delete it, up-3d"):
        photograph(body)
    with pytest.raises(UserError, match="another seed"):
        config.set_data_root(body)
        generate.generate(1, 1)
    write_obj(tmp_path / "other/reference_mesh.obj", straight_body()[0])
    with pytest.raises(UserError, match="not made here"):
        photograph(body, tmp_path / "other")


def test_the_generator_tells_how_to_photograph_a_body_that_it_finds(body):
    config.set_data_root(body)
    with pytest.raises(UserError, match=f"give --body {body}"):
        generate.generate(1, 1)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (MODEL, "has no body model .*own_body.md"),
        ("J_regressor_extra.npy", "has no J_regressor_extra.npy. Make .*utils.complete_body"),
        ("segm_per_v_overlap.pkl", "has no segm_per_v_overlap.pkl. Make .*utils.complete_body"),
        ("reference_mesh.obj", "has no reference_mesh.obj. Make .*utils.complete_body"),
        ("uv_sampler/smpl_boundry_free_template.obj", "does not exist. Make it with python -m atlas.unwrap"),
    ],
)
def test_what_a_body_lacks_is_named_with_how_to_make_it(body, name, message):
    (body / name).unlink()
    with pytest.raises(UserError, match=message):
        photograph(body)
    assert not (body / "SYNTHETIC.txt").exists() and not (body / "up-3d").exists()


def test_videos_need_a_male_and_a_female_body(body):
    with pytest.raises(UserError, match="basicmodel_m_.*copy of the neutral one"):
        photograph(body, num_videos=1)
    assert not (body / "SYNTHETIC.txt").exists()


@pytest.mark.slow
def test_videos_of_a_foreign_body_are_filmed(body, monkeypatch):
    monkeypatch.setattr("synthetic.surreal.FRAMES", 2)
    for name in ("SMPL_MALE.npz", "SMPL_FEMALE.npz"):
        shutil.copy(body / MODEL, body / name)
    photograph(body, num_videos=2, num_test_videos=1)
    assert len(list((body / "surreal").rglob("*.mp4"))) == 3


def test_a_mesh_of_another_body_is_named(body):
    mesh = straight_body()[0]
    write_obj(body / "reference_mesh.obj", ObjMesh(mesh.vertices, mesh.faces[::-1]))
    with pytest.raises(UserError, match="reference_mesh.obj has other triangles"):
        photograph(body)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v, j, w: (*lower_arms(v, j, w), w), "arm is 40 degrees from horizontal at rest, expected a T pose"),
        (lambda v, j, w: (v[:, [0, 2, 1]] * (1, -1, 1), j[:, [0, 2, 1]] * (1, -1, 1), w), r"stands along \+z"),
        (lambda v, j, w: (v * (-1, 1, -1), j * (-1, 1, -1), w), r"its left at -x and faces -z"),
        (lambda v, j, w: (v * (1, 1, -1), j * (1, 1, -1), w), r"its left at \+x and faces -z"),
        (lambda v, j, w: (v, j, 0.5 * w), r"weights of \d+ vertices, the first 0, are negative or sum to 0.5"),
    ],
)
def test_models_in_other_poses_axes_and_with_loose_weights_are_refused(tmp_path, change, message):
    mesh, joints, weights = straight_body()
    vertices, joints, weights = change(mesh.vertices, joints, weights)
    write_model(tmp_path, vertices, mesh.faces, joints, weights)
    with pytest.raises(UserError, match=message):
        complete_body(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [MODEL]


def test_a_vertex_without_weights_is_named_by_its_file(tmp_path):
    mesh, joints, weights = straight_body()
    weights[7] = np.nan
    write_model(tmp_path, mesh.vertices, mesh.faces, joints, weights)
    with pytest.raises(UserError, match="weights has numbers that are not finite"):
        complete_body(tmp_path)


def test_files_that_are_there_are_kept(body):
    (body / "J_regressor_extra.npy").write_bytes(b"mine")
    (body / "segm_per_v_overlap.pkl").unlink()
    assert [path.name for path in complete_body(body)] == ["segm_per_v_overlap.pkl"]
    assert (body / "J_regressor_extra.npy").read_bytes() == b"mine"
    parts = pickle.loads((body / "segm_per_v_overlap.pkl").read_bytes())
    owner = load_body_model(body / MODEL).weights.argmax(axis=1)
    assert set(np.flatnonzero(owner == SMPL_JOINTS.index("left_wrist"))) <= set(parts["leftHand"])


def test_known_landmarks_overrule_those_of_the_heads_shape(body, tmp_path):
    model = load_body_model(body / MODEL)
    head = np.flatnonzero(model.v_template[:, 1] > 0.65)
    (tmp_path / "places.json").write_text(json.dumps({"nose": int(head[3]), "left_ear": [0.05, 0.65, 0.0]}))
    known = read_places(tmp_path / "places.json", model.v_template)
    (body / "J_regressor_extra.npy").unlink()
    complete_body(body, known)
    named = dict(zip(EXTRA_JOINTS, np.load(body / "J_regressor_extra.npy") @ model.v_template, strict=True))
    np.testing.assert_allclose(named["nose"], model.v_template[head[3]], atol=1e-4)
    np.testing.assert_allclose(named["left_ear"], [0.05, 0.65, 0.0], atol=1e-6)


@pytest.mark.parametrize(
    "content", ['{"beard": 3}', "[1]", "{", '{"nose": 99999999}', '{"nose": [1, 2]}', '{"nose": "x"}']
)
def test_landmarks_that_are_none_are_refused_in_one_line(tmp_path, content):
    (tmp_path / "places.json").write_text(content)
    with pytest.raises(UserError, match="places.json"):
        read_places(tmp_path / "places.json", np.zeros((10, 3)))


def test_rows_are_means_of_the_skin_that_meet_their_place(complete):
    vertices = load_body_model(complete / MODEL).v_template
    for place in (*straight_body()[1], vertices[100], np.array([0, 0.62, 0.5])):  # the last lies before the face
        weights = row(vertices, place)
        assert weights.min() >= 0 and abs(weights.sum() - 1) < 1e-9
        gap = np.linalg.norm(weights @ vertices - place)
        assert gap < 1e-4 or gap < np.linalg.norm(vertices - place, axis=1).min() + 1e-6


def test_regressors_from_rules_are_near_those_of_a_body_whose_joints_are_known(data_root):
    model = load_body_model(config.SMPL_FILE)
    vertices, joints = model.v_template, model.joint_regressor @ model.v_template
    own = np.load(config.JOINT_REGRESSOR_TRAIN_EXTRA) @ vertices
    found = extra_regressor(vertices, find_places(vertices, model.weights, joints)) @ vertices
    distance = 1000 * np.linalg.norm(found - own, axis=1)
    face = indices(("nose", "right_eye", "left_eye"), EXTRA_JOINTS)
    assert (distance[face] > 0).all() and distance[face].max() < 12  # as docs/own_body.md says
    by_weights = 1000 * np.linalg.norm(joint_places(vertices, model.faces, model.weights) - joints, axis=1)
    assert by_weights.mean() < 40 and by_weights.max() < 115
    np.testing.assert_allclose(joint_regressor(vertices, joints) @ vertices, joints, atol=1e-9)


def test_rigid_weights_do_not_say_where_joints_are():
    mesh, _, weights = straight_body()
    with pytest.raises(UserError, match="No vertex moves both with left_hip and pelvis"):
        joint_places(mesh.vertices, mesh.faces, np.eye(24)[weights.argmax(axis=1)])


def test_hanging_arms_are_straightened_and_nothing_else_moves():
    mesh, joints, weights = straight_body()
    vertices, lowered = lower_arms(mesh.vertices, joints, weights)
    assert arm_slopes(lowered).min() > 39
    straight, found = t_pose(vertices, lowered, weights)
    np.testing.assert_allclose(found, joints, atol=1e-12)
    arms = weights[:, [16, 17, 18, 19, 20, 21, 22, 23]].sum(axis=1)
    np.testing.assert_allclose(straight[arms > 0.999], mesh.vertices[arms > 0.999], atol=1e-6)
    np.testing.assert_allclose(straight[arms == 0], vertices[arms == 0], atol=1e-12)
