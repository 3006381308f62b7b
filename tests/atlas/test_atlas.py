"""Claims about the atlas tables and Index_UV_Generator, against slow float64 loops and other libraries."""

import pickle

import mindspore as ms
import numpy as np
import pytest
import scipy.ndimage
import scipy.spatial

from atlas import tables as atlas_tools
from atlas.part_weights import PART_WEIGHTS, build_part_weights, load_or_build_part_weights, load_parts
from atlas.reference_map import load_or_build_reference_map
from models.uv_generator import Index_UV_Generator, cal_uv_weight
from utils import config
from utils.errors import UserError
from utils.objfile import ObjMesh, write_obj

RESOLUTION = 24


def random_template(seed=0, count=60) -> ObjMesh:
    """A random triangulation of points in the atlas, torn along u = 0.5 so that seam vertices have two texcoords."""
    rng = np.random.default_rng(seed)
    points = 0.05 + 0.9 * rng.random((count, 2))
    faces = scipy.spatial.Delaunay(points).simplices.astype(np.int64)
    vertices = np.column_stack([points - 0.5, 0.1 * np.sin(7 * points[:, 0])])
    right = points[faces][..., 0].mean(axis=1) > 0.5
    seam = np.intersect1d(faces[right], faces[~right])
    copies = {vertex: count + i for i, vertex in enumerate(seam)}
    face_texcoords = faces.copy()
    face_texcoords[right] = np.vectorize(lambda v: copies.get(v, v))(faces[right])
    texcoords = np.concatenate([points, points[seam]])
    texcoords[np.unique(face_texcoords[right]), 0] += 0.04  # the two islands drift apart
    return ObjMesh(vertices, faces, texcoords, face_texcoords)


@pytest.fixture(scope="module")
def template():
    return random_template()


@pytest.fixture(scope="module")
def tables(template):
    return atlas_tools.build_atlas(template, RESOLUTION, RESOLUTION)


@pytest.fixture(scope="module")
def data_dir(template, tmp_path_factory):
    """A data root with both templates, a reference mesh and a part segmentation."""
    root = tmp_path_factory.mktemp("data")
    for uv_type in config.ATLAS_TEMPLATES:
        write_obj(config.atlas_template(uv_type, root), template)
    write_obj(root / "reference_mesh.obj", ObjMesh(template.vertices, template.faces))
    vertex_of_part = np.array_split(np.arange(len(template.vertices)), len(PART_WEIGHTS))
    parts = {name: ids.tolist() for name, ids in zip(PART_WEIGHTS, vertex_of_part, strict=True)}
    (root / "segm_per_v_overlap.pkl").write_bytes(pickle.dumps(parts, protocol=2))
    return root


@pytest.fixture(scope="module")
def sampler(data_dir):
    ms.set_device("CPU")
    return Index_UV_Generator(RESOLUTION, data_dir=data_dir)


def test_pixels_agree_with_a_point_in_triangle_loop(template, tables):
    corners = template.texcoords.astype(np.float32).astype(np.float64)[template.face_texcoords] * (RESOLUTION - 1)
    covered = 0
    for row in range(RESOLUTION):
        for column in range(RESOLUTION):
            for face, triangle in zip(template.faces, corners, strict=True):
                weights = np.linalg.solve(np.vstack([triangle.T, np.ones(3)]), [column, row, 1])
                if (weights > 1e-10).all():
                    covered += 1
                    assert tables.mask[row, column]
                    assert set(tables.v_index[row, column]) == set(face)
                    expected = dict(zip(face, weights, strict=True))
                    found = dict(zip(tables.v_index[row, column], tables.bary_weights[row, column], strict=True))
                    assert all(abs(found[v] - expected[v]) < 1e-6 for v in face)
                    break
    assert 0.4 < covered / RESOLUTION**2 < 0.95


