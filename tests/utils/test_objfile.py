"""What the .obj reader promises: every way to write a face, honest errors, nothing lost on the way to disk."""

import time

import numpy as np
import pytest

from utils.errors import UserError
from utils.objfile import ObjMesh, read_obj, write_obj

CORNERS = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nvn 0 0 1\n"


def read_text(tmp_path, text):
    path = tmp_path / "mesh.obj"
    path.write_text(text)
    return read_obj(path)


@pytest.mark.parametrize("face", ["1/1 2/2 3/3", "1/1/1 2/2/1 3/3/1", "-4/-4 -3/-3/-1 -2/-2"])
def test_every_spelling_of_a_textured_face_gives_the_same_triangle(tmp_path, face):
    mesh = read_text(tmp_path, f"mtllib does_not_exist.mtl\n{CORNERS}# a comment\ng body\ns off\nf {face} # last\n")
    assert mesh.faces.tolist() == [[0, 1, 2]]
    assert mesh.face_texcoords.tolist() == [[0, 1, 2]]
    assert mesh.texcoords.shape == (4, 2) and mesh.vertices.dtype == np.float64


@pytest.mark.parametrize("face", ["1 2 3", "1//1 2//1 3//1"])
def test_faces_without_texcoords_give_none(tmp_path, face):
    mesh = read_text(tmp_path, f"{CORNERS}f {face}\n")
    assert mesh.faces.tolist() == [[0, 1, 2]]
    assert mesh.texcoords is None and mesh.face_texcoords is None


def test_polygons_become_fans_that_keep_their_winding(tmp_path):
    mesh = read_text(tmp_path, f"{CORNERS}f 1/1 2/2 3/3 4/4\r\n")
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3]]
    assert mesh.face_texcoords.tolist() == mesh.faces.tolist()


@pytest.mark.parametrize("bad", ["v 1 2", "v 1 two 3", "f 1 2 9", "f 1/1 2/2 3/7", "f 1 2", "f 0 1 2"])
def test_a_bad_line_is_reported_with_file_and_number(tmp_path, bad):
    with pytest.raises(UserError, match=r"mesh\.obj, line 10:"):
        read_text(tmp_path, f"{CORNERS}{bad}\nf 1/1 2/2 3/3\n")


def test_missing_and_empty_files_are_user_errors(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        read_obj(tmp_path / "absent.obj")
    with pytest.raises(UserError, match="0 vertices"):
        read_text(tmp_path, "# nothing\n")


def test_a_mesh_of_smpl_size_survives_writing_and_is_read_quickly(tmp_path):
    rng = np.random.default_rng(0)
    mesh = ObjMesh(
        rng.normal(size=(6890, 3)),
        rng.integers(0, 6890, (13776, 3)),
        rng.random((7405, 2)),
        rng.integers(0, 7405, (13776, 3)),
    )
    write_obj(tmp_path / "big.obj", mesh)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        again = read_obj(tmp_path / "big.obj")
        seconds.append(time.perf_counter() - start)
    assert np.abs(again.vertices - mesh.vertices).max() < 1e-8
    assert np.abs(again.texcoords - mesh.texcoords).max() < 1e-9
    assert (again.faces == mesh.faces).all() and (again.face_texcoords == mesh.face_texcoords).all()
    assert min(seconds) < 1.0  # 0.1 s alone on a core; generous for a busy machine
