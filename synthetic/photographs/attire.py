"""Clothes and hair as shapes: how far they stand off the body, and the meshes that hang on it, skirts and long hair.

What is close to the body moves its vertices outwards. What hangs is a mesh of its own at rest, with weights of the
joints, so that linear blend skinning moves both. Annotations are of the body below; photographs show its clothes.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse
from scipy.spatial import cKDTree

from synthetic.body.landmarks import Landmarks
from synthetic.photographs import clothing_regions as regions
from synthetic.photographs.clothing_choice import Outfit
from synthetic.photographs.hair import hair_thickness, hanging_hair
from synthetic.photographs.hanging import BODY, Hanging
from synthetic.photographs.shoes import shoes
from synthetic.photographs.skirts import skirt
from synthetic.photographs.textures import smooth_step
from utils.body_model import BodyModel, joint_transforms, pose_correctives, shape_vertices, skin
from utils.renderer import vertex_normals

SMOOTHING = 24  # rounds in which each vertex moves half way to the mean of its neighbours
DEEPEST = 0.03  # metres of a hollow that cloth spans
SHAFT = 0.006  # thickness of a boot, metres
HEM = 0.02  # metres within which cloth rises from the skin


@dataclass(frozen=True)
class Attire:
    """What one person wears as shapes. displacements [V, 3] of the rest body, metres; hanging: meshes at rest.

    nearest [n]: for each vertex of these, the vertex of the body whose shape it follows.
    """

    displacements: np.ndarray
    hanging: list[Hanging]
    nearest: np.ndarray

    def pose(self, model: BodyModel, pose: np.ndarray, betas: np.ndarray) -> np.ndarray:
        """Vertices [V + n, 3] of the dressed body, and of what hangs on it, for a pose [72]."""
        shaped = shape_vertices(model, betas)
        moved = joint_transforms(model, pose, shaped)
        body = skin(model.weights, shaped + pose_correctives(model, pose) + self.displacements, *moved)
        if not self.hanging:
            return body
        points = self.hanging_rest() + (shaped - model.v_template)[self.nearest]
        return np.concatenate([body, skin(np.concatenate([part.weights for part in self.hanging]), points, *moved)])

    def hanging_rest(self) -> np.ndarray:
        """[n, 3]: the vertices of what hangs on the rest body."""
        return np.concatenate([np.zeros((0, 3)), *(part.vertices for part in self.hanging)])

    def faces(self, model: BodyModel) -> np.ndarray:
        """[F + m, 3]: the triangles between these vertices, the body's first."""
        faces, count = [model.faces], len(model.v_template)
        for part in self.hanging:
            faces.append(part.faces + count)
            count += len(part.vertices)
        return np.concatenate(faces)

    def body_triangles(self, model: BodyModel) -> np.ndarray:
        """[F + m]: for each triangle, one of the body: itself, or one that it hangs near."""
        owner = np.zeros(len(model.v_template), int)
        owner[model.faces.ravel()] = np.repeat(np.arange(len(model.faces)), 3)
        hanging = self.faces(model)[len(model.faces) :, 0] - len(model.v_template)
        return np.concatenate([np.arange(len(model.faces)), owner[self.nearest[hanging]]])

    def kinds(self, model: BodyModel) -> np.ndarray:
        """[F + m] uint8: BODY, or what kind of hanging mesh a triangle belongs to."""
        kinds = [np.full(len(part.faces), part.kind, np.uint8) for part in self.hanging]
        return np.concatenate([np.full(len(model.faces), BODY, np.uint8), *kinds])


@dataclass(frozen=True)
class RestBody:
    """The rest pose [V, 3] of a body as clothes need it, and its landmarks."""

    model: BodyModel
    marks: Landmarks

    @property
    def vertices(self) -> np.ndarray:
        """[V, 3], metres."""
        return self.model.v_template

    @cached_property
    def normals(self) -> np.ndarray:
        """[V, 3], unit vectors."""
        return vertex_normals(self.vertices, self.model.faces)

    @cached_property
    def hollows(self) -> np.ndarray:
        """[V]: how deep each vertex lies in a hollow, metres."""
        starts, ends = self.model.faces.ravel(), np.roll(self.model.faces, -1, axis=1).ravel()
        near = scipy.sparse.coo_matrix((np.ones(len(starts)), (starts, ends)), 2 * (len(self.vertices),)).tocsr()
        near = near + near.T
        mean = scipy.sparse.diags(1 / np.maximum(np.asarray(near.sum(axis=1)).ravel(), 1)) @ near
        smooth = self.vertices
        for _ in range(SMOOTHING):
            smooth = 0.5 * (smooth + mean @ smooth)
        return np.clip(((smooth - self.vertices) * self.normals).sum(axis=1), 0, DEEPEST)

    @cached_property
    def tree(self) -> cKDTree:
        """Finds the vertices near a point."""
        return cKDTree(self.vertices)

    @cached_property
    def shoes(self) -> list[Hanging]:
        """Shells around the feet."""
        return shoes(self.vertices, self.marks)


def make_attire(outfit: Outfit, body: RestBody) -> Attire:
    """The shapes of an outfit on a body."""
    thickness, dressed_up = hair_thickness(outfit, body.vertices, body.marks), outfit.suit is None
    if dressed_up:
        thickness = np.maximum(thickness, _cloth_thickness(outfit, body))
    displacements = thickness[:, None] * body.normals
    hanging = hanging_hair(outfit, body.vertices + displacements, body.marks)
    if dressed_up:
        hanging += body.shoes
    if dressed_up and outfit.skirt:
        hanging.append(skirt(outfit, body.vertices + displacements, body.marks))
    points = np.concatenate([np.zeros((0, 3)), *(part.vertices for part in hanging)])
    return Attire(displacements, hanging, body.tree.query(points)[1])


def _cloth_thickness(outfit: Outfit, body: RestBody) -> np.ndarray:
    """[V]: metres by which clothes stand off the body. Cloth spans hollows; loose cloth widens towards its end."""
    rest, marks = body.vertices, body.marks
    top = regions.top_reach(outfit, rest, marks)
    along = marks.along_arm(rest)
    falling = smooth_step(-rest[:, 1], -marks.chest, -marks.waist)
    widening = np.where(along > 0, np.clip(along / max(outfit.sleeve, 0.3), 0, 1), falling)
    thickness = _raised(top, body.hollows + 0.003 + outfit.top_ease * (0.25 + 0.75 * widening))
    if not outfit.skirt:
        legs = regions.legs_reach(outfit, rest, marks)
        widening = np.clip(marks.along_leg(rest) / max(outfit.leg_length, 0.3), 0, 1)
        trousers = _raised(legs, body.hollows + 0.002 + outfit.bottom_ease * (0.3 + 0.7 * widening))
        thickness = np.maximum(thickness, trousers)
    # the shafts of boots; shells around the feet are the rest of the shoes
    shaft = np.minimum(regions.shoe_reach(outfit, rest, marks), rest[:, 1] - marks.leg[2])
    return np.maximum(thickness, _raised(shaft, body.hollows + SHAFT))


def _raised(reach: np.ndarray, thickness: np.ndarray) -> np.ndarray:
    return smooth_step(reach, -0.4 * HEM, 0.6 * HEM) * thickness
