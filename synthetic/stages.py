"""The body models that the generator photographs. A process opens them once, for the first picture that it takes."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from synthetic.photographs.photos import Stage
from synthetic.photographs.videos import FEMALE, MALE
from utils import config
from utils.body_model import GENDERS, load_body_model, load_joint_regressors, load_model_of_gender


def open_stage(clothing: str = "street") -> Stage:
    """The neutral body model of the data root, ready for photographs."""
    model = load_body_model(config.SMPL_FILE)
    return Stage(model, load_joint_regressors(config.DATA_ROOT, model), clothing)


def open_stages(clothing: str = "street") -> dict[int, Stage]:
    """The female and the male body model, ready for videos."""
    models = {FEMALE: load_model_of_gender(GENDERS["f"]), MALE: load_model_of_gender(GENDERS["m"])}
    return {
        gender: Stage(model, load_joint_regressors(config.DATA_ROOT, model), clothing)
        for gender, model in models.items()
    }


@dataclass(frozen=True)
class Studio:
    """A job of worker processes that takes pictures below `folder`; subclasses say which."""

    folder: Path
    seed: int
    clothing: str

    @cached_property
    def stage(self) -> Stage:
        """The neutral body model."""
        return open_stage(self.clothing)

    @cached_property
    def stages(self) -> dict[int, Stage]:
        """The female and the male body model."""
        return open_stages(self.clothing)
