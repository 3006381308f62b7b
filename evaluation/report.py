"""One HTML page about the errors of a checkpoint: numbers, histogram, meshes to turn, cases.

The page contains its style, its viewer, pictures and meshes, so it needs no network (viewer/page.py).
"""

import html
from pathlib import Path

import numpy as np

from evaluation.contact_sheet import Case, draw_case, predict_cases, titles_of
from evaluation.errors import FITTED
from evaluation.measure import Evaluation
from evaluation.protocols import Protocol
from evaluation.summary import NOTES, SUMMARY, mean, vectors
from fitting.body_fit import BodyFitter
from models.inference import MeshPredictor
from utils import config
from utils.body_model import BodyModel, JointRegressors, load_body_model, load_joint_regressors
from utils.camera import upright
from utils.errors import UserError
from utils.files import write_text
from utils.metrics import distances
from viewer.page import VIEWER, end_page, figure, start_page
from viewer.scenes import FITTED_BODY, PREDICTED_MESH, scene_tag, still_mesh

CONTENT = Path(__file__).with_name("report.html")
BESIDE = np.array([0.65, 0, 0])  # metres from the middle to the truth
SHOWN = 3  # cases of each kind
BINS = 24
MAIN = {row[0]: row for row in SUMMARY}


def write_report(
    target, evaluation: Evaluation, options, predictor: MeshPredictor, fitter: BodyFitter | None = None
) -> None:
    """Write the page `target` about an evaluation; the network predicts the shown cases again."""
    errors = evaluation.results.get(evaluation.protocol.main, np.zeros(0))
    kinds = choose_cases(errors)
    if not kinds:
        raise UserError(f"no report: no test image of {evaluation.dataset} has {evaluation.protocol.truth}.")
    chosen = [index for indices in kinds.values() for index in indices]
    cases = dict(zip(chosen, predict_cases(options, predictor, np.array(chosen), fitter), strict=True))
    write_text(target, build_page(evaluation, kinds, cases, load_body_model(config.SMPL_FILE)))


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


def build_page(evaluation: Evaluation, kinds: dict[str, list[int]], cases: dict[int, Case], body: BodyModel) -> str:
    """The page as text. kinds: heading -> indices of images; cases: the Case of each of them."""
    vertex_errors, protocol = evaluation.vertex_errors, evaluation.protocol
    limit = 0.0 if vertex_errors is None else float(np.ceil(np.percentile(vertex_errors, 98) / 10) * 10)
    mean_text = "the body at rest" if vertex_errors is None else "mean error of all images, on the body at rest"
    _, title, unit, _ = MAIN[protocol.main]
    content = {
        "protocol": html.escape(f"Protocol: {protocol.name}"),
        "summary": _summary_table(evaluation),
        "main": f"{title},{unit}",
        "histogram": _histogram(evaluation),
        "viewer": VIEWER,
        "scale": f'<p><span class="ramp"></span> 0 to {limit:.0f} mm and more</p>' if limit else "",
        "mean": mean_text.split(",")[0],
        "bars": _all_bars(evaluation),
        "cases": "".join(_case_rows(kind, indices, cases, evaluation, body.faces) for kind, indices in kinds.items()),
        "scenes": scene_tag("mean", mean_text, {PREDICTED_MESH: [still_mesh(body.v_template, errors=vertex_errors)]})
        + _case_scenes(cases, load_joint_regressors(model=body), protocol),
    }
    page = CONTENT.read_text(encoding="utf-8")
    for name, text in content.items():
        page = page.replace(f"{{{{{name}}}}}", text)
    images = f"{evaluation.checkpoint}, {evaluation.dataset}, {len(evaluation)} images"
    return start_page("Evaluation of DecoMR", images) + page + end_page(body.faces, limit)


def _case_scenes(cases: dict[int, Case], regressors: JointRegressors, protocol: Protocol) -> str:
    _, root_row = protocol.joints.load(regressors)
    scenes = []
    for index, case in cases.items():
        variants = {PREDICTED_MESH: _case_meshes(case.vertices, case, root_row)}
        if case.fitted is not None:
            variants[FITTED_BODY] = _case_meshes(case.fitted, case, root_row)
        right = "" if case.true_vertices is None else ": left coloured by its error, right the truth"
        scenes.append(scene_tag(str(index), f"one image{right}", variants))
    return "".join(scenes)


def _case_meshes(vertices: np.ndarray, case: Case, root_row: np.ndarray) -> list[dict]:
    """A mesh [V, 3] of a case, coloured by its error, and the true one beside; the mesh alone if there is no truth."""
    if case.true_vertices is None:
        return [still_mesh(upright(vertices))]
    errors = distances(vertices - root_row @ vertices, case.true_vertices - root_row @ case.true_vertices)
    true = still_mesh(upright(case.true_vertices), place=BESIDE)
    return [still_mesh(upright(vertices), errors=errors, place=-BESIDE), true]


