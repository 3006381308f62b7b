"""A plain z-buffer: the witness for the ray caster. One triangle after the other, in float64."""

import numpy as np

from utils.camera import PerspectiveCamera

AREA_EPSILON = 1e-12  # square pixels; a triangle seen from its edge covers nothing


def z_buffer(vertices, faces, face_uv, camera, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Mask [H, W] and perspective-correct uv [H, W, 2] of a mesh; a pixel's point is its integer coordinate."""
    perspective = isinstance(camera, PerspectiveCamera)
    pixels = camera.project(vertices, height, width)
    depths = vertices[:, 2] + (camera.translation[2] if perspective else 0)
    nearest, uv = np.full((height, width), np.inf), np.zeros((height, width, 2))
    for face, corner_uv in zip(faces, face_uv, strict=True):
        a, b, c = pixels[face]
        left, top = np.maximum(np.ceil(np.minimum(np.minimum(a, b), c)), 0).astype(int)
        right, bottom = np.floor(np.maximum(np.maximum(a, b), c)).astype(int)
        right, bottom = min(right, width - 1), min(bottom, height - 1)
        area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
        if left > right or top > bottom or abs(area) < AREA_EPSILON:
            continue
        y, x = np.mgrid[top : bottom + 1, left : right + 1]
        second = ((x - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (y - a[1])) / area
        third = ((b[0] - a[0]) * (y - a[1]) - (x - a[0]) * (b[1] - a[1])) / area
        weights = np.stack([1 - second - third, second, third], axis=-1)
        inside = weights.min(axis=-1) >= 0
        if perspective:
            weights = weights / depths[face]
            weights /= weights.sum(axis=-1, keepdims=True)
        depth = weights @ depths[face]
        window = (slice(top, bottom + 1), slice(left, right + 1))
        nearer = inside & (depth < nearest[window])
        nearest[window][nearer] = depth[nearer]
        uv[window][nearer] = (weights @ corner_uv)[nearer]
    return np.isfinite(nearest), uv
