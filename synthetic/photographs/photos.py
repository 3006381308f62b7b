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
from synthetic.photographs.attire import Attire, RestBody, make_attire
from synthetic.photographs.backgrounds import make_backdrop
from synthetic.photographs.clothing_choice import Outfit, sample_outfit
from synthetic.photographs.clothing_painting import dress
from synthetic.photographs.framing import Sitter, sample_sitter
from synthetic.photographs.lighting import SETS, Light, lit_samples, openness, sample_light
from synthetic.photographs.rooms import studio
from synthetic.photographs.shadows import light_backdrop
from synthetic.photographs.textures import blur, sensor_noise, to_display
from synthetic.photographs.view import Backdrop
from utils.body_model import BodyModel, JointRegressors
from utils.joints import ROOT
from utils.renderer import Hits, Renderer, unit, vertex_normals

SUPERSAMPLE = 2
OBSTACLE_SHARE = 0.15
BODY_RAYS = 9  # from each vertex of the body, for its ambient occlusion
WAVELENGTHS = (0.16, 0.11, 0.08, 0.05, 0.035)  # of folds of cloth, metres
# a joint counts as hidden if the surface that the camera sees lies this far in front of it, metres
HIDDEN_DEPTH = 0.20


@dataclass(frozen=True)
class Stage:
    """The body model with its joint regressors, and what people wear; made once per process."""

    model: BodyModel
    regressors: JointRegressors
    clothing: str = "street"  # one of clothing_choice.CLOTHING
    img_res: int = 224  # side of the crops that photographs are for, px

    @cached_property
    def rest(self) -> np.ndarray:
        """The rest pose [V, 3] float32, on which clothes are drawn."""
        return self.model.v_template.astype(np.float32)

    @cached_property
    def rest_body(self) -> RestBody:
        """The same, as clothes need it."""
        return RestBody(self.model, self.landmarks)

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
        """[H, W]: the triangle of the body at each pixel, or the one below what is worn there; -1 where none is."""
        view, scene = self.sitter.view, self.scene
        triangles = scene.renderer.cast(view.camera, view.height, view.width).triangle
        is_person = (triangles >= 0) & (triangles < len(scene.faces))
        return np.where(is_person, scene.body_triangles[np.where(is_person, triangles, 0)], -1)


@dataclass(frozen=True)
class Scene:
    """Person and things as one mesh, of F triangles; those of the body come first, then what hangs on it.

    corner_normals [F, 3, 3]. Of the person's triangles [P]: corners `faces` [P, 3], rest positions of these
    `rest_corners` [P, 3, 3], `kinds` of surface, and `body_triangles` at which they are; normals of the person's
    vertices. thing_colours [F - P, 3].
    """

    renderer: Renderer
    corner_normals: np.ndarray
    normals: np.ndarray
    faces: np.ndarray
    rest_corners: np.ndarray
    kinds: np.ndarray
    body_triangles: np.ndarray
    thing_colours: np.ndarray


def take_photo(stage: Stage, seed: int, index: int) -> Photo:
    """Photograph number `index` of the collection `seed`."""
    rng = np.random.default_rng([seed, index])
    sitter = sample_sitter(rng, stage.model, stage.img_res)
    outfit = sample_outfit(rng, stage.clothing)
    in_studio = stage.clothing == "suit"
    backdrop = studio(rng, sitter.view) if in_studio else make_backdrop(rng, sitter.view, sitter.sampled.seated)
    light = sample_light(rng, sitter.view, backdrop.outdoors)
    things = [] if in_studio else sample_things(rng, sitter, backdrop)
    if sitter.sampled.seated:
        things.append(sample_seat(rng, stage, sitter))
    scene = build_scene(stage, sitter, make_attire(outfit, stage.rest_body), things)
    hits = scene.renderer.cast(sitter.view.camera, sitter.view.height, sitter.view.width, SUPERSAMPLE)
    behind = light_backdrop(backdrop, sitter, scene.renderer, light, rng)
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


