"""The networks of DecoMR, the body model and the losses, in MindSpore."""

import utils.environment  # noqa: F401  settings that must precede the import of MindSpore
