"""The tables of the documents that repeat the code say what the code says."""

import json
import re

from tests.conftest import REPOSITORY
from tests.helpers.pages import HAS_KERNELS, SOURCES, is_defined, read, table
from utils import joints
from utils.environment import SETTINGS
from utils.train_options import TrainOptions


def test_every_word_of_the_glossary_leads_into_the_code():
    rows = table(read("docs/conventions.md"), "Glossary")[1:]
    assert len(rows) > 20
    for *_, place in rows:
        assert is_defined(place.strip("`")), place


def test_the_environment_page_lists_the_variables_that_the_code_reads():
    rows = table(read("docs/environment.md"), "Environment variables")
    listed = {name for row in rows for name in re.findall(r"`(\w+)`", row[0])}
    # the stand-ins for a card, and tests of other variables, set their own
    sources = [path for path in SOURCES if "tests" not in path.relative_to(REPOSITORY).parts]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    read_by_code = set(re.findall(r"environ(?:\.get\(|\.setdefault\(|\[)\"(\w+)\"", text)) | set(SETTINGS)
    scripts = "\n".join(path.read_text(encoding="utf-8") for path in REPOSITORY.glob("scripts/*.sh"))
    read_by_code |= set(re.findall(r"\$\{([A-Z][A-Z_]+):-", scripts))
    fuzz = {"DECOMR_FUZZ_EXAMPLES"} & set(re.findall(r"\w+", read("tests/reliability/fuzz/test_readers.py")))
    assert listed == read_by_code | fuzz | (set() if HAS_KERNELS else {"XDG_CACHE_HOME"})


def test_the_table_of_losses_has_the_weights_of_the_parser():
    rows = table(read("docs/training.md"), "Losses")[1:]
    told = {row[0].strip("`"): float(row[1]) for row in rows}
    actions = [action for action in TrainOptions().parser._actions if action.dest.startswith("lam_")]
    assert told == {action.option_strings[0]: action.default for action in actions}


def test_the_joints_are_those_of_the_code():
    rows = table(read("docs/conventions.md"), "Joints")
    cells = [cell.split() for row in rows for cell in row if cell]
    training, smpl = cells[: len(cells) // 2], cells[len(cells) // 2 :]
    for listed, names in ((training, joints.TRAINING_JOINTS), (smpl, joints.SMPL_JOINTS)):
        assert sorted((int(number), name) for number, name in listed) == list(enumerate(names))


def value_of(cell: str):
    """The value in a cell of the quickstart's settings: its first word; on and off are a switch's."""
    word = re.split(r"[: ]", cell)[0]
    return {"on": True, "off": False}.get(word) if word in ("on", "off") else float(word) if word[0].isdigit() else word


def test_the_settings_of_the_quickstart_are_those_of_its_files():
    rows = [row for row in table(read("docs/quickstart.md"), "Its settings") if row[0].startswith("`--")]
    defaults = vars(TrainOptions().parser.parse_args([]))
    settings = [json.loads(read(f"configs/quickstart_{stage}.json")) for stage in ("dp", "end")]
    count = 0
    for names, of_paper, of_quickstart, _ in rows:
        if "--clothing" in names:  # the generator's
            continue
        pairs = zip(re.findall(r"`--(\w+)`", names), of_paper.split(", "), of_quickstart.split(", "), strict=False)
        for name, paper, quickstart in pairs:
            assert defaults[name] == value_of(paper), name
            assert value_of(quickstart) in [stage.get(name) for stage in settings], name
            count += 1
    assert count > 14
