"""The weights in what training scripts save: out of dicts around them, off prefixes before their names, in float32."""

import torch

from utils.errors import UserError

# what scripts call the weights of a model, beside those of an average of it, of a discriminator ...
KNOWN = ("state_dict", "model_state_dict", "model", "model_state", "network", "net", "module", "weights", "params")
DEPTH = 4  # dicts in dicts
# parts of a name that a parallel, compiled or sharded model adds, wherever it was wrapped
ADDED = frozenset(("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"))
# what a module is called in the one around it; dropped where all names start with it
OUTER = ("model", "network", "net", "backbone", "encoder", "DMR")


def unwrap(content: dict, where: str, parts: tuple[str, ...] = ()) -> dict:
    """The dict that holds the weights, or the dicts called `parts`; UserError where several may be meant."""
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
        _say_what_is_left(
            where, f"the weights under {chosen[0]!r} are taken", [key for key in content if key != chosen[0]]
        )
        content = content[chosen[0]]
    return content


def _holds_weights(value, depth: int = DEPTH) -> bool:
    """Whether `value` is a dict of tensors by name, or of such a dict; an optimizer's state is none."""
    if not isinstance(value, dict) or "param_groups" in value or not depth:
        return False
    named = [item for name, item in value.items() if isinstance(name, str)]
    return any(isinstance(item, torch.Tensor) or _holds_weights(item, depth - 1) for item in named)


def _say_what_is_left(where: str, taken: str, left: list) -> None:
    if left:
        print(f"{where}: {taken}; left out: {', '.join(map(str, left[:6]))}{', ...' if left[6:] else ''}")


def state_dict(content, where: str) -> dict:
    """Plain name -> float32 tensor of a dict of tensors by name; UserError if it is none.

    Entries that are no tensors are left out, and named.
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
    _say_what_is_left(where, f"{len(tensors)} tensors are taken", others)
    halves = {str(value.dtype).removeprefix("torch.") for value in tensors.values() if value.is_floating_point()}
    if halves - {"float32"}:
        print(f"{where}: weights of {', '.join(sorted(halves - {'float32'}))} become float32")
    return _plain_names({name: _plain(value, f"{where}: {name}") for name, value in tensors.items()}, where)


def _plain(value: torch.Tensor, where: str) -> torch.Tensor:
    """The tensor's values in float32, or as they are where they are no floats."""
    if value.is_quantized or value.is_complex() or value.layout is not torch.strided or value.is_meta:
        raise UserError(f"{where} is quantised, complex, sparse or without values; expected plain numbers.")
    value = value.detach()
    if not value.is_floating_point():
        return value
    if not torch.isfinite(value).all():
        raise UserError(f"{where} holds NaN or infinity: the training that saved it had failed. Use an earlier file.")
    return value.float()


def _plain_names(state: dict, where: str) -> dict:
    """`state` without what wrappers added to the names."""
    names = {name: ".".join(part for part in name.split(".") if part not in ADDED) for name in state}
    while (first := _common_start(names.values())) in OUTER:
        names = {name: plain.removeprefix(f"{first}.") for name, plain in names.items()}
    if len(set(names.values())) < len(names):
        raise UserError(f"{where} holds some weights twice, under names that differ by a prefix only.")
    return {names[name]: value for name, value in state.items()}


def _common_start(names) -> str:
    """The first part of all names; empty where they differ."""
    starts = {name.partition(".")[0] if "." in name else "" for name in names}
    return starts.pop() if len(starts) == 1 else ""
