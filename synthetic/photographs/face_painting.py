"""Paint the face at its landmarks: eyes, brows, lips, cheeks, beard."""

import numpy as np

from synthetic.body.landmarks import Landmarks
from synthetic.photographs.clothing_choice import Outfit
from synthetic.photographs.hair import beard_reach
from synthetic.photographs.textures import Noise, mix, smooth_step

WHITE = np.array([0.52, 0.50, 0.48])
# all lengths are those of a face with this distance between the heights of eyes and nose, metres
EYE_TO_NOSE = 0.038


def paint_face(put, outfit: Outfit, rest: np.ndarray, marks: Landmarks, strands, noise: Noise) -> None:
    """Paint the face on surface points [N, 3]; put(where, paint, shine, folds) covers points, strands paints hair."""
    size = (marks.eye[1] - marks.nose[1]) / EYE_TO_NOSE
    front = (rest[:, 2] > marks.ear[2] + 0.02) & (rest[:, 1] > marks.neck[1])
    middle, across = rest[:, 0] / size, (np.abs(rest[:, 0]) - marks.eye[0]) / size
    up = (rest[:, 1] - marks.eye[1]) / size

    def skin(places):
        return _skin(outfit, places[:, 0] / size, (places[:, 1] - marks.eye[1]) / size, noise)

    put(front & (up > -0.12), skin, 0.10, 0.0)
    nostril = np.hypot((np.abs(middle) - 0.0085) / 0.0045, (up + 0.0455) / 0.0022) < 1
    put(front & nostril, outfit.skin * [0.35, 0.25, 0.22], 0.0, 0.0)
    if outfit.beard:
        _paint_beard(put, outfit, rest, marks, strands, noise)
    _paint_lips(put, outfit, front, middle, up)
    _paint_eyes(put, outfit, front, across, up)
    # a brow rises from the nose outwards and falls at its end
    height = 0.0205 - 10 * (across - 0.003) ** 2 + 0.06 * across
    brow = 1 - np.hypot((across - 0.002) / 0.020, (up - height) / 0.0042)
    put(front & (brow + 0.25 * noise(rest[:, 0] * 2, rest[:, 1]) > 0.05), outfit.hair * 0.6, 0.0, 0.0)


def _skin(outfit: Outfit, middle: np.ndarray, up: np.ndarray, noise: Noise) -> np.ndarray:
    """Colours [n, 3] of the face's skin: redder cheeks and nose, darker sockets."""
    cheeks = np.exp(-(((np.abs(middle) - 0.040) / 0.016) ** 2) - ((up + 0.036) / 0.017) ** 2)
    nose = np.exp(-((middle / 0.011) ** 2) - ((up + 0.036) / 0.012) ** 2)
    sockets = np.exp(-(((np.abs(middle) - 0.030) / 0.022) ** 2) - ((up + 0.001) / 0.013) ** 2)
    red = 0.5 * cheeks + 0.4 * nose
    shade = (1 + 0.04 * noise(middle, up)) * (1 - 0.22 * sockets)
    return mix([shade * (1 - red), shade * red], [outfit.skin, outfit.skin * [0.95, 0.68, 0.66]])


def _paint_beard(put, outfit, rest, marks, strands, noise) -> None:
    kind = "full" if outfit.beard == "stubble" else outfit.beard
    frayed = beard_reach(kind, rest, marks) + 0.004 * noise(rest[:, 0] + rest[:, 2], rest[:, 1])

    def stubble(places):
        share = 0.45 * smooth_step(beard_reach(kind, places, marks), 0.0, 0.015)
        return mix([1 - share, share], [outfit.skin, 0.5 * outfit.hair])

    if outfit.beard == "stubble":
        put(frayed > 0, stubble, 0.05, 0.0)
    else:
        put(frayed > 0, strands, 0.1, 0.4)


def _paint_lips(put, outfit, front, middle, up) -> None:
    mouth = -0.0655
    half = 0.025
    narrowing = np.sqrt(np.clip(1 - (middle / half) ** 2, 0, 1))
    upper = (up > mouth) & (up - mouth < narrowing * (0.0065 - 0.0018 * np.exp(-((middle / 0.004) ** 2))))
    lower = (up <= mouth) & (mouth - up < 0.0088 * narrowing)
    put(front & (np.abs(middle) < half) & upper, outfit.lips * 0.85, 0.15, 0.0)
    put(front & (np.abs(middle) < half) & lower, outfit.lips, 0.3, 0.0)
    put(front & (np.abs(middle) < half) & (np.abs(up - mouth) < 0.0013), outfit.lips * 0.3, 0.0, 0.0)


def _paint_eyes(put, outfit, front, across, up) -> None:
    # the lids meet in the corners; the upper one is more curved
    half = 0.0148
    arc = np.clip(1 - (across / half) ** 2, 0, 1)
    upper, lower = 0.0062 * arc**0.6, -0.0048 * arc**0.8
    opening = front & (np.abs(across) < half) & (up < upper) & (up > lower)
    put(front & (np.abs(across) < half * 1.12) & (np.abs(up - upper) < 0.0024), outfit.hair * 0.25, 0.0, 0.0)
    put(opening, WHITE, 0.3, 0.0)
    iris = np.hypot(across, up - 0.0004)
    put(opening & (iris < 0.0064), outfit.iris * 0.5, 0.5, 0.0)
    put(opening & (iris < 0.0054), outfit.iris, 0.5, 0.0)
    put(opening & (iris < 0.0025), outfit.iris * 0.08, 0.5, 0.0)
    put(opening & (np.hypot(across - 0.0022, up - 0.0035) < 0.0013), np.array([0.9, 0.9, 0.9]), 0.0, 0.0)
    put(opening & (up > upper - 0.0016), outfit.skin * 0.25, 0.0, 0.0)
