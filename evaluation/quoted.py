"""Figures of the paper, as others quote them, and where. They were not measured here."""

from evaluation.protocols import PROTOCOLS, Protocol

ROW = "DecoMR (paper, quoted)"
PAPER = 'Zeng et al., "3D Human Mesh Regression with Dense Correspondence", CVPR 2020'
MA = 'Ma et al., "3D Human Mesh Estimation from Virtual Markers", CVPR 2023'
# data set -> figures by their columns, in the unit of evaluation.summary.SUMMARY
FIGURES = {
    "h36m-p2": {"mpjpe": 60.6, "pa_mpjpe": 39.3},
    "surreal": {"shape_error": 68.9, "mpjpe": 52.0, "pa_mpjpe": 43.0},
}
SOURCES = {"h36m-p2": f"{PAPER}; also quoted by {MA}, table 2", "surreal": f"of {PAPER}; quoted by {MA}, table 3"}


def quoted_figure(protocol: Protocol, dataset: str, figure: str) -> float | None:
    """The paper's figure for a data set, or None: where none could be verified, and under another protocol."""
    if protocol != PROTOCOLS.get(dataset):
        return None
    return FIGURES.get(dataset, {}).get(figure)