def build_scene(stage: Stage, sitter: Sitter, attire: Attire, things: list[props.Thing]) -> Scene:
    """Join the posed person, dressed, and the things around into one mesh."""
    model = stage.model
    person, person_faces = attire.pose(model, sitter.pose, sitter.betas), attire.faces(model)
    person_normals = vertex_normals(person, person_faces)
    vertices, faces, normals = [person], [person_faces], [person_normals[person_faces]]
    count = len(person)
    for thing in things:
        corners = thing.vertices[thing.faces]
        flat = unit(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
        centre = thing.vertices.mean(axis=0)
        flat *= np.sign(((corners.mean(axis=1) - centre) * flat).sum(axis=1))[:, None]
        vertices.append(thing.vertices)
        faces.append(thing.faces + count)
        normals.append(np.repeat(flat[:, None], 3, axis=1))
        count += len(thing.vertices)
    rest = np.concatenate([model.v_template, attire.hanging_rest()]).astype(np.float32)
    return Scene(
        renderer=Renderer(np.concatenate(vertices), np.concatenate(faces)),
        corner_normals=np.concatenate(normals).astype(np.float32),
        normals=person_normals,
        faces=person_faces,
        rest_corners=rest[person_faces],
        kinds=attire.kinds(model),
        body_triangles=attire.body_triangles(model),
        thing_colours=np.concatenate([np.zeros((0, 3)), *(thing.colours for thing in things)]),
    )


def light_foreground(
    stage: Stage, sitter: Sitter, outfit: Outfit, scene: Scene, hits: Hits, backdrop: Backdrop, light: Light, rng
) -> tuple[np.ndarray, np.ndarray]:
    """Person and things under the light: colour times coverage [H, W, 3], and coverage [H, W, 1]."""
    view, triangle = sitter.view, hits.triangle.ravel()[hits.seen]
    row, column = np.divmod(hits.seen, hits.triangle.shape[1])
    normals = unit(hits.interpolate(scene.corner_normals))
    points = hits.interpolate(scene.renderer.vertices.take(scene.renderer.faces, axis=0))
    colour = np.empty((len(triangle), 3), np.float32)
    gloss, open_share = np.full(len(triangle), 0.05, np.float32), np.ones(len(triangle), np.float32)

    things = np.flatnonzero(triangle >= len(scene.faces))
    colour[things] = scene.thing_colours[triangle[things] - len(scene.faces)]
    person = np.flatnonzero(triangle < len(scene.faces))
    seen, weights = triangle[person], hits.barycentric.reshape(-1, 3).take(hits.seen[person], axis=0)
    rest = np.einsum("nk,nkc->nc", weights, scene.rest_corners.take(seen, axis=0))
    worn = dress(outfit, rest, scene.kinds[seen], stage.landmarks)
    colour[person], gloss[person] = worn.colour, worn.gloss
    normals[person] = unit(normals[person] + fold(rest, normals[person], worn.cloth, outfit.seed))
    open_share[person] = np.einsum("nk,nk->n", weights, _openness(scene, seen, rng)[scene.faces.take(seen, axis=0)])

    lit = lit_samples(scene.renderer, light, points, normals, 2 * (row % 2) + column % 2)
    shone = colour * light.on(normals, lit, open_share)
    shone += (gloss * light.highlight(normals, lit))[:, None] * light.direct

    samples = np.zeros((*hits.triangle.shape, 4), np.float32)
    flat, shown = samples.reshape(-1, 4), np.ones(len(triangle), np.float32)
    # parts of things may lie behind a wall
    limit = backdrop.distance[row[things] // SUPERSAMPLE, column[things] // SUPERSAMPLE] + 0.02
    shown[things] = hits.depth.ravel()[hits.seen[things]] < limit
    flat[hits.seen, :3], flat[hits.seen, 3] = np.minimum(shone, 1.5) * shown[:, None], shown
    small = cv2.resize(samples, (view.width, view.height), interpolation=cv2.INTER_AREA)
    return small[..., :3], small[..., 3:]


def _openness(scene: Scene, seen: np.ndarray, rng) -> np.ndarray:
    """[V]: how open the person's vertices are to the sky, computed for the triangles `seen` [n]."""
    share, is_seen = np.ones(len(scene.normals), np.float32), np.zeros(len(scene.normals), bool)
    is_seen[scene.faces[seen]] = True
    vertex = np.flatnonzero(is_seen)
    points = scene.renderer.vertices.take(vertex, axis=0)
    share[vertex] = openness(scene.renderer, points, scene.normals[vertex], vertex % SETS, rng, BODY_RAYS)
    return share


def fold(rest: np.ndarray, normals: np.ndarray, strength: np.ndarray, seed: int) -> np.ndarray:
    """The change [N, 3] of normals [N, 3] at rest positions [N, 3] by folds of cloth: a sum of bent waves."""
    rng = np.random.default_rng([seed, 1])
    count, period = len(WAVELENGTHS), 2 * np.pi
    directions = unit(rng.normal(size=(count, 3)) * [1, 0.8, 1]).astype(np.float32)
    waves = directions.T * (period / np.array(WAVELENGTHS, np.float32))
    warps = 9 * rng.normal(size=(3, count)).astype(np.float32)
    starts, warp_starts = (rng.uniform(0, period, count).astype(np.float32) for _ in range(2))
    phases = rest @ waves + starts + np.float32(1.5) * np.sin(rest @ warps + warp_starts)
    bend = np.float32(0.085) * np.cos(phases) @ directions
    along = np.einsum("nk,nk->n", bend, normals)
    return (bend - along[:, None] * normals) * strength[:, None]


def develop(linear: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Linear RGB [H, W, 3] -> BGR uint8 as a modest camera would store it."""
    height, width = linear.shape[:2]
    down, across = (np.linspace(-0.5, 0.5, size, dtype=np.float32) ** 2 for size in (height, width))
    vignette = rng.uniform(0.85, 1.2) * (1 - rng.uniform(0, 0.5) * (down[:, None] + across))
    exposed = linear * cv2.merge(3 * [vignette])
    # values above 0.7 are compressed softly instead of cut off
    exposed = np.minimum(exposed, 0.7 + 0.3 * np.tanh((exposed - 0.7) / 0.3))
    picture = blur(to_display(exposed), rng.uniform(0.25, 0.6))
    picture += sensor_noise(rng, height, width) * rng.uniform(0.003, 0.012)
    return cv2.cvtColor(cv2.convertScaleAbs(np.maximum(picture, 0), alpha=255), cv2.COLOR_RGB2BGR)


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
    thing = triangle - len(scene.faces)
    blocked = np.where(thing >= 0, depth < distance, depth < distance - HIDDEN_DEPTH)
    return np.stack([pixels[:, 0], pixels[:, 1], inside & ~blocked], axis=1).astype(np.float64)
