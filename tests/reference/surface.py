"""Between image, body surface and mesh, in PyTorch: the warp and the atlas sampler."""

import torch
import torch.nn.functional as F

EPSILON = 1e-8


def pixel_grid(height: int, width: int) -> torch.Tensor:
    """[2, height, width]: x and y of every pixel, from -1 to 1."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    return torch.stack([x, y])


def warp_feature(dp_out: torch.Tensor, features: torch.Tensor, size: int) -> torch.Tensor:
    """dp_out [B, 3, h, w] = (mask, u, v), features [B, C, h, w] -> [B, C + 3, size, size].

    One image at a time, foreground pixels only; a cell holds the mean of its pixels' features and
    positions, and whether it received any.
    """
    grid = pixel_grid(*features.shape[2:]).to(features)
    surfaces = []
    for (mask, u, v), image in zip(dp_out.detach(), features, strict=True):
        body = mask > 0.5
        row = torch.round(v[body] * (size - 1)).long().clamp(0, size - 1)
        column = torch.round(u[body] * (size - 1)).long().clamp(0, size - 1)
        pixels = torch.cat([image, grid])[:, body].T
        sums = pixels.new_zeros(size, size, pixels.shape[1]).index_put((row, column), pixels, accumulate=True)
        ones = torch.ones_like(row, dtype=pixels.dtype)
        count = pixels.new_zeros(size, size).index_put((row, column), ones, accumulate=True)[..., None]
        surfaces.append(torch.cat([sums / (count + EPSILON), (count > 0).to(sums)], -1).permute(2, 0, 1))
    return torch.stack(surfaces)


class Sampler:
    """Mesh <-> location map through the tables of an atlas (keys of the paras_*.npz files)."""

    def __init__(self, tables):
        self.v_index = torch.as_tensor(tables["v_index"]).long()
        self.bary_weights = torch.as_tensor(tables["bary_weights"])
        self.mask = torch.as_tensor(tables["mask"])
        self.texcoords = torch.as_tensor(tables["texcoords"])
        self.vt2v = torch.as_tensor(tables["vt2v"]).long()
        self.vt_count = torch.as_tensor(tables["vt_count"])

    def get_uv_map(self, vertices: torch.Tensor) -> torch.Tensor:
        """[B, V, C] -> [B, R, R, C]."""
        corners = vertices[:, self.v_index]  # [B, R, R, 3, C]
        return (corners * self.bary_weights.to(vertices)[..., None]).sum(3)

    def resample(self, uv_map: torch.Tensor) -> torch.Tensor:
        """[B, R, R, C] -> [B, V, C]."""
        grid = (2 * self.texcoords.to(uv_map) - 1).expand(len(uv_map), 1, -1, -1)
        samples = F.grid_sample(uv_map.permute(0, 3, 1, 2), grid, align_corners=True)[:, :, 0]
        sums = samples.new_zeros(*samples.shape[:2], len(self.vt_count)).index_add(2, self.vt2v, samples)
        return (sums / self.vt_count.to(sums)).transpose(1, 2)
