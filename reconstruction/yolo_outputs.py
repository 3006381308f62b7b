"""Read the people from the output of a YOLO network, whichever layout its export has.

C is the number of classes, N of candidates. All boxes are in pixels of the network's input.

[1, 4 + C, N]     x, y, w, h, the classes' scores                         v8, v9, v11, v12
[1, N, 5 + C]     x, y, w, h, objectness, the classes' scores             v5, v6, v7; a score is objectness x class
[1, N, 6]         x1, y1, x2, y2, score, class                            end to end: v10, YOLO26
The same transposed; without the first axis; with 32 numbers for a mask or 51 for 17 keypoints behind each candidate.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BOX, OBJECTNESS, SCORE_AND_CLASS = 4, 1, 2  # numbers of a candidate
MASK, KEYPOINTS = 32, 3 * 17  # more numbers, of models for segmentation and for poses
LEAST_REACH = 0.25  # candidates lie everywhere in the picture; boxes in shares of it or in cells reach less far


@dataclass(frozen=True)
class Layout:
    """How an output holds its candidates. columns: numbers of a candidate; axis: of the output, on which they lie.

    has_objectness: behind the box. is_final: the network has chosen the boxes; each has corners, a score and a class.
    """

    columns: int
    axis: int
    has_objectness: bool = False
    is_final: bool = False


def find_layout(shape: Sequence[int], num_classes: int, is_by_ultralytics: bool) -> Layout | None:
    """Find the layout of an output of such a shape; None if it is no output of a YOLO with so many classes.

    is_by_ultralytics: the file says that the ultralytics package (v8 and later) wrote it; then nothing has objectness.
    """
    axes = _drop_ones(shape)
    if len(axes) != 2:
        return None
    layouts = _list_layouts(num_classes, is_by_ultralytics)
    return next((layout for layout in layouts if axes[layout.axis] == layout.columns), None)


def _list_layouts(num_classes: int, is_by_ultralytics: bool) -> list[Layout]:
    """List the layouts of a model with so many classes, the likeliest first."""
    more = (0, MASK, KEYPOINTS) if num_classes == 1 else (0, MASK)
    plain = [Layout(BOX + num_classes + extra, axis) for axis in (0, 1) for extra in more]
    anchored = [
        Layout(BOX + OBJECTNESS + num_classes + extra, axis, has_objectness=True)
        for axis in (1, 0)
        for extra in (0, MASK)
    ]
    final = [Layout(BOX + SCORE_AND_CLASS + extra, 1, is_final=True) for extra in (0, MASK, KEYPOINTS)]
    first, others = [layout for layout in plain if layout.axis == 0], [layout for layout in plain if layout.axis == 1]
    if is_by_ultralytics:
        return [*first, *final, *others]
    if num_classes > SCORE_AND_CLASS:  # fewer classes make other layouts of 6 columns
        return [*first, *final, *anchored, *others]
    return [*first, *anchored, *others]


def _drop_ones(shape: Sequence[int]) -> tuple[int, ...]:
    """Drop leading axes of size 1 as long as more than two are left."""
    axes = tuple(shape)
    while len(axes) > 2 and axes[0] == 1:
        axes = axes[1:]
    return axes


def split_output(output: np.ndarray, layout: Layout, person: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Split an output into low corners [N, 2], high corners [N, 2], px of the input, and scores [N] of class person."""
    rows = output.reshape(_drop_ones(output.shape)).astype(np.float64)
    rows = rows.T if layout.axis == 0 else rows
    if layout.is_final:
        scores = np.where(np.round(rows[:, BOX + 1]) == person, rows[:, BOX], 0)
        return rows[:, :2], rows[:, 2:BOX], scores
    middle, size = rows[:, :2], rows[:, 2:BOX]
    scores = rows[:, BOX + layout.has_objectness + person]
    if layout.has_objectness:
        scores = scores * rows[:, BOX]
    return middle - size / 2, middle + size / 2, scores


def is_in_pixels(low: np.ndarray, high: np.ndarray, size: Sequence[int]) -> bool:
    """Say whether the candidates' boxes can be in pixels of an input of size (w, h): their middles reach far enough."""
    return bool((((low + high) / 2).max(axis=0) >= LEAST_REACH * np.array(size)).all())
