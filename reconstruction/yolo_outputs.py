"""Read the people from the output of a YOLO network, whichever layout its export has.

C is the number of classes, N of candidates. Boxes x, y, w, h are middles and sizes in pixels of the network's input.

[1, 4 + C, N]     box, the classes' scores                     v8, v9, v11, v12
[1, N, 5 + C]     box, objectness, the classes' scores         v5, v6, v7; a score is objectness x class

The same transposed; without the first axis; with 32 numbers for a mask, or 51 for 17 keypoints, behind each candidate.
End-to-end networks (v10, YOLO26) give [1, 300, 6], the boxes that they choose. They are not read: OpenCV 4.11 computes
their choice wrongly.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BOX, OBJECTNESS = 4, 1  # numbers of a candidate
MASK, KEYPOINTS = 32, 3 * 17  # more numbers, of models for segmentation and for poses
END_TO_END = (6, 6 + MASK, 6 + KEYPOINTS)  # numbers of a chosen box
LEAST_REACH = 0.25  # candidates lie everywhere in the picture; boxes in shares of it or in cells reach less far


@dataclass(frozen=True)
class Layout:
    """How an output holds its candidates.

    columns: numbers of a candidate; axis: of the output, on which they lie; has_objectness: behind the box.
    """

    columns: int
    axis: int
    has_objectness: bool


def find_layout(shape: Sequence[int], num_classes: int, is_by_ultralytics: bool) -> Layout | None:
    """Find the layout of an output of such a shape; None if it is no output of a YOLO with so many classes.

    is_by_ultralytics: the package ultralytics wrote the file; it writes the first layout and, end to end, [1, 300, 6].
    """
    axes = _drop_ones(shape)
    if len(axes) != 2:
        return None
    more = (0, MASK, KEYPOINTS) if num_classes == 1 else (0, MASK)
    kinds = [(0, False)] if is_by_ultralytics else [(0, False), (1, True), (1, False), (0, True)]  # the likeliest first
    layouts = [
        Layout(BOX + OBJECTNESS * has_objectness + num_classes + extra, axis, has_objectness)
        for axis, has_objectness in kinds
        for extra in more
    ]
    return next((layout for layout in layouts if axes[layout.axis] == layout.columns), None)


def is_end_to_end(shape: Sequence[int]) -> bool:
    """Say whether an output of such a shape, of no known layout, holds boxes that the network chooses itself."""
    axes = _drop_ones(shape)
    return len(axes) == 2 and axes[1] in END_TO_END


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
    middle, size = rows[:, :2], rows[:, 2:BOX]
    scores = rows[:, BOX + OBJECTNESS * layout.has_objectness + person]
    if layout.has_objectness:
        scores = scores * rows[:, BOX]
    return middle - size / 2, middle + size / 2, scores


def is_in_pixels(low: np.ndarray, high: np.ndarray, size: Sequence[int]) -> bool:
    """Say whether the candidates' boxes can be in pixels of an input of size (w, h): their middles reach far enough."""
    return bool((((low + high) / 2).max(axis=0) >= LEAST_REACH * np.array(size)).all())
