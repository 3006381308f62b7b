"""One synthetic photograph: a dressed person in a scene, with the annotations that UP-3D has.

`take_photo(stage, seed, index)` depends on its arguments only. The foreground (person, furniture, obstacles) is cast
with 2 x 2 rays per pixel and laid over a backdrop. Both receive the same light, and the foreground throws shadows. Lens
blur and sensor noise come last.
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from synthetic.body.landmarks import Landmarks, find_landmarks
from synthetic.photographs import props
from synthetic.photographs.backgrounds import make_backdrop
from synthetic.photographs.clothing_choice import Outfit, sample_outfit
from synthetic.photographs.clothing_painting import dress
from synthetic.photographs.framing import Sitter, sample_sitter
from synthetic.photographs.lighting import Light, lit_samples, lit_share, openness, sample_light
from synthetic.photographs.rooms import studio
from synthetic.photographs.textures import blur, to_display
from synthetic.photographs.view import Backdrop
from utils.body_model import BodyModel, JointRegressors
from utils.joints import ROOT
from utils.renderer import Hits, Renderer, unit, vertex_normals

SUPERSAMPLE = 2
OBSTACLE_SHARE = 0.15
# a joint counts as hidden if the surface that the camera sees lies this far in front of it, metres
HIDDEN_DEPTH = 0.20
# shadows on floor and walls are computed within this distance of the person, metres
SHADOW_REACH = 2.4


@dataclass(frozen=True)
class Stage:
    """The body model with its joint regressors, and what people wear; made once per process."""

    model: BodyModel
    regressors: JointRegressors
    clothing: str = "street"  # one of clothing_choice.CLOTHING

    @cached_property
    def rest(self) -> np.ndarray:
        """The rest pose [V, 3] float32, on which clothes are drawn."""
        return self.model.v_template.astype(np.float32)

    @cached_property
    def landmarks(self) -> Landmarks:
        """Where clothes and faces are placed."""
        return find_landmarks(self.model, self.regressors)


@dataclass(frozen=True)
class Photo:
    """A photograph with its annotations, and what it shows.

    image [H, W, 3] uint8 BGR; body: the content of a _body.pkl; joints [3, 14]: x px, y px, visible of the LSP joints;
    keypoints [24, 3]: the same of the training joints.
    """

    image: np.ndarray
    body: dict
    joints: np.ndarray
    keypoints: np.ndarray
    sitter: Sitter
    scene: "Scene"

    def box(self) -> np.ndarray:
        """[2, 2]: the lowest and the highest pixel coordinates (x, y) of the body inside the image."""
        view = self.sitter.view
        places = view.camera.project(self.sitter.vertices, view.height, view.width)
        return np.stack([places.min(axis=0), places.max(axis=0)]).clip(0, (view.width - 1, view.height - 1))

    def seen_triangles(self) -> np.ndarray:
        """[H, W]: the triangle of the body that is seen at each pixel, -1 where none is."""
        view, scene = self.sitter.view, self.scene
        triangles = scene.renderer.cast(view.camera, view.height, view.width).triangle
        return np.where(triangles < scene.num_body_faces, triangles, -1)


@dataclass(frozen=True)
class Scene:
    """Body and things as one mesh, the body's triangles first; corner_normals [F, 3, 3]."""

    renderer: Renderer
    corner_normals: np.ndarray
    body_normals: np.ndarray
    num_body_faces: int
    thing_colours: np.ndarray


def take_photo(stage: Stage, seed: int, index: int) -> Photo:
    """Photograph number `index` of the collection `seed`."""
    rng = np.random.default_rng([seed, index])
    sitter = sample_sitter(rng, stage.model)
    outfit = sample_outfit(rng, stage.clothing)
    in_studio = stage.clothing == "suit"
    backdrop = studio(rng, sitter.view) if in_studio else make_backdrop(rng, sitter.view, sitter.sampled.seated)
    light = sample_light(rng, sitter.view, backdrop.outdoors)
    things = [] if in_studio else sample_things(rng, sitter, backdrop)
    if sitter.sampled.seated:
        things.append(sample_seat(rng, stage, sitter))
    scene = build_scene(stage, sitter, things)
    hits = scene.renderer.cast(sitter.view.camera, sitter.view.height, sitter.view.width, SUPERSAMPLE)
    behind = light_backdrop(backdrop, sitter, scene, light, rng)
    front, coverage = light_foreground(stage, sitter, outfit, scene, hits, backdrop, light, rng)
    image = develop(behind * (1 - coverage) + front, rng)
    body = {
        "pose": sitter.pose,
        "betas": sitter.betas,
        "t": sitter.view.camera.translation,
        "rt": np.zeros(3),
        "f": float(sitter.view.camera.focal),
        "trans": np.zeros(3),
    }
    joints, keypoints = (
        annotate_joints(points, sitter, scene, hits)
        for points in (stage.regressors.lsp(sitter.vertices), stage.regressors.joints(sitter.vertices))
    )
    return Photo(image, body, np.ascontiguousarray(joints.T), keypoints, sitter, scene)


