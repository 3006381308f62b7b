"""Textures (noise, lines, grids, planks) as functions of a place on a surface, and random colours.

Every texture takes coordinates u, v in metres (arrays of one shape) and returns values of that shape, so the same
functions paint floors, walls and cloth. Colours are linear-light RGB in [0, 1].
"""

import bisect
import colorsys
import functools
import itertools

import cv2
import numpy as np

_TILE = 256  # side of the random tile behind the noise, cells
_FINE = 4  # pixels of the tile per cell; between them, linear interpolation is smooth enough
_GRAIN = 512  # side of the random tile behind the sensor's noise, pixels
_ROW = 256  # width of the picture in which cv2.remap looks samples up


def to_linear(srgb) -> np.ndarray:
    """Display RGB in [0, 1] -> linear light (the plain gamma of 2.2)."""
    return np.clip(np.asarray(srgb, np.float32), 0, 1) ** np.float32(2.2)


def to_display(linear: np.ndarray) -> np.ndarray:
    """Linear light [...] -> display RGB in [0, 1]."""
    return np.clip(linear, 0, 1) ** np.float32(1 / 2.2)


class Noise:
    """Multi-octave value noise: `noise(u, v)` lies in about [-1, 1], with features of about `size` metres.

    All noise is looked up in one random tile, each at a place of its own.
    """

    def __init__(self, rng: np.random.Generator, size: float, octaves: int = 3, stretch: float = 1.0):
        self._offset = rng.uniform(0, _TILE, 2)
        self._size, self._octaves, self._stretch = size, octaves, stretch

    def __call__(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        u, v = np.asarray(u, np.float32), np.asarray(v, np.float32)
        total, weight = np.zeros(u.shape, np.float32), 0.0
        for octave in range(self._octaves):
            frequency, share = 2.0**octave / self._size, 0.55**octave
            total += np.float32(share) * self._lookup(u * frequency, v * frequency / self._stretch, octave)
            weight += share**2
        return total / np.float32(np.sqrt(weight))

    def _lookup(self, column: np.ndarray, row: np.ndarray, octave: int) -> np.ndarray:
        count = column.size
        # cv2.remap takes a picture with no side above 32767
        places = np.zeros((2, -(-count // _ROW) * _ROW), np.float32)
        places[0, :count] = _wrap(column.ravel() + np.float32(self._offset[0] + 37.0 * octave))
        places[1, :count] = _wrap(row.ravel() + np.float32(self._offset[1] + 91.0 * octave))
        columns, rows = places.reshape(2, -1, _ROW)
        found = cv2.remap(_noise_tile(), columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        return found.ravel()[:count].reshape(column.shape)


@functools.cache
def _noise_tile() -> np.ndarray:
    """Smooth noise of _TILE x _TILE random cells, [_FINE * _TILE, _FINE * _TILE] float32; it continues at its edges."""
    cells = np.random.default_rng(0).uniform(-1, 1, (_TILE, _TILE)).astype(np.float32)
    column, row = np.meshgrid(*2 * [np.arange(_FINE * _TILE, dtype=np.float32) / _FINE])
    return cv2.remap(cells, column, row, cv2.INTER_CUBIC, borderMode=cv2.BORDER_WRAP)


def _wrap(cell: np.ndarray) -> np.ndarray:
    """Places in cells -> the same on the tile, in its pixels."""
    tiles = cell * np.float32(1 / _TILE)
    return (tiles - np.floor(tiles)) * np.float32(_FINE * _TILE)  # faster than np.mod, several times


def smooth_step(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """[...]: 0 below `low`, 1 above `high`, smooth between."""
    share = np.clip((value - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)


def mix(shares: list, colours) -> np.ndarray:
    """The sum of colours [k, 3], each times its share [...]: [..., 3] float32. k is at most 4."""
    shape = np.shape(shares[0])
    merged = cv2.merge([np.asarray(share, np.float32).reshape(-1, shape[-1]) for share in shares])
    return cv2.transform(merged, np.asarray(colours, np.float32).T.copy()).reshape(*shape, 3)


def between(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Colours [..., 3] from `first` [3], where share [...] is 0, to `second` [3], where it is 1."""
    return mix([1 - share, share], [first, second])


def lay_over(below: np.ndarray, above: np.ndarray, where: np.ndarray) -> None:
    """Copy the pixels `where` [H, W] bool of picture `above` to picture `below`, both [H, W, 3] float32."""
    cv2.copyTo(above, where.view(np.uint8), below)


def fraction(value: np.ndarray) -> np.ndarray:
    """[...]: what is left above the next lower whole number; several times faster than np.mod."""
    return value - np.floor(value)


def lines(coordinate: np.ndarray, period: float, width: float, footprint=0.0) -> np.ndarray:
    """How much of a pixel of size `footprint` (metres) a line of `width`, one every `period`, covers: [0, 1]."""
    distance = np.abs(fraction(coordinate / period + 0.5) - 0.5) * period
    blur = np.maximum(np.float32(footprint), np.float32(1e-4))
    covered = np.clip((width / 2 + blur / 2 - distance) / blur, 0, 1) * np.minimum(1, width / blur)
    # far away a pixel holds many lines and shows their mean
    fade = np.clip(2 - 2 * blur / period, 0, 1)
    return covered * fade + (width / period) * (1 - fade)


def checkers(u: np.ndarray, v: np.ndarray, size: float) -> np.ndarray:
    """Chess board of squares of `size` metres at places u, v [...]: 0 or 1."""
    return 2 * fraction((np.floor(u / size) + np.floor(v / size)) / 2)


def cell_shade(u: np.ndarray, v: np.ndarray, width: float, length: float, shift: float = 0.37) -> np.ndarray:
    """A pseudo-random value in [-1, 1] for each plank or brick; each row is shifted against the row before."""
    row = np.floor(u / width)
    column = np.floor(v / length + shift * row)
    return fraction(np.sin(row * 127.1 + column * 311.7) * 4375.85453) * 2 - 1


def bricks(u: np.ndarray, v: np.ndarray, width: float, length: float, joint: float, footprint=0.0, shift=0.5):
    """Joints (coverage in [0, 1]) and shade ([-1, 1]) of planks or bricks: rows of `width` along v, bricks of `length`.

    u runs across the rows, v along them; all in metres.
    """
    row = np.floor(u / width)
    seams = np.maximum(lines(u, width, joint, footprint), lines(v + shift * row * length, length, joint, footprint))
    return seams, cell_shade(u, v, width, length, shift)


def random_colour(rng: np.random.Generator, value=(0.25, 0.95), saturation=(0.05, 0.75)) -> np.ndarray:
    """A linear RGB colour of random hue with display brightness and saturation in the given ranges: [3]."""
    return to_linear(colorsys.hsv_to_rgb(rng.random(), rng.uniform(*saturation), rng.uniform(*value)))


def muted_colour(rng: np.random.Generator, value=(0.35, 0.9)) -> np.ndarray:
    """A linear RGB colour [3] as rooms and furniture have: mostly warm or blue-grey, never bright."""
    hue, vividness = (rng.normal(0.085, 0.035), 0.8) if rng.random() < 0.6 else (rng.uniform(0.3, 0.68), 0.5)
    return to_linear(colorsys.hsv_to_rgb(hue % 1.0, vividness * rng.beta(1.6, 4.0), rng.uniform(*value)))


def pick(rng: np.random.Generator, options: list):
    """One of `options`; each is (share, thing)."""
    ends = list(itertools.accumulate(share for share, _ in options))
    return options[bisect.bisect(ends, rng.random() * ends[-1], hi=len(ends) - 1)][1]


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of an image [H, W] or [H, W, C], sigma in pixels."""
    return cv2.GaussianBlur(image, (0, 0), sigma) if sigma > 0.05 else image


def sensor_noise(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """[H, W, 3] float32, normally distributed: one random tile, laid from a random place, and mirrored at random."""
    starts, signs = rng.integers(_GRAIN, size=2), rng.choice([-1, 1], 2)
    rows, columns = (
        (start + sign * np.arange(size)) % _GRAIN
        for start, sign, size in zip(starts, signs, (height, width), strict=True)
    )
    return _grain_tile().take(rows, axis=0).take(columns, axis=1)


@functools.cache
def _grain_tile() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((_GRAIN, _GRAIN, 3), np.float32)
