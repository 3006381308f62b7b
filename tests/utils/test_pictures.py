"""Pictures of what networks take and give: colours that can be read back, sheets with a place for every picture."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from utils.imutils import normalise_image
from utils.pictures import denormalise, iuv_colours, location_colours, tile


def test_a_normalised_image_is_shown_as_it_was():
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    normalised = normalise_image(image.transpose(2, 0, 1) / np.float32(255))
    np.testing.assert_array_equal(denormalise(normalised), image)


def test_the_colour_of_a_pixel_says_its_place_on_the_atlas_and_the_background_is_black():
    iuv = np.random.default_rng(0).random((3, 6, 6))
    red, green, blue = np.moveaxis(iuv_colours(iuv, 6).astype(int), -1, 0)
    body = iuv[0] > 0.5
    np.testing.assert_allclose(blue[body] / 255, iuv[1][body], atol=0.5 / 255)
    np.testing.assert_allclose(green[body] / 255, iuv[2][body], atol=0.5 / 255)
    assert (abs(red + blue - 255)[body] <= 1).all()
    assert not (red + green + blue)[~body].any()


def test_a_location_map_spans_all_colours_inside_the_atlas_alone():
    location_map = np.random.default_rng(0).normal(size=(4, 4, 3))
    mask = np.ones((4, 4), bool)
    mask[0], location_map[0] = False, 99
    colours = location_colours(location_map, mask, 4)
    assert not colours[0].any()
    for axis in range(3):
        shown, place = colours[1:, :, axis].ravel(), location_map[1:, :, axis].ravel()
        assert (shown.min(), shown.max()) == (0, 255)
        assert (np.diff(shown[np.argsort(place)].astype(int)) >= 0).all()


def test_a_sheet_shows_every_picture_once_in_rows_and_columns():
    rows = [[np.full((90, 90, 3), 10 * row + column, np.uint8) for column in range(2)] for row in range(3)]
    sheet = tile(rows, ("left", "right"))
    places = {}
    for row in range(3):
        for column in range(2):
            found = np.argwhere((sheet == 10 * row + column).all(-1))
            assert len(found) == 90 * 90
            places[row, column] = found.min(0)
    assert all(places[row, 0][1] == places[0, 0][1] and places[row, 1][1] > places[row, 0][1] for row in range(3))
    assert places[0, 0][0] < places[1, 0][0] < places[2, 0][0]


def test_small_pictures_are_enlarged_until_every_title_has_room():
    titles = ("predicted IUV", "location map")
    picture = np.arange(300, dtype=np.uint8).reshape(10, 10, 3)
    sheet = tile([[picture, 255 - picture]], titles)
    top, left = np.argwhere((sheet == picture[0, 0]).all(-1)).min(0)
    factor = np.argwhere((sheet[top:, left:] == picture[0, 1]).all(-1)).min(0)[1]
    size = 10 * factor
    np.testing.assert_array_equal(sheet[top : top + size : factor, left : left + size : factor], picture)
    inked = np.flatnonzero((sheet[: top - 2] < 255).any((0, 2)))  # columns with a part of a title
    assert ((inked >= left) & (inked < left + size) | (inked >= sheet.shape[1] - left - size)).all()
    assert max(np.diff(inked)) > 4  # the space between two titles


def test_a_command_that_draws_no_mesh_loads_no_ray_caster():
    program = (
        "import sys, utils.pictures; print([name for name in sys.modules if name.startswith(('utils.re', 'utils.ra'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).resolve().parents[2], capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]", done.stderr
