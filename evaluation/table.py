"""One table of several data sets and checkpoints, with the paper's figures in a row beside, as text and in files."""

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from evaluation import quoted
from evaluation.errors import FITTED
from evaluation.lsp_masks import FIGURE_PREFIX
from evaluation.measure import Evaluation
from evaluation.protocols import Protocol
from evaluation.summary import SUMMARY, mean, number
from utils.files import write_text

UNKNOWN = "-"
LONGEST_LINE = 150  # characters that are printed in a line
REMARK = "None of them is chosen here: choosing by the error on test images makes that error mean less."
_TITLES = {name: (title, unit.strip(), decimals) for name, title, unit, decimals in SUMMARY}
_TEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
_TEX |= {letter: f"\\{letter}" for letter in "&%$#_{}"}


@dataclass(frozen=True)
class Column:
    """A figure of a data set. title: with the data set and the unit."""

    dataset: str
    figure: str
    protocol: Protocol

    @property
    def unit(self) -> str:
        """mm, %, or nothing for shares."""
        return _TITLES[self.figure][1] if self.figure in _TITLES else ""

    @property
    def title(self) -> str:
        """The data set, the figure and its unit."""
        name = _TITLES[self.figure][0] if self.figure in _TITLES else self.figure.removeprefix(FIGURE_PREFIX)
        return f"{self.dataset} {name}" + (f" ({self.unit})" if self.unit else "")

    def text(self, value: float | None) -> str:
        """A value as the table shows it."""
        decimals = _TITLES[self.figure][2] if self.figure in _TITLES else 4
        return UNKNOWN if value is None else f"{value:.{decimals}f}"

    def value(self, evaluation: Evaluation, kind: str = "") -> float | None:
        """The figure of an evaluation of this data set; None if it is not known. kind: FITTED for the fitted body."""
        if kind + self.figure in evaluation.results:
            return number(mean(evaluation.results[kind + self.figure]))
        return None if kind else evaluation.lsp.get(self.figure)

    def quoted(self) -> float | None:
        """The paper's figure, or None."""
        return quoted.quoted_figure(self.protocol, self.dataset, self.figure)


@dataclass(frozen=True)
class Table:
    """rows: name -> values in the order of the columns. The row quoted.ROW is the paper's."""

    columns: tuple[Column, ...]
    rows: dict[str, list[float | None]]

    @property
    def cells(self) -> list[list[str]]:
        """The head and the rows as text."""
        head = ["checkpoint", *(column.title for column in self.columns)]
        return [head] + [
            [name, *(column.text(value) for column, value in zip(self.columns, values, strict=True))]
            for name, values in self.rows.items()
        ]

    @property
    def notes(self) -> list[str]:
        """The protocols of the data sets, and the sources of quoted figures."""
        protocols = {column.dataset: column.protocol.name for column in self.columns}
        cited = dict.fromkeys(column.dataset for column in self.columns if column.quoted() is not None)
        return [f"{dataset}: {name}." for dataset, name in protocols.items()] + [
            f"{quoted.ROW}, {dataset}: {quoted.SOURCES[dataset]}." for dataset in cited
        ]


def make_table(evaluations: Iterable[Evaluation]) -> Table:
    """A row for each checkpoint and one for the paper; a column for each figure of each data set, as they come.

    Where the body model was fitted, a second row of the checkpoint has the figures of the fitted body.
    """
    columns: dict[tuple, Column] = {}
    found: dict[str, dict[tuple, float | None]] = {}
    for evaluation in evaluations:
        for figure in evaluation.protocol.figures:
            key = (evaluation.dataset, figure)
            columns.setdefault(key, Column(*key, evaluation.protocol))
            name = str(evaluation.checkpoint)
            found.setdefault(name, {})[key] = columns[key].value(evaluation)
            fitted = columns[key].value(evaluation, FITTED)
            if fitted is not None:
                found.setdefault(f"{name}, fitted body", {})[key] = fitted
    rows = {name: [values.get(key) for key in columns] for name, values in found.items()}
    rows[quoted.ROW] = [column.quoted() for column in columns.values()]
    return Table(tuple(columns.values()), rows)


def print_table(table: Table) -> None:
    """Print the table in the order given: a line for each row, or for each column if rows would be too long."""
    cells = table.cells
    if sum(_widths(cells)) > LONGEST_LINE:
        cells = [list(column) for column in zip(*cells, strict=True)]
    widths = _widths(cells)
    for name, *values in cells:
        print(
            f"{name:{widths[0]}s}"
            + "".join(f"{text:>{width}s}" for text, width in zip(values, widths[1:], strict=True))
        )
    for note in table.notes:
        print(note)
    if len([name for name in table.rows if not name.endswith(", fitted body")]) > 2:
        print(REMARK)


def _widths(cells: list[list[str]]) -> list[int]:
    """The characters of each column of a table of text, with the gap to the next."""
    return [max(map(len, column)) + 2 for column in zip(*cells, strict=True)]


def write_table(folder: Path, table: Table) -> list[Path]:
    """Write table.json, .csv, .md and .tex; their paths."""
    texts = {"json": as_json(table), "csv": as_csv(table), "md": as_markdown(table), "tex": as_latex(table)}
    paths = []
    for ending, text in texts.items():
        paths.append(Path(folder) / f"table.{ending}")
        write_text(paths[-1], text)
    return paths


def as_json(table: Table) -> str:
    """Columns with protocol and unit, and rows with values, null if unknown."""
    content = {
        "columns": [
            {"dataset": column.dataset, "figure": column.figure, "unit": column.unit, "protocol": column.protocol.name}
            for column in table.columns
        ],
        "rows": [{"name": name, "quoted": name == quoted.ROW, "values": values} for name, values in table.rows.items()],
        "notes": table.notes,
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def as_csv(table: Table) -> str:
    """A line of titles and one for each row; unknown values are empty."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(table.cells[0])
    writer.writerows([name, *values] for name, values in table.rows.items())
    return stream.getvalue()


def as_markdown(table: Table) -> str:
    """A table, and its notes as a list."""
    head, *rows = ([text.replace("|", "\\|") for text in cells] for cells in table.cells)
    rule = ["---", *["---:"] * len(table.columns)]
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, rule, *rows)]
    return "\n".join([*lines, "", *(f"- {note}" for note in table.notes)]) + "\n"


def as_latex(table: Table) -> str:
    """A tabular without packages, and its notes as comments."""
    head, *rows = (" & ".join(map(_escaped, cells)) + r" \\" for cells in table.cells)
    body = [head, r"\hline", *rows[:-1], r"\hline", rows[-1]]  # the last row is the paper's
    lines = [rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}", r"\hline", *body, r"\hline", r"\end{tabular}"]
    return "\n".join([*(f"% {note}" for note in table.notes), *lines]) + "\n"


def _escaped(text: str) -> str:
    return "".join(_TEX.get(letter, letter) for letter in text)
