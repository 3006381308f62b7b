import utils.interpreter  # noqa: F401  a Python that cannot run this program ends here
