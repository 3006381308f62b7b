"""Scenes: what a page's viewer shows at a time, as the scripts take them (viewer/meshes.js).

Meshes are y up, in metres. Places of vertices are stored as int16 around the middle of the mesh: a body of two metres
is off by at most 0.02 mm. A frame of a moving mesh is 24 quaternions as int16 and the place of the root as float32, 204
bytes, which base64 makes 272.
"""

import html

import numpy as np

from viewer.page import encode_array, json_tag

PREDICTED_MESH, FITTED_BODY = "predicted mesh", "fitted body"  # names of variants
LARGEST = 32767  # of int16


def still_mesh(
    vertices: np.ndarray,
    name: str = "",
    colour: tuple[float, float, float] | None = None,
    errors: np.ndarray | None = None,
    place: np.ndarray | None = None,
) -> dict:
    """Describe a mesh [V, 3] of finite numbers.

    name: of the person, for the switch between the people of a scene; without names there is none. colour: RGB, 0 to
    1; errors [V], mm, colour the vertices instead. place [3]: where the middle of the mesh's box goes; None: it stays.
    """
    low, high = vertices.min(0), vertices.max(0)
    middle = (low + high) / 2
    step = max(float((high - low).max()) / 2, 1e-6) / LARGEST
    mesh = {
        "name": name,
        "vertices": encode_array(np.rint((vertices - middle) / step).astype(np.int16)),
        "step": step,
        "place": np.asarray(middle if place is None else place, np.float64).tolist(),
    }
    if colour is not None:
        mesh["colour"] = [round(255 * value) for value in colour]
    if errors is not None:
        mesh["errors"] = encode_array(np.asarray(errors, np.float32))
    return mesh


def moving_mesh(
    vertices: np.ndarray,
    joints: np.ndarray,
    quaternions: np.ndarray,
    roots: np.ndarray,
    first_frame: int,
    name: str,
    colour: tuple[float, float, float],
) -> dict:
    """Describe a person over T frames of a video, from first_frame on; the page needs `skin`, see page.end_page.

    At rest: vertices [V, 3] and joints [24, 3]. In each frame: quaternions [T, 24, 4] (x, y, z, w), relative to the
    parent, and the places of the root joint [T, 3].
    """
    return still_mesh(vertices, name, colour) | {
        "joints": joints.tolist(),
        "quaternions": encode_array(np.rint(quaternions * LARGEST).astype(np.int16)),
        "roots": encode_array(roots.astype(np.float32)),
        "first_frame": first_frame,
    }


def scene_tag(name: str, text: str, variants: dict[str, list[dict]], frame_rate: float | None = None) -> str:
    """The element of a scene.

    variants: the same people in several ways, by the word on the switch between them; frame_rate: Hz, of moving meshes.
    """
    scene = {"text": text, "variants": variants, "frame_rate": frame_rate}
    return json_tag(scene, f'class="scene" data-name="{html.escape(name)}"')
