"""The body models that the generator photographs. A process opens them once, for the first picture that it takes."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from synthetic.photographs.photos import Stage
from synthetic.photographs.videos import FEMALE, MALE
from utils import config
from utils.body_model import GENDERS, BodyModel, load_body_model, load_joint_regressors, load_model_of_gender


@dataclass(frozen=True)
class Collection:
    """What photographs and videos depend on, besides the body and their number.

    clothing: one of clothing_choice.CLOTHING. img_res: side of the crops that photographs are for, px; the frames of
    videos have the size of the data set that they stand for.
    """

    seed: int = 0
    clothing: str = "street"
    img_res: int = 224


def open_stage(collection: Collection) -> Stage:
    """The neutral body model of the data root, ready for photographs."""
    return _stage(load_body_model(config.SMPL_FILE), collection)


def open_stages(collection: Collection) -> dict[int, Stage]:
    """The female and the male body model, ready for videos."""
    models = {FEMALE: load_model_of_gender(GENDERS["f"]), MALE: load_model_of_gender(GENDERS["m"])}
    return {gender: _stage(model, collection) for gender, model in models.items()}


def _stage(model: BodyModel, collection: Collection) -> Stage:
    regressors = load_joint_regressors(config.DATA_ROOT, model)
    return Stage(model, regressors, collection.clothing, collection.img_res)


@dataclass(frozen=True)
class Studio:
    """A job of worker processes that takes pictures below `folder`; subclasses say which."""

    folder: Path
    collection: Collection

    @property
    def seed(self) -> int:
        """The collection's seed."""
        return self.collection.seed

    @cached_property
    def stage(self) -> Stage:
        """The neutral body model."""
        return open_stage(self.collection)

    @cached_property
    def stages(self) -> dict[int, Stage]:
        """The female and the male body model."""
        return open_stages(self.collection)
