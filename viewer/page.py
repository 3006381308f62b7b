"""Make a page of one .html file: style, scripts, pictures and meshes are inside, so it needs no network.

A page is the text of `start_page`, any HTML with VIEWER in it, scenes (viewer/scenes.py), and the text of `end_page`.
VIEWER is the canvas with its switches. It shows the first scene, and that of a button data-scene="NAME" on a click.
"""

import base64
import html
import json
from pathlib import Path

import cv2
import numpy as np

FOLDER = Path(__file__).parent
SCRIPTS = ("meshes.js", "drawing.js", "viewer.js")
JPEG_QUALITY = 88


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


VIEWER = _read("viewer.html")


def start_page(heading: str, title: str) -> str:
    """The page up to its content: heading and, below it and in the browser's tab, title; plain text."""
    words = {"heading": html.escape(heading), "title": html.escape(title), "style": _read("style.css")}
    page = _read("start.html")
    for name, text in words.items():
        page = page.replace(f"{{{{{name}}}}}", text)
    return page


def end_page(
    faces: np.ndarray, limit: float = 0.0, skin: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
) -> str:
    """The end of a page, with what all its meshes share.

    faces [F, 3]; limit: the error in mm from which on a vertex is red. skin, which moving meshes need: the parents
    [24], -1 for the root, and for each vertex four joints [V, 4] uint8 with their weights [V, 4] float32, of sum 1.
    """
    shared = {"faces": encode_array(faces.astype(np.uint32)), "limit": limit}
    if skin is not None:
        parents, joints, weights = skin
        shared |= {"parents": parents.tolist(), "joints": encode_array(joints), "weights": encode_array(weights)}
    scripts = "\n".join(_read(name) for name in SCRIPTS)
    data = json_tag(shared, 'id="shared"')
    return f"{data}<script>\n{scripts}</script>\n</body>\n</html>\n"


def json_tag(content: dict, attributes: str) -> str:
    """An element that holds `content` for the scripts."""
    text = json.dumps(content).replace("</", "<\\/")  # "</script>" inside a word would end the element
    return f'<script type="application/json" {attributes}>{text}</script>\n'


def figure(picture: np.ndarray, caption: str) -> str:
    """An RGB picture [H, W, 3] uint8 with words below it."""
    words = html.escape(caption)
    return f'<figure><img src="{_data_address(picture)}" alt="{words}"><figcaption>{words}</figcaption></figure>'


def _data_address(picture: np.ndarray) -> str:
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    _, content = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return f"data:image/jpeg;base64,{base64.b64encode(content.tobytes()).decode()}"


def encode_array(array: np.ndarray) -> str:
    """The bytes of an array [...] in base64, row by row."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
