"""One HTML page about the errors of a checkpoint: numbers, histogram, meshes to turn, cases.

The page contains its style, its viewer (evaluation/page/), pictures and meshes, so it needs no network.
"""

import base64
import html
import json
from pathlib import Path

import cv2
import numpy as np

from evaluation.contact_sheet import TITLES, Case, draw_case, predict_cases
from evaluation.summary import NOTES, SUMMARY, VECTORS, mean
from models.inference import MeshPredictor
from utils import config
from utils.body_model import BodyModel, load_body_model, load_joint_regressors
from utils.camera import upright
from utils.errors import UserError
from utils.files import write_text
from utils.metrics import centred, distances

PAGE = Path(__file__).parent / "page"
SHOWN = 3  # cases of each kind
BINS = 24
JPEG_QUALITY = 88


def write_report(target, path: Path, options, predictor: MeshPredictor, results: dict, lsp: dict) -> None:
    """Write the page `target` about the results of checkpoint `path`; the network predicts the shown cases again."""
    kinds = choose_cases(results["shape_error"])
    if not kinds:
        raise UserError(f"no report: no test image of {options.dataset} has a true mesh.")
    chosen = [index for indices in kinds.values() for index in indices]
    cases = dict(zip(chosen, predict_cases(options, predictor, np.array(chosen)), strict=True))
    title = f"{path}, {options.dataset}, {len(results['imgname'])} images"
    write_text(target, build_page(title, results, lsp, kinds, cases, load_body_model(config.SMPL_FILE)))