def test_empty_pixels_go_to_the_strongest_claim_of_a_texcoord(template, tables):
    claims = {}
    for (u, v), vertex in zip(tables.texcoords.astype(np.float64), tables.vt2v, strict=True):
        x, y = u * (RESOLUTION - 1), v * (RESOLUTION - 1)
        for column in {int(np.floor(x)), int(np.ceil(x))}:
            for row in {int(np.floor(y)), int(np.ceil(y))}:
                claims.setdefault((row, column), []).append(((1 - abs(x - column)) * (1 - abs(y - row)), vertex))
    claimed = 0
    for (row, column), candidates in claims.items():
        assert tables.mask[row, column]
        if tables.bary_weights[row, column, 1] == 0:
            claimed += 1
            assert tables.v_index[row, column, 0] == max(candidates)[1]
            assert tables.bary_weights[row, column].tolist() == [1, 0, 0]
    untouched = ~tables.mask
    assert claimed > 10 and untouched.any()
    assert not tables.v_index[untouched].any() and not tables.bary_weights[untouched].any()


def test_resample_agrees_with_scipy_interpolation(tables, sampler):
    uv_map = np.random.default_rng(1).normal(size=(2, RESOLUTION, RESOLUTION, 3)).astype(np.float32)
    vertices = sampler.resample(ms.Tensor(uv_map)).asnumpy()
    rows_columns = tables.texcoords[:, ::-1].T.astype(np.float64) * (RESOLUTION - 1)
    for item in range(2):
        for channel in range(3):
            samples = scipy.ndimage.map_coordinates(uv_map[item, ..., channel], rows_columns, order=1)
            total = np.bincount(tables.vt2v, samples, minlength=len(vertices[item]))
            np.testing.assert_allclose(vertices[item, :, channel], total / tables.vt_count, atol=1e-5)
    assert (tables.vt_count == 2).sum() > 3  # seam vertices really are averaged


def test_resample_used_texcoords_in_0_1_as_if_they_were_in_minus_1_1(tables, sampler):
    """The 2022 defect: a map that holds its own (u, v) must give every vertex its own texcoord back."""
    axis = np.linspace(0, 1, RESOLUTION, dtype=np.float32)
    uv_map = np.stack(np.meshgrid(axis, axis), axis=-1)[None]
    vertices = sampler.resample(ms.Tensor(uv_map)).asnumpy()[0]
    mean_texcoord = [np.bincount(tables.vt2v, tables.texcoords[:, k]) / tables.vt_count for k in range(2)]
    np.testing.assert_allclose(vertices, np.stack(mean_texcoord, axis=-1), atol=1e-6)


def test_resample_never_touches_an_empty_pixel(tables, sampler):
    ones = np.where(tables.mask, 1, np.nan).astype(np.float32)[None, ..., None]
    np.testing.assert_allclose(sampler.resample(ms.Tensor(ones)).asnumpy(), 1, atol=1e-6)


def test_map_and_back_returns_an_affine_body_except_at_the_seam(template, tables, sampler):
    """Bilinear look-ups are exact wherever the surface is affine in (u, v) and no claimed pixel is involved."""
    affine = np.column_stack([template.vertices[:, :2] @ [[1, 2, 3], [4, 5, 6]], np.ones(len(template.vertices))])
    again = sampler.resample(sampler.get_UV_map(ms.Tensor(affine[None].astype(np.float32)))).asnumpy()[0]
    claimed = atlas_tools.get_uv_map(tables, np.ones((len(affine), 1)))[..., 0]
    assert claimed[tables.mask].min() > 1 - 1e-6  # weights of every pixel in use sum to one
    pixels, _ = atlas_tools.bilinear_neighbours(tables.texcoords, RESOLUTION, RESOLUTION)
    inner_texcoords = (tables.bary_weights.reshape(-1, 3)[pixels][..., 1] > 0).all(axis=1)
    inner = np.bincount(tables.vt2v, ~inner_texcoords, minlength=len(affine)) == 0
    assert inner.sum() > 10
    np.testing.assert_allclose(again[inner], affine[inner], atol=1e-5)


