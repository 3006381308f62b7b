"""Write the files of one photograph: pictures, meshes, rigged bodies and numbers of every person in it."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from reconstruction.body_fits import FittedBody
from reconstruction.inputs import Photo
from reconstruction.mesh_files import Texture, write_meshes, write_textured
from reconstruction.people import Person
from reconstruction.rigged_glb import write_rigged
from reconstruction.texture import TextureMaker
from reconstruction.turntable import draw_turntable, write_turntable
from utils.body_model import BodyModel
from utils.camera import PerspectiveCamera, perspective_from_weak
from utils.files import write_npz, write_png
from utils.joints import ROOT
from utils.objfile import ObjMesh
from utils.pictures import draw_mesh, draw_turned, iuv_colours
from viewer.scenes import FITTED_BODY, PREDICTED_MESH

COLOURS = ((0.55, 0.70, 0.95), (0.95, 0.72, 0.50), (0.62, 0.85, 0.62), (0.90, 0.62, 0.80), (0.90, 0.86, 0.52))
VIEWS = {"side": 90, "back": 180}  # degrees about the vertical axis
VIEW_SIZE = 512  # px
FILL = 0.9  # share of a view's side that the mesh takes
FITTED = "fitted_"  # before the word for a picture of the fitted body


@dataclass(frozen=True)
class ResultWriter:
    """Writes everything about the people of a photograph below `folder`.

    {name}_overlay.png shows all people, {name}_fitted_overlay.png the bodies that are fitted to them. The other files
    are called {name}_* if there is one person, otherwise {name}_person{k}_*.
    """

    folder: Path
    atlas: ObjMesh  # the faces of the meshes, and their places in the atlas
    model: BodyModel | None = None  # the one that is fitted to the people
    make_texture: TextureMaker | None = None
    turntable: bool = False
    focal: float | None = None  # px; None: the diagonal of each photograph

    def __call__(self, photo: Photo, people: list[Person]) -> dict[str, np.ndarray]:
        """Write the files of one photograph; returns everyone over it as RGB [H, W, 3] uint8, by kind of mesh."""
        meshes, bodies = {}, {}
        for index, (name, person) in enumerate(zip(name_people(photo, people), people, strict=True)):
            colour = COLOURS[index % len(COLOURS)]
            stem = self.folder / name
            meshes[stem] = (person.vertices.astype(np.float64), person.image_camera, colour)
            if isinstance(person.body, FittedBody):
                bodies[stem] = (person.body.vertices, person.image_camera, colour)
            self._write_person(stem, photo, person)
            if self.turntable:
                frames = draw_turntable(photo.image, person.square, person.vertices, self.atlas.faces, colour)
                write_turntable(f"{stem}_turntable.gif", frames)
        pictures = {PREDICTED_MESH: self._write_pictures(photo, meshes, len(people))}
        if bodies:
            pictures[FITTED_BODY] = self._write_pictures(photo, bodies, len(people), FITTED)
        return pictures

    def _write_person(self, stem: Path, photo: Photo, person: Person) -> None:
        vertices = person.vertices.astype(np.float64)
        _write_rgb(f"{stem}_iuv.png", iuv_colours(person.iuv, VIEW_SIZE))
        write_meshes(stem, vertices, self.atlas)
        write_npz(f"{stem}.npz", **_numbers(photo, person, self.atlas), **self._body_numbers(photo, person))
        texture = None
        if self.make_texture is not None:
            colours, _ = self.make_texture(photo.image, vertices, person.image_camera)
            texture = Texture.of(self.atlas, colours[..., ::-1])
            write_textured(stem, vertices, self.atlas, texture)
        if self.model is not None and isinstance(person.body, FittedBody):
            body = person.body
            write_rigged(f"{stem}_rigged.glb", self.model, body.betas, body.pose[None], body.translation[None],
                         texture=texture)  # fmt: skip

    def _body_numbers(self, photo: Photo, person: Person) -> dict:
        if not isinstance(person.body, FittedBody):
            return {}
        body, camera = person.body, pinhole_camera(photo, person, self.focal)
        arrays = {
            "pose": body.pose, "betas": body.betas, "translation": body.translation, "joints": body.joints,
            "focal_length": camera.focal, "camera_translation": camera.translation,
        }  # fmt: skip
        return {name: np.asarray(value, np.float32) for name, value in arrays.items()}

    def _write_pictures(self, photo: Photo, drawn: dict, num_people: int, word: str = "") -> np.ndarray:
        """Draw vertices with camera and colour from the side and behind, and on the photograph, alone and together.

        Returns the picture of all together. The larger a person looks, the further in front.
        """
        faces, everyone = self.atlas.faces, photo.image[..., ::-1]
        for stem, (vertices, camera, colour) in sorted(drawn.items(), key=lambda entry: entry[1][1][0]):
            scale = 2 * FILL / np.maximum(np.ptp(vertices, axis=0).max(), 1e-6)
            for view, degrees in VIEWS.items():
                _write_rgb(f"{stem}_{word}{view}.png", draw_turned(vertices, faces, scale, VIEW_SIZE, colour, degrees))
            everyone = draw_mesh(everyone, vertices, faces, camera, colour)
            if num_people > 1:
                only = draw_mesh(photo.image[..., ::-1], vertices, faces, camera, colour)
                _write_rgb(f"{stem}_{word}overlay.png", only)
        _write_rgb(self.folder / f"{photo.name}_{word}overlay.png", everyone)
        return everyone


def name_people(photo: Photo, people: list) -> list[str]:
    """Give every person the name with which their files begin."""
    return [photo.name if len(people) == 1 else f"{photo.name}_person{index}" for index in range(len(people))]


def diagonal(image: np.ndarray) -> float:
    """The length in px of the diagonal of an image [H, W, 3]: what is taken for the focal length of unknown cameras.

    From corner to corner such a camera sees 2 arctan(1/2), 53 degrees, which is about what a normal lens does.
    """
    return float(np.hypot(image.shape[0], image.shape[1]))


def pinhole_camera(photo: Photo, person: Person, focal: float | None) -> PerspectiveCamera:
    """The camera of the whole photograph that agrees with the weak one at the pelvis, or else amid the mesh.

    focal: px; None: the diagonal of the photograph.
    """
    body = person.body
    depth = body.joints[ROOT, 2] if isinstance(body, FittedBody) else person.vertices[:, 2].mean()
    height, width = photo.image.shape[:2]
    return perspective_from_weak(person.image_camera, height, width, focal or diagonal(photo.image), float(depth))


def _numbers(photo: Photo, person: Person, atlas: ObjMesh) -> dict:
    return {
        "vertices": person.vertices,
        "faces": atlas.faces.astype(np.int32),
        "camera": person.camera,
        "image_camera": person.image_camera.astype(np.float32),
        "location_map": person.location_map,
        "iuv": person.iuv,
        "mask_share": np.float32(person.mask_share),
        "box": person.square.box.astype(np.float32),
        "image_size": np.array(photo.image.shape[:2], np.int32),
    }


def _write_rgb(path, picture: np.ndarray) -> None:
    write_png(path, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
