"""Write the files of one photograph: pictures, meshes and numbers of every person in it."""

from pathlib import Path

import cv2
import numpy as np

from reconstruction.inputs import Photo
from reconstruction.mesh_files import write_meshes, write_textured
from reconstruction.people import Person
from reconstruction.texture import TextureMaker
from reconstruction.turntable import draw_turntable, write_turntable
from utils.files import write_npz, write_png
from utils.objfile import ObjMesh
from utils.pictures import draw_mesh, draw_turned, iuv_colours

COLOURS = ((0.55, 0.70, 0.95), (0.95, 0.72, 0.50), (0.62, 0.85, 0.62), (0.90, 0.62, 0.80), (0.90, 0.86, 0.52))
VIEWS = {"side": 90, "back": 180}  # degrees about the vertical axis
VIEW_SIZE = 512  # px
FILL = 0.9  # share of a view's side that the mesh takes


def write_results(
    folder: Path,
    photo: Photo,
    people: list[Person],
    atlas: ObjMesh,
    texture: TextureMaker | None = None,
    turntable: bool = False,
) -> None:
    """Write everything about the people of a photograph below `folder`; textures and turning meshes if asked for.

    {name}_overlay.png shows all people. The other files are called {name}_* if there is one person, otherwise
    {name}_person{k}_*.
    """
    drawn = {}
    for index, (name, person) in enumerate(zip(name_people(photo, people), people, strict=True)):
        colour = COLOURS[index % len(COLOURS)]
        stem = folder / name
        drawn[stem] = (person, colour)
        _write_person(stem, photo, person, atlas, colour, texture)
        if turntable:
            frames = draw_turntable(photo.image, person.square, person.vertices, atlas.faces, colour)
            write_turntable(f"{stem}_turntable.gif", frames)
    _write_overlays(folder, photo, drawn, atlas)


def name_people(photo: Photo, people: list) -> list[str]:
    """Give every person the name with which their files begin."""
    return [photo.name if len(people) == 1 else f"{photo.name}_person{index}" for index in range(len(people))]


def _write_person(stem: Path, photo: Photo, person: Person, atlas: ObjMesh, colour, texture) -> None:
    vertices = person.vertices.astype(np.float64)
    scale = 2 * FILL / np.maximum(np.ptp(vertices, axis=0).max(), 1e-6)
    for view, degrees in VIEWS.items():
        _write_rgb(f"{stem}_{view}.png", draw_turned(vertices, atlas.faces, scale, VIEW_SIZE, colour, degrees))
    _write_rgb(f"{stem}_iuv.png", iuv_colours(person.iuv, VIEW_SIZE))
    write_meshes(stem, vertices, atlas)
    write_npz(
        f"{stem}.npz",
        vertices=person.vertices,
        faces=atlas.faces.astype(np.int32),
        camera=person.camera,
        image_camera=person.image_camera.astype(np.float32),
        location_map=person.location_map,
        iuv=person.iuv,
        mask_share=np.float32(person.mask_share),
        box=person.square.box.astype(np.float32),
        image_size=np.array(photo.image.shape[:2], np.int32),
    )
    if texture is not None:
        colours, _ = texture(photo.image, vertices, person.image_camera)
        write_textured(stem, vertices, atlas, colours[..., ::-1])


def _write_overlays(folder: Path, photo: Photo, drawn: dict, atlas: ObjMesh) -> None:
    """Draw each person on the photograph, and all of them together; the larger a person looks, the further in front."""
    everyone = photo.image[..., ::-1]
    for stem, (person, colour) in sorted(drawn.items(), key=lambda entry: entry[1][0].image_camera[0]):
        everyone = draw_mesh(everyone, person.vertices, atlas.faces, person.image_camera, colour)
        if len(drawn) > 1:
            alone = draw_mesh(photo.image[..., ::-1], person.vertices, atlas.faces, person.image_camera, colour)
            _write_rgb(f"{stem}_overlay.png", alone)
    _write_rgb(folder / f"{photo.name}_overlay.png", everyone)


def _write_rgb(path, picture: np.ndarray) -> None:
    write_png(path, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
