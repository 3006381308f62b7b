"""docs/animation.md and what makes its picture. Blender itself is not there: its scripts are read, not run."""

import ast
import re

import numpy as np
import pytest

from scripts.draw_animation import MARGIN, SIDE, crop, read_box, surround
from synthetic.photographs.videos import Lens, stage_take
from synthetic.stages import Collection, open_stage
from tests.conftest import REPOSITORY
from tests.helpers.pages import read
from utils import config
from utils.body_model import pose_vertices
from utils.errors import UserError
from utils.joints import SMPL_JOINTS

BLENDER = REPOSITORY / "scripts/blender"


def constants(file: str) -> dict:
    """The literal constants at the top of one of Blender's scripts."""
    found = {}
    for node in ast.parse((BLENDER / file).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict | ast.Tuple | ast.Constant):
            names = [name.id for name in node.targets if isinstance(name, ast.Name)]
            values = [node.value] if len(names) == 1 else []
            for name, value in zip(names, values, strict=False):
                try:
                    found[name] = ast.literal_eval(value)
                except ValueError:  # computed from others
                    continue
    return found


def test_every_joint_but_the_hands_has_a_bone_of_rigify():
    known = constants("retarget.py")
    sided = {f"{side}_{joint}" for side in known["SIDES"] for joint in known["SIDE"]}
    assert sided | set(known["SPINE"]) == set(SMPL_JOINTS) - {"left_hand", "right_hand"}
    assert {joint for limb in known["LIMBS"] for joint in limb} <= set(known["SIDE"])


def test_the_script_on_the_page_does_what_render_py_does():
    (block,) = re.findall(r"```python\n(.*?)```", read("docs/animation.md"), re.DOTALL)

    def calls(text: str) -> set[str]:
        return {ast.unparse(node.func) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)}

    shown = {name for name in calls(block) if name.startswith("bpy.")}
    assert len(shown) > 4 and shown <= calls((BLENDER / "render.py").read_text(encoding="utf-8"))


def test_the_box_holds_the_person_in_all_frames(generated_root, monkeypatch):
    monkeypatch.setattr(config, "_root", generated_root)
    model = open_stage(Collection()).model
    take = stage_take(model, 0, 2, 5, Lens(1500.0, (270.0, 480.0), 960, 540), leaves=False)
    x, y, width, height = surround(model, take)
    points = np.concatenate(
        [pose_vertices(model, pose, take.betas) + place for pose, place in zip(take.pose, take.place, strict=True)]
    )
    pixels = 1500 * points[:, :2] / points[:, 2:] + (270, 480)
    low, size = pixels.min(axis=0), np.ptp(pixels, axis=0)
    np.testing.assert_allclose([x, y], (low - MARGIN * size).clip(0), atol=0.6)
    np.testing.assert_allclose([x + width, y + height], (low + (1 + MARGIN) * size).clip(0, (540, 960)), atol=0.6)


def test_the_crop_is_the_square_nearest_to_the_box():
    picture = np.zeros((960, 540, 3), np.uint8)
    picture[500:, :, 1] = 255
    assert crop(picture, (100, 700, 100, 300))[0].max() == 0  # from row 420 on: 960 - 540
    assert crop(picture, (100, 700, 100, 300)).shape == (SIDE, SIDE, 3)
    assert crop(picture, (100, 0, 100, 100)).mean() < crop(picture, (100, 400, 100, 100)).mean()


def test_a_box_that_is_none_is_refused():
    assert read_box("1,2,30,40") == (1, 2, 30, 40)
    for words in ("1,2,3", "here"):
        with pytest.raises(UserError, match="--bbox"):
            read_box(words)