@pytest.mark.parametrize("way", ["to_map", "to_vertices"])
def test_the_gradient_is_the_transposed_map(sampler, way):
    linear = getattr(sampler, way)
    rng = np.random.default_rng(2)
    rows, columns = len(sampler.atlas.vt_count), RESOLUTION**2
    sizes = (rows, columns) if way == "to_map" else (columns, rows)
    x, y = (ms.Tensor(rng.normal(size=(2, n, 3)).astype(np.float32)) for n in sizes)

    def product(x):
        return (linear(x) * y).sum()

    gradient = ms.grad(product)(x).asnumpy()
    matrix = atlas_tools.map_matrix(sampler.atlas) if way == "to_map" else atlas_tools.sample_matrix(sampler.atlas)
    expected = np.stack([matrix.T @ item for item in y.asnumpy().astype(np.float64)])
    np.testing.assert_allclose(gradient, expected, atol=1e-4)
    np.testing.assert_allclose((gradient * x.asnumpy()).sum(), float(product(x)), rtol=1e-3)


def test_graph_mode_equals_pynative_mode(sampler):
    vertices = ms.Tensor(np.random.default_rng(3).normal(size=(2, 60, 3)).astype(np.float32))

    class RoundTrip(ms.nn.Cell):
        def __init__(self, generator):
            super().__init__()
            self.generator = generator

        def construct(self, x):
            return self.generator.resample(self.generator.get_UV_map(x))

    mode = ms.get_context("mode")
    try:
        results = []
        for chosen in (ms.PYNATIVE_MODE, ms.GRAPH_MODE):
            ms.set_context(mode=chosen)
            results.append(RoundTrip(sampler)(vertices).asnumpy())
    finally:
        ms.set_context(mode=mode)
    np.testing.assert_allclose(results[0], results[1], atol=1e-6)


def test_the_generator_holds_no_parameters(sampler):
    assert not list(sampler.get_parameters())


def test_a_map_may_be_wider_than_high(template):
    tables = atlas_tools.build_atlas(template, 20, 36)
    assert tables.resolution == (20, 36)
    ones = np.where(tables.mask, 1, np.nan)[..., None]
    np.testing.assert_allclose(atlas_tools.resample(tables, ones), 1)


def test_cal_uv_weight_and_ref_map_generation_crashed_when_used(template, tables, data_dir, sampler, tmp_path):
    """The 2022 defect: both must run, and give the weights and positions that the formulas say."""
    weights = cal_uv_weight(sampler, tmp_path / "weights.npy")
    assert weights.shape == (RESOLUTION, RESOLUTION) and abs(weights.mean() - 1) < 1e-5
    assert (np.load(tmp_path / "weights.npy") == weights).all()
    assert (weights == load_or_build_part_weights("BF", RESOLUTION, RESOLUTION, data_dir)).all()
    parts = np.array_split(np.arange(len(template.vertices)), len(PART_WEIGHTS))
    of_vertex = np.concatenate([[w] * len(ids) for w, ids in zip(PART_WEIGHTS.values(), parts, strict=True)])
    corner_weights = np.where(tables.bary_weights > 0, of_vertex[tables.v_index], 0).max(axis=-1)
    np.testing.assert_allclose(weights, corner_weights / corner_weights.mean(), rtol=1e-5)

    reference = load_or_build_reference_map("BF", RESOLUTION, data_dir)
    assert reference.shape == (1, RESOLUTION, RESOLUTION, 3) and reference.dtype == np.float32
    blended = (template.vertices[tables.v_index] * tables.bary_weights[..., None]).sum(axis=2)
    np.testing.assert_allclose(reference[0], blended, atol=1e-6)


def test_present_tables_are_used_as_they_are(tables, tmp_path):
    turned = tables.bary_weights[..., [1, 2, 0]]
    atlas = load_changed(tables, tmp_path, bary_weights=turned)
    for name in ("v_index", "texcoords", "vt2v", "vt_count", "mask"):
        np.testing.assert_array_equal(getattr(atlas, name), getattr(tables, name))
    np.testing.assert_array_equal(atlas.bary_weights, turned)


