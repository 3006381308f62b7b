"""The generated body model: a closed, symmetric, human-sized SMPL stand-in that bends without collapsing."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from atlas.unwrap.report import round_trip_error
from synthetic.body.makehuman import MakeHuman
from synthetic.body.phenotypes import Adult, shape_adults
from synthetic.body.picture import HEIGHT, PIXELS, body_picture
from synthetic.body.skin import close_half
from synthetic.body.write_body import write_body
from tests.helpers.solids import crossing_pairs, volume, winding_number
from utils import config
from utils.array_files.pickles import load_pickle
from utils.body_model import load_body_model, pose_vertices
from utils.errors import UserError
from utils.joints import SMPL_FLIP, SMPL_JOINTS, TRAINING_FLIP, TRAINING_ROWS
from utils.objfile import read_obj
from utils.own_body.skeleton import PART_NAMES

MIRROR = np.array([-1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def root(generated_root):
    return generated_root


@pytest.fixture(scope="module")
def bodies(root):
    names = {"neutral": config.SMPL_FILE, "male": config.MALE_SMPL_FILE, "female": config.FEMALE_SMPL_FILE}
    return {gender: load_body_model(root / path.name) for gender, path in names.items()}


@pytest.fixture(scope="module")
def neutral(bodies):
    return bodies["neutral"]


@pytest.fixture(scope="module")
def twin(neutral):
    """[V]: the vertex at the mirrored place, found by comparing coordinates bit by bit."""
    place = {tuple(vertex): index for index, vertex in enumerate((neutral.v_template + 0.0).tolist())}
    return np.array([place[tuple(vertex)] for vertex in (neutral.v_template * MIRROR + 0.0).tolist()])


def pose_of(**angles):
    """[72] axis-angle; degrees per joint name."""
    pose = np.zeros((24, 3))
    for name, angle in angles.items():
        pose[SMPL_JOINTS.index(name)] = np.radians(angle)
    return pose.ravel()


def test_the_skin_is_closed_manifold_and_without_holes(neutral):
    vertices, faces = neutral.v_template, neutral.faces
    assert 6900 < len(vertices) < 7100
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    assert len(np.unique(directed, axis=0)) == len(directed)
    assert {tuple(edge) for edge in directed.tolist()} == {tuple(edge) for edge in directed[:, ::-1].tolist()}
    assert len(vertices) - len(directed) // 2 + len(faces) == 2
    assert 0.05 < volume(vertices, faces) < 0.08  # 50 to 80 litres, and faces outwards


def test_triangles_are_no_slivers(neutral):
    corners = neutral.v_template[neutral.faces]
    edges = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    quality = 4 * np.sqrt(3) * area / (edges**2).sum(axis=1)  # 1 for an equilateral triangle
    assert quality.min() > 0.1 and quality.mean() > 0.75
    assert edges.max() < 0.07


def test_template_is_its_own_mirror_image_bit_by_bit(neutral, twin):
    faces = {tuple(np.roll(face, -face.argmin())) for face in neutral.faces}
    mirrored = {tuple(np.roll(face, -face.argmin())) for face in twin[neutral.faces][:, ::-1]}
    assert faces == mirrored
    midline = np.flatnonzero(twin == np.arange(len(twin)))
    edges = neutral.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    rim = np.unique(np.sort(edges[np.isin(edges, midline).all(axis=1)], axis=1), axis=0)
    assert len(rim) == len(midline) > 100  # a closed loop has as many edges as vertices
    assert (np.bincount(rim.ravel())[midline] == 2).all()


def test_weights_and_shape_directions_are_mirror_symmetric(neutral, twin):
    np.testing.assert_allclose(neutral.weights[twin][:, SMPL_FLIP], neutral.weights, atol=1e-12)
    np.testing.assert_allclose(neutral.shapedirs[twin] * MIRROR[:, None], neutral.shapedirs, atol=1e-12)


def test_a_mirrored_pose_gives_the_mirrored_body(neutral, twin):
    pose = np.random.default_rng(0).normal(0, 0.4, (24, 3))
    mirrored = pose[SMPL_FLIP] * (1, -1, -1)
    vertices = pose_vertices(neutral, pose.ravel(), np.ones(10))
    np.testing.assert_allclose(
        pose_vertices(neutral, mirrored.ravel(), np.ones(10)), vertices[twin] * MIRROR, atol=1e-9
    )


@pytest.mark.parametrize("gender", ["neutral", "male", "female"])
def test_no_triangles_cut_each_other_at_rest_but_toes_that_do_so_in_the_source(bodies, gender):
    body = bodies[gender]
    toes = np.isin(body.weights.argmax(axis=1), [SMPL_JOINTS.index(f"{side}_foot") for side in ("left", "right")])
    firm = body.faces[~toes[body.faces].all(axis=1)]
    assert crossing_pairs(body.v_template, firm) == 0
    data = MakeHuman()
    person = Adult(male={"neutral": 0.5, "male": 1.0, "female": 0.0}[gender])
    source = shape_adults(data, [person], np.arange(len(data.mesh.vertices)))[0]
    if crossing_pairs(source, close_half(data.mesh, source)) == 0:
        assert crossing_pairs(body.v_template, body.faces) == 0


def test_the_crossing_check_sees_one_leg_swung_into_the_other(neutral):
    crossed = pose_vertices(neutral, pose_of(left_hip=(0, 0, -25)), np.zeros(10))
    assert crossing_pairs(crossed, neutral.faces) > 20


def test_weights_sum_to_one_and_do_not_leak_between_limbs(neutral):
    weights, place = neutral.weights, neutral.v_template
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-12)
    assert weights.min() >= 0 and (weights > 0).sum(axis=1).max() <= 4
    legs = {
        side: [SMPL_JOINTS.index(f"{side}_{name}") for name in ("knee", "ankle", "foot")] for side in ("left", "right")
    }
    arms = [index for index, name in enumerate(SMPL_JOINTS) if name.endswith(("elbow", "wrist", "hand"))]
    below_groin = place[:, 1] < -0.45
    assert weights[below_groin & (place[:, 0] > 0)][:, legs["right"]].max() == 0
    assert weights[place[:, 1] < 0][:, arms].max() == 0
    assert weights[np.abs(place[:, 0]) > 0.5][:, legs["left"] + legs["right"]].max() == 0


@pytest.mark.parametrize(
    ("joint", "pose"),
    [
        ("left_elbow", pose_of(left_elbow=(0, -90, 0))),
        ("right_elbow", pose_of(right_elbow=(0, 90, 0))),
        ("left_elbow", pose_of(left_elbow=(90, 0, 0))),
        ("left_knee", pose_of(left_knee=(90, 0, 0))),
        ("left_hip", pose_of(left_hip=(-90, 0, 0))),
        ("left_shoulder", pose_of(left_shoulder=(0, 0, -80))),
        ("left_shoulder", pose_of(left_shoulder=(0, -80, 0))),
        ("left_wrist", pose_of(left_wrist=(0, 0, -70))),
    ],
)
def test_a_joint_bent_far_keeps_its_volume_thanks_to_the_correctives(neutral, joint, pose):
    index = SMPL_JOINTS.index(joint)
    centre = neutral.joint_regressor[index] @ neutral.v_template
    radius = {"hip": 0.16, "shoulder": 0.11, "knee": 0.10, "elbow": 0.08, "wrist": 0.06}[joint.split("_")[1]]
    near = neutral.faces[np.linalg.norm(neutral.v_template[neutral.faces].mean(axis=1) - centre, axis=1) < radius]

    def around_joint(model):  # the joint itself stays: its parents are not turned
        return volume(pose_vertices(model, pose, np.zeros(10)), near, centre)

    rest = volume(neutral.v_template, near, centre)
    bent, uncorrected = around_joint(neutral), around_joint(replace(neutral, posedirs=0 * neutral.posedirs))
    assert uncorrected < bent
    assert 0.88 < bent / rest < 1.08


def test_a_seated_body_keeps_its_volume_and_folds_no_triangle_over(neutral):
    pose = pose_of(left_hip=(-90, 0, 0), right_hip=(-90, 0, 0), left_knee=(90, 0, 0), right_knee=(90, 0, 0),
                   left_elbow=(0, -90, 0), right_elbow=(0, 90, 0))  # fmt: skip
    vertices = pose_vertices(neutral, pose, np.zeros(10))
    assert volume(vertices, neutral.faces) == pytest.approx(volume(neutral.v_template, neutral.faces), rel=0.03)
    corners = vertices[neutral.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    edges = np.concatenate([neutral.faces[:, [0, 1]], neutral.faces[:, [1, 2]], neutral.faces[:, [2, 0]]])
    order = np.lexsort(np.sort(edges, axis=1).T).reshape(-1, 2) % len(neutral.faces)
    bends = (normals[order[:, 0]] * normals[order[:, 1]]).sum(axis=1)
    assert (bends < -0.5).mean() < 3e-3  # creases of groin, knees and elbows


def test_left_is_plus_x_for_joints_and_parts(root, neutral):
    joints = neutral.joint_regressor @ neutral.v_template
    parts = load_pickle(root / config.SEGMENTATION_FILE.name)
    assert list(parts) == list(PART_NAMES)
    for side, sign in (("left", 1), ("right", -1)):
        for name, place in zip(SMPL_JOINTS, joints, strict=True):
            assert side not in name or sign * place[0] > 0.02
        for name in PART_NAMES:
            if name.startswith(side):
                assert (sign * neutral.v_template[parts[name], 0]).min() > -0.05
    assert set(np.concatenate([parts[name] for name in PART_NAMES]).tolist()) == set(range(len(neutral.v_template)))


@pytest.mark.parametrize("gender", ["neutral", "male", "female"])
def test_every_regressed_joint_lies_inside_the_body(root, bodies, gender):
    body = bodies[gender]
    extra = np.load(root / config.JOINT_REGRESSOR_TRAIN_EXTRA.name)
    lsp = np.load(root / config.LSP_REGRESSOR_EVAL.name).T
    h36m = np.load(root / config.JOINT_REGRESSOR_H36M.name)
    rows = np.concatenate([body.joint_regressor, extra, lsp, h36m])
    assert rows.shape == (24 + 14 + 14 + 17, len(body.v_template)) and rows.min() >= 0
    np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(winding_number(rows @ body.v_template, body.v_template, body.faces), 1, atol=1e-6)


def test_training_joints_are_where_their_names_say(root, neutral):
    stacked = np.concatenate([neutral.joint_regressor, np.load(root / config.JOINT_REGRESSOR_TRAIN_EXTRA.name)])
    joints = (stacked @ neutral.v_template)[TRAINING_ROWS]
    np.testing.assert_allclose(joints[TRAINING_FLIP], joints * MIRROR, atol=1e-9)
    assert (joints[[0, 1, 2, 6, 7, 8, 21, 23], 0] < -0.02).all()  # right ankle ... shoulder, eye, ear
    heights = joints[:, 1]
    # ankle < knee < hip < pelvis < spine < thorax < neck < jaw < nose < eye < head top
    assert (np.diff(heights[[0, 1, 2, 14, 16, 15, 12, 17, 19, 20, 13]]) > 0).all()
    assert joints[19, 2] == joints[:, 2].max()  # nothing is further in front than the nose
    lsp = np.load(root / config.LSP_REGRESSOR_EVAL.name).T @ neutral.v_template
    np.testing.assert_allclose(lsp, joints[:14], atol=1e-3)


def test_the_three_bodies_share_topology_and_differ_as_people_do(bodies):
    def height(body):
        return np.ptp(body.v_template[:, 1])

    def breadth(body, name):
        joints = body.joint_regressor @ body.v_template
        return 2 * joints[SMPL_JOINTS.index(name), 0] / height(body)

    neutral, male, female = bodies["neutral"], bodies["male"], bodies["female"]
    assert (male.faces == neutral.faces).all() and (female.faces == neutral.faces).all()
    assert 1.65 < height(neutral) < 1.75
    assert height(male) - 0.04 > height(neutral) > height(female) + 0.04
    assert breadth(male, "left_shoulder") > breadth(neutral, "left_shoulder") > breadth(female, "left_shoulder")

    # the flesh of the hips beside that of the chest
    def seat_to_chest(body):
        own = {
            name: np.abs(body.v_template[body.weights.argmax(axis=1) == SMPL_JOINTS.index(name), 0]).max()
            for name in ("pelvis", "spine3")
        }
        return own["pelvis"] / own["spine3"]

    assert seat_to_chest(female) > seat_to_chest(neutral) > seat_to_chest(male)


@pytest.mark.parametrize("gender", ["neutral", "male", "female"])
def test_people_are_as_tall_as_adults_are_and_taller_people_come_first(bodies, gender):
    body, rng = bodies[gender], np.random.default_rng(0)
    drawn = np.clip(rng.normal(size=(200, 10)), -2, 2)  # as the generator draws them
    alone = np.concatenate([2 * np.eye(10), -2 * np.eye(10)])
    for betas in (drawn, alone):
        heights = np.ptp(body.v_template[:, 1] + betas @ body.shapedirs[:, 1].T, axis=1)
        assert heights.min() > 1.5 and heights.max() < 2.0
    assert np.ptp(heights) > 0.25
    assert heights.argmax() == 0 and heights.argmin() == 10  # the first direction is mostly stature


@pytest.mark.parametrize("gender", ["neutral", "male", "female"])
def test_shape_directions_are_ordered_independent_and_of_a_person_s_size(bodies, gender):
    directions = bodies[gender].shapedirs.reshape(-1, 10)
    sizes = np.linalg.norm(directions, axis=0)
    assert (np.diff(sizes) < 0).all()
    cosines = directions.T @ directions / np.outer(sizes, sizes)
    np.testing.assert_allclose(cosines, np.eye(10), atol=1e-6)  # principal components
    moved = np.linalg.norm(bodies[gender].shapedirs, axis=1).max(axis=0)
    assert (moved > 0.001).all() and (moved < 0.08).all()  # metres for one standard deviation


@pytest.mark.parametrize(("resolution", "bar"), [(128, 2.0), (64, 4.5)])
def test_the_atlas_brings_the_mesh_back(root, resolution, bar):
    atlas = read_obj(config.atlas_template("BF", root))
    assert round_trip_error(atlas, resolution).mean() < bar  # millimetres


def test_the_picture_shows_all_three_bodies_and_the_man_as_the_tallest(bodies):
    picture = body_picture(bodies)
    drawn = (picture != 255).any(axis=2)
    upper = drawn[: round(HEIGHT * PIXELS)]
    columns = np.flatnonzero(np.diff(np.concatenate([[0], upper.any(axis=0), [0]])))  # begins and ends of figures
    heights = [np.flatnonzero(upper[:, start:end].any(axis=1)) for start, end in columns.reshape(-1, 2)]
    metres = [(rows[-1] - rows[0] + 1) / PIXELS for rows in heights]
    expected = [
        np.ptp(bodies[gender].v_template[:, 1]) for gender in ("neutral", "neutral", "neutral", "male", "female")
    ]
    np.testing.assert_allclose(metres, expected, atol=0.02)
    assert drawn[len(upper) :].mean() > 0.15


def test_files_have_the_formats_of_the_originals(root, neutral):
    content = load_pickle(root / config.SMPL_FILE.name)
    assert content["f"].dtype == np.uint32 and content["kintree_table"].dtype == np.uint32
    assert content["kintree_table"][0, 0] == 2**32 - 1 and content["kintree_table"].shape == (2, 24)
    assert content["J_regressor"].format == "csc" and content["J_regressor"].nnz < 24 * 700
    assert np.load(root / config.LSP_REGRESSOR_EVAL.name).dtype == np.float32
    texture = np.load(root / config.VERTEX_TEXTURE_FILE.name)
    assert texture.shape == (1, len(neutral.faces), 2, 2, 2, 3) and texture.dtype == np.float32
    reference = read_obj(root / config.REFERENCE_MESH.name)
    np.testing.assert_allclose(reference.vertices, neutral.v_template, atol=1e-8)
    assert (reference.faces == neutral.faces).all()


@pytest.mark.parametrize("name", [config.MALE_SMPL_FILE.name, "basicModel_neutral_lbs_10_207_0_v1.0.0.pkl"])
def test_a_real_body_model_is_never_overwritten(tmp_path, name):
    real = tmp_path / name
    real.write_bytes(pickle.dumps({"v_template": np.zeros((9, 3))}, protocol=2))
    before = real.read_bytes()
    with pytest.raises(UserError, match="never overwritten"):
        write_body(tmp_path)
    assert real.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_regressors_of_a_real_body_model_are_never_overwritten(tmp_path):
    np.save(tmp_path / config.JOINT_REGRESSOR_TRAIN_EXTRA.name, np.zeros((14, 9)))
    with pytest.raises(UserError, match="J_regressor_extra.npy"):
        write_body(tmp_path)