def choose_cases(errors: np.ndarray, count: int = SHOWN) -> dict[str, list[int]]:
    """Up to `count` different images each with the smallest, middle and largest of the errors [N] that are known."""
    order = np.argsort(errors, kind="stable")[: np.isfinite(errors).sum()]
    count = min(count, -(-len(order) // 3))
    worst = order[::-1][:count]
    best = order[: min(count, len(order) - len(worst))]
    rest = order[len(best) : len(order) - len(worst)]
    start = max(0, (len(rest) - count) // 2)
    groups = {"best": best, "median": rest[start : start + count], "worst": worst}
    return {kind: indices.tolist() for kind, indices in groups.items() if len(indices)}


def build_page(
    title: str, results: dict, lsp: dict, kinds: dict[str, list[int]], cases: dict[int, Case], body: BodyModel
) -> str:
    """The page as text. kinds: heading -> indices of images; cases: the Case of each of them."""
    vertex_errors = mean(results["vertex_errors"])
    meshes = {"mean": [_coloured(body.v_template, vertex_errors)]}
    lsp_rows = load_joint_regressors(model=body).lsp_rows
    for index, case in cases.items():
        meshes[str(index)] = _case_meshes(case, lsp_rows)
    limit = float(np.ceil(np.percentile(vertex_errors, 98) / 10) * 10)
    content = {
        "title": html.escape(title),
        "style": (PAGE / "style.css").read_text(encoding="utf-8"),
        "summary": _summary_table(results, lsp),
        "histogram": _histogram(results["shape_error"], float(mean(results["mean_mesh_shape_error"]))),
        "joints": _bars(results, "joint_errors"),
        "parts": _bars(results, "part_errors"),
        "cases": "".join(_case_rows(kind, indices, cases, results, body.faces) for kind, indices in kinds.items()),
        "limit": f"{limit:.0f}",
        "data": json.dumps({"faces": _base64(body.faces.astype(np.uint32)), "limit": limit, "meshes": meshes}),
        "viewer": (PAGE / "viewer.js").read_text(encoding="utf-8"),
    }
    page = (PAGE / "page.html").read_text(encoding="utf-8")
    for name, text in content.items():
        page = page.replace(f"{{{{{name}}}}}", text)
    return page


def _coloured(vertices: np.ndarray, errors: np.ndarray | None) -> dict:
    """A mesh for the viewer: y up, metres, with errors in mm as colours, or plain."""
    mesh = {"vertices": _base64(np.asarray(vertices, np.float32))}
    return mesh if errors is None else mesh | {"errors": _base64(np.asarray(errors, np.float32))}


def _case_meshes(case: Case, lsp_rows: np.ndarray) -> list[dict]:
    """The predicted mesh, coloured by its error, and the true one."""
    predicted, true = (
        centred(vertices[None], (lsp_rows @ vertices)[None]) for vertices in (case.vertices, case.true_vertices)
    )
    return [_coloured(upright(predicted[0]), distances(predicted, true)[0]), _coloured(upright(true[0]), None)]


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def _summary_table(results: dict, lsp: dict) -> str:
    rows = []
    for name, title, unit, decimals in SUMMARY:
        baseline = results.get(f"mean_mesh_{name}")
        cells = [
            title,
            f"{mean(results[name]):.{decimals}f}{unit}",
            "" if baseline is None else f"{mean(baseline):.{decimals}f}{unit}",
            NOTES.get(name, ""),
        ]
        rows.append(cells)
    rows += [[name, f"{value:.4f}", "", ""] for name, value in lsp.items()]
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>" for cells in rows)
    heads = "".join(f"<th>{head}</th>" for head in ("", "this checkpoint", "mean training mesh", ""))
    return f"<table><tr>{heads}</tr>{body}</table>"


def _histogram(errors: np.ndarray, baseline: float) -> str:
    """Bars of the number of images by shape error, with a line at the error of the mean training mesh; SVG."""
    width, height, foot = 640, 200, 24
    errors = errors[np.isfinite(errors)]
    counts, edges = np.histogram(errors, bins=BINS, range=(0, max(errors.max(), baseline) * 1.05))
    step, unit = width / BINS, (height - 10) / counts.max()
    bars = "".join(
        f'<rect x="{index * step + 1:.1f}" y="{height - count * unit:.1f}" width="{step - 2:.1f}" '
        f'height="{count * unit:.1f}"><title>{edges[index]:.0f} to {edges[index + 1]:.0f} mm: {count}</title></rect>'
        for index, count in enumerate(counts)
    )
    labels = "".join(
        f'<text x="{index * step:.1f}" y="{height + 17}">{edges[index]:.0f}</text>' for index in range(0, BINS, 4)
    )
    place = baseline / edges[-1] * width
    line = f'<line x1="{place:.1f}" x2="{place:.1f}" y1="0" y2="{height}"><title>mean training mesh</title></line>'
    return f'<svg viewBox="0 0 {width} {height + foot}" role="img">{bars}{line}{labels}</svg>'


def _bars(results: dict, column: str) -> str:
    """A table of names and errors, each with a bar."""
    pairs = list(zip(VECTORS[column], mean(results[column]).tolist(), strict=False))
    largest = max((value for _, value in pairs), default=1.0)
    rows = "".join(
        f'<tr><td>{html.escape(name)}</td><td>{value:.1f}</td><td><div class="bar" '
        f'style="width:{120 * value / largest:.0f}px"></div></td></tr>'
        for name, value in pairs
    )
    return f"<table>{rows}</table>"


def _case_rows(kind: str, indices: list[int], cases: dict, results: dict, faces: np.ndarray) -> str:
    """A heading and a row of pictures for every case of a kind."""
    rows = [f"<h3>{kind}</h3>"]
    for index in indices:
        name = html.escape(str(results["imgname"][index]))
        figures = "".join(
            f'<figure><img src="{_picture(picture)}" alt="{title}"><figcaption>{title}</figcaption></figure>'
            for title, picture in zip(TITLES, draw_case(cases[index], faces), strict=True)
        )
        error = f"{results['shape_error'][index]:.1f} mm"
        rows.append(
            f'<div class="case"><p>{name}: shape error {error}, PA-MPJPE {results["pa_mpjpe"][index]:.1f} mm '
            f'<button data-mesh="{index}">turn it</button></p>{figures}</div>'
        )
    return "".join(rows)


def _picture(picture: np.ndarray) -> str:
    """An RGB uint8 picture as a data address, so that the page contains it."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    _, content = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return f"data:image/jpeg;base64,{base64.b64encode(content.tobytes()).decode()}"