def load_changed(tables, root, **changes):
    """The atlas of a file that holds `tables` with other arrays; None takes an array out."""
    arrays = {key: getattr(tables, key) for key in tables.__dataclass_fields__} | changes
    path = config.atlas_tables("BF", RESOLUTION, RESOLUTION, root)
    path.parent.mkdir(exist_ok=True)
    np.savez(path, **{key: array for key, array in arrays.items() if array is not None})
    return atlas_tools.load_or_build_atlas("BF", RESOLUTION, RESOLUTION, root)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mask", None),
        ("bary_weights", np.zeros((3, 3))),
        ("bary_weights", np.full((RESOLUTION, RESOLUTION, 3), np.nan)),
        ("vt2v", None),
        ("vt_count", np.zeros(60)),
    ],
)
def test_tables_that_do_not_fit_are_refused_by_name(tables, tmp_path, name, value):
    with pytest.raises(UserError, match=name):
        load_changed(tables, tmp_path, **{name: value})


def test_vertices_without_a_pixel_are_sampled_without_the_mask_and_counted_in_one_line(tables, tmp_path, capsys):
    """The release samples what lies around a texcoord, whether or not the mask has it; no vertex becomes NaN."""
    pixels, _ = atlas_tools.bilinear_neighbours(tables.texcoords, RESOLUTION, RESOLUTION)
    mask = tables.mask.copy()
    for vertex in (7, 30):
        mask.ravel()[pixels[tables.vt2v == vertex].ravel()] = False
    assert capsys.readouterr().err == ""
    for _ in range(2):
        atlas = load_changed(tables, tmp_path, mask=mask)
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "warning: " in said
    assert f"BF.npz: no pixel belongs to {len(atlas_tools.bare_vertices(atlas))} of 60 vertices" in said
    assert {7, 30} <= set(atlas_tools.bare_vertices(atlas))
    rng = np.random.default_rng(0)
    uv_map = rng.normal(size=(RESOLUTION, RESOLUTION, 3))
    np.testing.assert_array_equal(atlas_tools.resample(atlas, uv_map), atlas_tools.resample(tables, uv_map))
    assert not atlas_tools.bare_vertices(tables).size


def test_missing_template_and_unknown_atlas_are_user_errors(tmp_path):
    with pytest.raises(UserError, match="smpl_boundry_free_template.obj does not exist"):
        atlas_tools.load_or_build_atlas("BF", RESOLUTION, RESOLUTION, tmp_path)
    with pytest.raises(UserError, match="known: BF, SMPL"):
        atlas_tools.load_or_build_atlas("UV", RESOLUTION, RESOLUTION, tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda parts: parts.pop("head"), "has no head"),
        (lambda parts: parts.update(neck=[10**6]), "Part neck names vertex 1000000"),
        (lambda parts: parts.update(dict.fromkeys(parts, [])), "reaches no pixel"),
    ],
)
def test_a_segmentation_that_does_not_fit_is_refused(tables, data_dir, change, message):
    parts = load_parts(data_dir)
    change(parts)
    with pytest.raises(UserError, match=message):
        build_part_weights(tables, parts)


def test_maps_that_do_not_fit_are_refused_by_name(data_dir, tmp_path):
    path = config.reference_map("BF", RESOLUTION, tmp_path)
    np.save(path, np.zeros((1, 3, 3, 3)))
    with pytest.raises(UserError, match=r"BF_ref_map_.*has shape \(1, 3, 3, 3\), expected .*Delete the file"):
        load_or_build_reference_map("BF", RESOLUTION, tmp_path)
    path.write_bytes(b"no array")
    with pytest.raises(UserError, match="BF_ref_map_.*Delete the file"):
        load_or_build_reference_map("BF", RESOLUTION, tmp_path)