def sample_seat(rng: np.random.Generator, stage: Stage, sitter: Sitter) -> props.Thing:
    """What a seated person sits on."""
    pelvis = stage.model.joint_regressor[ROOT] @ sitter.vertices
    return props.seat(rng, sitter.view, sitter.vertices, sitter.yaw, pelvis)


def sample_things(rng: np.random.Generator, sitter: Sitter, backdrop: Backdrop) -> list[props.Thing]:
    """Furniture and obstacles around a person."""
    things = []
    if np.isfinite(backdrop.distance).any() and rng.random() < (0.35 if backdrop.outdoors else 0.6):
        things += props.furniture(rng, sitter.view, sitter.vertices, backdrop.depth)
    if rng.random() < OBSTACLE_SHARE:
        things.append(props.obstacle(rng, sitter.view, sitter.vertices))
    return things


def build_scene(stage: Stage, sitter: Sitter, things: list[props.Thing]) -> Scene:
    """Join the posed body and the things around it into one mesh."""
    body_faces = stage.model.faces
    body_normals = vertex_normals(sitter.vertices, body_faces)
    vertices, faces, normals = [sitter.vertices], [body_faces], [body_normals[body_faces]]
    count = len(sitter.vertices)
    for thing in things:
        corners = thing.vertices[thing.faces]
        flat = unit(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
        centre = thing.vertices.mean(axis=0)
        flat *= np.sign(((corners.mean(axis=1) - centre) * flat).sum(axis=1))[:, None]
        vertices.append(thing.vertices)
        faces.append(thing.faces + count)
        normals.append(np.repeat(flat[:, None], 3, axis=1))
        count += len(thing.vertices)
    return Scene(
        renderer=Renderer(np.concatenate(vertices), np.concatenate(faces)),
        corner_normals=np.concatenate(normals).astype(np.float32),
        body_normals=body_normals,
        num_body_faces=len(body_faces),
        thing_colours=np.concatenate([np.zeros((0, 3)), *(thing.colours for thing in things)]),
    )


def light_backdrop(backdrop: Backdrop, sitter: Sitter, scene: Scene, light: Light, rng) -> np.ndarray:
    """The backdrop [H, W, 3] under the light, with the shadows of the scene."""
    view = sitter.view
    near = np.isfinite(backdrop.distance)
    reach = np.where(near, backdrop.distance, 0.0)
    points = view.origin + view.directions * reach[..., None]
    close = near & (np.linalg.norm(points - sitter.vertices.mean(axis=0), axis=-1) < SHADOW_REACH)
    lit, open_share = np.ones(near.shape, np.float32), np.ones(near.shape, np.float32)
    lit[close] = lit_share(scene.renderer, light, points[close], backdrop.normal[close], rng, 2)
    open_share[close] = openness(scene.renderer, points[close], backdrop.normal[close], rng, 4)
    # each pixel has few rays, so neighbours are averaged
    lit = blur(lit, 1.0 + 12 * light.softness)
    open_share = blur(blur(open_share, 2.5), 2.5)
    received = light.on(backdrop.normal, lit, open_share)
    received[~near] = 1.0
    return backdrop.colour * received


def light_foreground(
    stage: Stage, sitter: Sitter, outfit: Outfit, scene: Scene, hits: Hits, backdrop: Backdrop, light: Light, rng
) -> tuple[np.ndarray, np.ndarray]:
    """Person and things under the light: colour times coverage [H, W, 3], and coverage [H, W, 1]."""
    mask, seen = hits.mask, hits.triangle[hits.mask]
    person = seen < scene.num_body_faces
    normals = unit(hits.interpolate(scene.corner_normals))
    points = hits.interpolate(scene.renderer.vertices[scene.renderer.faces])
    colour = np.empty((len(seen), 3), np.float32)
    gloss, open_share = np.full(len(seen), 0.05, np.float32), np.ones(len(seen), np.float32)

    corners, weights = stage.model.faces[seen[person]], hits.barycentric[mask][person][..., None]
    rest = (stage.rest[corners] * weights).sum(axis=1)
    worn = dress(outfit, rest, stage.landmarks)
    colour[person], gloss[person] = worn.colour, worn.gloss
    normals[person] = unit(normals[person] + fold(rest, normals[person], worn.cloth, outfit.seed))
    body_open = openness(scene.renderer, sitter.vertices, scene.body_normals, rng)
    open_share[person] = (body_open[corners][..., None] * weights).sum(axis=(1, 2))
    colour[~person] = scene.thing_colours[seen[~person] - scene.num_body_faces]

    rows, columns = np.nonzero(mask)
    lit = lit_samples(scene.renderer, light, points, normals, 2 * (rows % 2) + columns % 2)
    shone = colour * light.on(normals, lit, open_share)
    shone = shone + (gloss * light.highlight(normals, lit))[:, None] * light.direct

    # parts of things may lie behind a wall
    size = (mask.shape[1], mask.shape[0])
    limit = cv2.resize(backdrop.distance, size, interpolation=cv2.INTER_NEAREST)[mask] + 0.02
    shown = person | (hits.depth[mask] < limit)
    samples = np.zeros((*mask.shape, 4), np.float32)
    samples[mask] = np.concatenate([np.minimum(shone, 1.5), np.ones((len(seen), 1))], axis=1) * shown[:, None]
    small = cv2.resize(samples, (sitter.view.width, sitter.view.height), interpolation=cv2.INTER_AREA)
    return small[..., :3], small[..., 3:]


def fold(rest: np.ndarray, normals: np.ndarray, strength: np.ndarray, seed: int) -> np.ndarray:
    """The change [N, 3] of normals [N, 3] at rest positions [N, 3] by folds of cloth: a sum of bent waves."""
    rng = np.random.default_rng([seed, 1])
    bend = np.zeros_like(normals)
    for wavelength in (0.16, 0.11, 0.08, 0.05, 0.035):
        direction = unit(rng.normal(size=3) * [1, 0.8, 1])
        warp = 1.5 * np.sin(rest @ rng.normal(size=3) * 9 + rng.uniform(0, 6))
        phase = rest @ direction * (2 * np.pi / wavelength) + warp + rng.uniform(0, 2 * np.pi)
        bend += 0.085 * np.cos(phase)[:, None] * direction
    along = (bend * normals).sum(axis=1, keepdims=True)
    return (bend - along * normals) * strength[:, None]


def develop(linear: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Linear RGB [H, W, 3] -> BGR uint8 as a modest camera would store it."""
    height, width = linear.shape[:2]
    down, across = (np.linspace(-0.5, 0.5, size, dtype=np.float32) ** 2 for size in (height, width))
    vignette = 1 - np.float32(rng.uniform(0, 0.5)) * (down[:, None] + across)
    exposed = linear.astype(np.float32) * (np.float32(rng.uniform(0.85, 1.2)) * vignette)[..., None]
    # bright values are compressed softly instead of cut off
    exposed = np.where(exposed > 0.7, 0.7 + 0.3 * np.tanh((exposed - 0.7) / 0.3), exposed)
    picture = blur(to_display(exposed), rng.uniform(0.25, 0.6))
    picture = picture + rng.standard_normal(picture.shape, np.float32) * np.float32(rng.uniform(0.003, 0.012))
    return np.clip(np.rint(255 * picture[..., ::-1]), 0, 255).astype(np.uint8)


def annotate_joints(joints: np.ndarray, sitter: Sitter, scene: Scene, hits: Hits) -> np.ndarray:
    """Joints [N, 3] of the posed body in the image, [N, 3]: x, y in pixels, visible 0 or 1.

    A joint is visible if it lies in the image and neither a thing nor another part of the body hides it.
    """
    view = sitter.view
    pixels = view.camera.project(joints, view.height, view.width)
    inside = ((pixels >= 0) & (pixels <= [view.width - 1, view.height - 1])).all(axis=1)
    sample = np.clip(np.rint(pixels * SUPERSAMPLE), 0, np.array(hits.triangle.shape)[::-1] - 1).astype(int)
    triangle, depth = hits.triangle[sample[:, 1], sample[:, 0]], hits.depth[sample[:, 1], sample[:, 0]]
    distance = joints[:, 2] + view.camera.translation[2]
    thing = triangle - scene.num_body_faces
    blocked = np.where(thing >= 0, depth < distance, depth < distance - HIDDEN_DEPTH)
    return np.stack([pixels[:, 0], pixels[:, 1], inside & ~blocked], axis=1).astype(np.float64)