def _summary_table(evaluation: Evaluation) -> str:
    results, rows = evaluation.results, []
    kinds = {"": "this checkpoint", FITTED: "fitted body", "mean_mesh_": "mean training mesh"}
    heads = ["", *kinds.values(), ""]
    for name, title, unit, decimals in SUMMARY:
        if name in results:
            columns = [results.get(f"{kind}{name}") for kind in kinds]
            cells = ["" if values is None else f"{mean(values):.{decimals}f}{unit}" for values in columns]
            rows.append([title, *cells, NOTES.get(name, "")])
    rows += [[name, f"{value:.4f}", "", "", ""] for name, value in evaluation.lsp.items()]
    ends = (0, 1, len(heads) - 1)
    kept = [column for column in range(len(heads)) if column in ends or any(row[column] for row in rows)]
    heads, *rows = ([row[column] for column in kept] for row in (heads, *rows))
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>" for cells in rows)
    return f"<table><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>{body}</table>"


def _histogram(evaluation: Evaluation) -> str:
    """Bars of the number of images by the main error, with a line at that of the mean training mesh; SVG."""
    width, height, foot = 640, 200, 24
    name = evaluation.protocol.main
    errors, unit = evaluation.results[name], MAIN[name][2]
    errors = errors[np.isfinite(errors)]
    baseline = evaluation.results.get(f"mean_mesh_{name}")
    level = 0.0 if baseline is None else float(mean(baseline))
    counts, edges = np.histogram(errors, bins=BINS, range=(0, (max(errors.max(), level) or 1.0) * 1.05))
    step, rise = width / BINS, (height - 10) / counts.max()
    bars = "".join(
        f'<rect x="{index * step + 1:.1f}" y="{height - count * rise:.1f}" width="{step - 2:.1f}" '
        f'height="{count * rise:.1f}"><title>{edges[index]:.0f} to {edges[index + 1]:.0f}{unit}: {count}</title></rect>'
        for index, count in enumerate(counts)
    )
    labels = "".join(
        f'<text x="{index * step:.1f}" y="{height + 17}">{edges[index]:.0f}</text>' for index in range(0, BINS, 4)
    )
    note, line = "", ""
    if baseline is not None:
        place = level / edges[-1] * width
        line = f'<line x1="{place:.1f}" x2="{place:.1f}" y1="0" y2="{height}"><title>mean training mesh</title></line>'
        note = '<p class="note">The line is the error of the mean training mesh.</p>'
    return f'{note}<svg viewBox="0 0 {width} {height + foot}" role="img">{bars}{line}{labels}</svg>'


def _all_bars(evaluation: Evaluation) -> str:
    """The tables of body parts and joints, those that there are."""
    return "".join(
        f"<div><h3>{title}, mm</h3>{_bars(evaluation, column)}</div>"
        for column, title in (("part_errors", "body parts"), ("joint_errors", "joints"))
        if column in evaluation.results
    )


def _bars(evaluation: Evaluation, column: str) -> str:
    """A table of names and errors, each with a bar."""
    names = vectors(evaluation.protocol)[column]
    pairs = list(zip(names, mean(evaluation.results[column]).tolist(), strict=False))
    largest = max((value for _, value in pairs), default=1.0) or 1.0
    rows = "".join(
        f'<tr><td>{html.escape(name)}</td><td>{value:.1f}</td><td><div class="bar" '
        f'style="width:{120 * value / largest:.0f}px"></div></td></tr>'
        for name, value in pairs
    )
    return f"<table>{rows}</table>"


def _case_rows(kind: str, indices: list[int], cases: dict, evaluation: Evaluation, faces: np.ndarray) -> str:
    """A heading and a row of pictures for every case of a kind."""
    rows, results = [f"<h3>{kind}</h3>"], evaluation.results
    named = [MAIN[name] for name in (evaluation.protocol.main, "pa_mpjpe") if name in results]
    titles = titles_of(list(cases.values()))
    for index in indices:
        name = html.escape(str(results["imgname"][index]))
        figures = "".join(
            figure(picture, title)
            for title, picture in zip(titles, draw_case(cases[index], faces, titles), strict=True)
        )
        errors = ", ".join(f"{title} {results[column][index]:.1f}{unit}" for column, title, unit, _ in named)
        button = f'<button data-scene="{index}">turn it</button>'
        rows.append(f'<div class="case"><p>{name}: {errors} {button}</p>{figures}</div>')
    return "".join(rows)
