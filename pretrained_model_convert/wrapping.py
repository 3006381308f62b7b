"""Take the weights out of what training scripts save: remove dicts around them and prefixes of names; float32."""

import torch

from utils.errors import UserError

# Names that scripts give to the weights of a model; beside them may lie those of its average, a discriminator ...
KNOWN = ("state_dict", "model_state_dict", "model", "model_state", "network", "net", "module", "weights", "params")
DEPTH = 4  # largest depth of dicts in dicts
# parts of names that a parallel, compiled or sharded model adds, at any place in the name
ADDED = frozenset(("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"))
# names of a module in the one around it; dropped if all names start with it
OUTER = ("model", "network", "net", "backbone", "encoder", "DMR")


def unwrap(content: dict, where: str, parts: tuple[str, ...] = ()) -> dict:
    """Find the dict that holds the weights, or the dicts called `parts`; UserError if several may be meant."""
    while not any(part in content for part in parts):
        holders = [name for name, value in content.items() if _holds_weights(value)]
        chosen = [name for name in holders if name in KNOWN] or holders
        if not chosen:
            break
        if len(chosen) > 1:
            raise UserError(
                f"{where} holds weights under {' and '.join(map(repr, chosen))}. Save those that are meant alone: "
                f"torch.save(torch.load(FILE)[{chosen[0]!r}], 'weights.pt')."
            )
        _print_left_out(
            where, f"the weights under {chosen[0]!r} are taken", [key for key in content if key != chosen[0]]
        )
        content = content[chosen[0]]
    return content


def _holds_weights(value, depth: int = DEPTH) -> bool:
    """Tell whether `value` is a dict of tensors by name, or holds one; an optimizer's state does not count."""
    if not isinstance(value, dict) or "param_groups" in value or not depth:
        return False
    named = [item for name, item in value.items() if isinstance(name, str)]
    return any(isinstance(item, torch.Tensor) or _holds_weights(item, depth - 1) for item in named)


def _print_left_out(where: str, taken: str, left: list) -> None:
    if left:
        print(f"{where}: {taken}; left out: {', '.join(map(str, left[:6]))}{', ...' if left[6:] else ''}")


def extract_state_dict(content, where: str) -> dict:
    """Extract plain name -> float32 tensor from a dict of tensors by name; UserError for anything else.

    Entries that are no tensors are left out, and a printed line names them.
    """
    if not isinstance(content, dict) or not content:
        raise UserError(f"{where} is not a dict of weights by name.")
    tensors = {
        name: value for name, value in content.items() if isinstance(name, str) and isinstance(value, torch.Tensor)
    }
    others = [name for name in content if name not in tensors]
    if not tensors:
        name = others[0]
        raise UserError(f"{where} is not a dict of weights: {name!r} is a {type(content[name]).__name__}.")
    _print_left_out(where, f"{len(tensors)} tensors are taken", others)
    halves = {str(value.dtype).removeprefix("torch.") for value in tensors.values() if value.is_floating_point()}
    if halves - {"float32"}:
        print(f"{where}: weights of {', '.join(sorted(halves - {'float32'}))} become float32")
    return _strip_names(
        {name: _convert_to_float32(value, f"{where}: {name}") for name, value in tensors.items()}, where
    )


def _convert_to_float32(value: torch.Tensor, where: str) -> torch.Tensor:
    """Convert floats to float32; other types stay as they are."""
    if value.is_quantized or value.is_complex() or value.layout is not torch.strided or value.is_meta:
        raise UserError(f"{where} is quantised, complex, sparse or without values; expected plain numbers.")
    value = value.detach()
    if not value.is_floating_point():
        return value
    if not torch.isfinite(value).all():
        raise UserError(f"{where} holds NaN or infinity: the training that saved it had failed. Use an earlier file.")
    return value.float()


def _strip_names(state: dict, where: str) -> dict:
    """Remove from the names what wrappers added."""
    names = {name: ".".join(part for part in name.split(".") if part not in ADDED) for name in state}
    while (first := _find_common_start(names.values())) in OUTER:
        names = {name: plain.removeprefix(f"{first}.") for name, plain in names.items()}
    if len(set(names.values())) < len(names):
        raise UserError(f"{where} holds some weights twice, under names that differ by a prefix only.")
    return {names[name]: value for name, value in state.items()}


def _find_common_start(names) -> str:
    """Find the first part of all names; '' if they differ."""
    starts = {name.partition(".")[0] if "." in name else "" for name in names}
    return starts.pop() if len(starts) == 1 else ""
