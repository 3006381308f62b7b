"""Silhouettes and parts of LSP are compared in the coordinates of the original image."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from atlas.part_weights import load_parts
from datasets.base_dataset import BaseDataset
from evaluation import lsp_masks
from evaluation.contact_sheet import TITLES, draw_contact_sheet
from evaluation.errors import ErrorMeter
from evaluation.measure import Evaluation, evaluate
from evaluation.protocols import PROTOCOLS
from evaluation.report import write_report
from tests.helpers import tiny_benchmarks, tiny_decomr
from tests.helpers.tiny_benchmarks import CENTRE, COUNT, HEIGHT, SIDE, WIDTH, Oracle, make_options
from tests.reference.rasteriser import z_buffer
from utils import config
from utils.body_model import load_body_model
from utils.device import Device
from utils.errors import UserError

SCALE, SHIFT = 0.8, (0.15, -0.1)
UNMARKED = 4  # an image without annotation


class CropCamera:
    """The weak-perspective camera of the crop, as pixels of the image it was cut from, by the plain formula."""

    def project(self, points: np.ndarray, height: int, width: int) -> np.ndarray:
        in_crop = SCALE * (points[:, :2] + SHIFT)  # [-1, 1] across the crop
        return np.array(CENTRE) + in_crop * SIDE / 2


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    with tiny_decomr.data_root(tmp_path_factory.mktemp("data")) as root:
        tiny_benchmarks.write_root(root)
        write_annotations(root)
        yield root


@pytest.fixture(scope="module")
def meshes(root) -> np.ndarray:
    return bodies()


def bodies() -> np.ndarray:
    """[COUNT, V, 3]: the tiny body turned and stretched, so that no mirror image of it looks alike."""
    template, rng = load_body_model(config.SMPL_FILE).v_template, np.random.default_rng(0)
    turned = np.stack([template @ np.linalg.qr(rng.normal(size=(3, 3)))[0].T for _ in range(COUNT)])
    return turned + 0.1 * np.sin(6 * turned[..., [1, 0, 2]])


def write_annotations(root: Path, change=lambda picture: picture, folder: str = "upi-s1h") -> list[np.ndarray]:
    """Silhouettes and parts of `bodies` by a plain rasteriser below `folder`, and the table that names them."""
    model = load_body_model(config.SMPL_FILE)
    labels = lsp_masks.part_labels(model.faces, len(model.v_template), load_parts())
    (root / folder / "data/lsp").mkdir(parents=True, exist_ok=True)
    names, masks = {"maskname": [], "partname": []}, []
    for index, vertices in enumerate(bodies()):
        corners = np.tile(labels[:, None, None] / 10.0, (1, 3, 2))
        mask, uv = z_buffer(vertices, model.faces, corners, CropCamera(), HEIGHT, WIDTH)
        masks.append(mask)
        pictures = (mask.astype(np.uint8), np.rint(10 * uv[..., 0]).astype(np.uint8))
        for kind, picture in zip(names, pictures, strict=True):
            names[kind].append("" if index == UNMARKED else f"data/lsp/{index}_{kind}.png")
            if names[kind][-1]:
                cv2.imwrite(str(root / folder / names[kind][-1]), change(picture))
    tiny_benchmarks.write_table(root, "lsp", **{kind: np.array(values) for kind, values in names.items()})
    return masks


def run(meshes: np.ndarray, **changes) -> Evaluation:
    options = make_options("lsp", **changes)
    oracle = Oracle(meshes, np.tile([SCALE, *SHIFT], (COUNT, 1)))
    device = Device("CPU", "pynative", "a test")
    dataset = BaseDataset(options, "lsp", "test")
    return evaluate(options, device, dataset, oracle, ErrorMeter.of(PROTOCOLS["lsp"]), Path("a.ckpt"))


def counted(predicted: np.ndarray, true: np.ndarray, classes: int) -> tuple[float, float]:
    """Accuracy and the mean F1 of label pictures, pixel by pixel over all images."""
    scores = []
    for label in range(classes):
        both = ((predicted == label) & (true == label)).sum()
        scores.append(2 * both / ((predicted == label).sum() + (true == label).sum()))
    return (predicted == true).mean(), float(np.mean(scores))


def test_the_true_mesh_has_its_own_silhouette_and_parts(root, meshes):
    found = run(meshes)
    assert set(PROTOCOLS["lsp"].figures) <= found.lsp.keys()
    assert min(found.lsp[name] for name in PROTOCOLS["lsp"].figures) > 0.995
    assert np.nanmax(found.results["silhouette_error"]) < 0.2
    assert found.without_truth == 1 and np.isnan(found.results["silhouette_error"][UNMARKED])


def test_accuracy_and_f1_of_another_mesh_are_those_of_its_picture(root, meshes):
    moved = meshes * (0.8, 1.1, 1) + (0.1, 0, 0)
    found = run(moved)
    model = load_body_model(config.SMPL_FILE)
    labels = lsp_masks.part_labels(model.faces, len(model.v_template), load_parts())
    pictures = {"mask": ([], []), "part": ([], [])}
    for mesh, truth in zip(np.delete(moved, UNMARKED, 0), np.delete(meshes, UNMARKED, 0), strict=True):
        for place, vertices in enumerate((mesh, truth)):
            corners = np.tile(labels[:, None, None] / 10.0, (1, 3, 2))
            mask, uv = z_buffer(vertices, model.faces, corners, CropCamera(), HEIGHT, WIDTH)
            pictures["mask"][place].append(mask.astype(int))
            pictures["part"][place].append(np.rint(10 * uv[..., 0]).astype(int))
    for kind, classes in (("mask", 2), ("part", 7)):
        accuracy, score = counted(*map(np.stack, pictures[kind]), classes)
        assert found.lsp[f"LSP {kind} accuracy"] == pytest.approx(accuracy, abs=5e-4)
        assert found.lsp[f"LSP {kind} F1, mean of {classes} classes"] == pytest.approx(score, abs=5e-3)
        assert 0.5 < accuracy < 0.97


@pytest.mark.parametrize(
    "change", [lambda picture: picture[:, ::-1], lambda picture: picture[::-1], lambda picture: np.roll(picture, 2, 1)]
)
def test_a_picture_that_is_mirrored_or_two_pixels_off_would_be_seen(root, meshes, change):
    masks = write_annotations(root, change)
    found = run(meshes)
    write_annotations(root)
    wrong = [100 * (change(mask) != mask).mean() for mask in masks]
    wrong[UNMARKED] = np.nan
    assert found.results["silhouette_error"] == pytest.approx(wrong, abs=0.2, nan_ok=True)
    assert np.nanmin(wrong) > 1


def test_annotations_may_lie_beside_the_images(root, meshes):
    (root / "upi-s1h").rename(root / "lsp_dataset" / "elsewhere")
    try:
        with pytest.raises(UserError, match=r"upi-s1h/data/lsp/0_maskname\.png"):
            run(meshes)
        write_annotations(root, folder="lsp_dataset")
        assert run(meshes).lsp["LSP mask accuracy"] > 0.995
    finally:
        (root / "lsp_dataset" / "elsewhere").rename(root / "upi-s1h")


def test_an_annotation_of_another_size_than_its_image_is_one_line(root, meshes):
    write_annotations(root, lambda picture: picture[:-10])
    with pytest.raises(UserError, match=rf"0_maskname\.png has 120 x 80 pixels, but its image has {WIDTH} x {HEIGHT}"):
        run(meshes)
    write_annotations(root)


def test_lsp_without_any_annotation_says_so_and_has_no_figures(root, meshes, capsys):
    tiny_benchmarks.write_table(root, "lsp")
    found = run(meshes)
    assert "has no maskname and no partname" in capsys.readouterr().err
    assert found.lsp == {} and found.without_truth == COUNT
    with pytest.raises(UserError, match="no test image of lsp has silhouettes and body parts"):
        write_report(root / "page.html", found, make_options("lsp"), None)
    write_annotations(root)


def test_the_report_sorts_by_the_silhouette(root, meshes, tmp_path):
    oracle = Oracle(meshes, np.tile([SCALE, *SHIFT], (COUNT, 1)))
    moved = meshes + np.linspace(0, 0.4, COUNT)[:, None, None] * (1, 0, 0)
    evaluation = run(moved)
    write_report(tmp_path / "page.html", evaluation, make_options("lsp"), oracle)
    page = (tmp_path / "page.html").read_text()
    order = np.argsort(evaluation.results["silhouette_error"])[: COUNT - 1]
    # the two best, the one between, the two worst, of which the worst comes first
    places = [page.index(f"images/{index}.png: Silhouette error") for index in order[[0, 1, 2, 4, 3]]]
    assert places == sorted(places) and f"images/{UNMARKED}.png" not in page
    assert "Images by Silhouette error, %" in page and "joints, mm" not in page and "LSP part F1, head" in page
    sheet = draw_contact_sheet(make_options("lsp"), oracle, np.array([0]))
    assert sheet.shape[1] == 6 + (len(TITLES) - 2) * (224 + 6)
