"""DeepSeek-VL2 in miniature, in PyTorch: SigLIP-style tower, 2 x 2 projector, mixture-of-experts decoder.

Names of parameters follow the published checkpoint, so that export.py only has to write them.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from bindings import NUMBERS
from tiles import CELLS, GRID, PATCH, SIDE


@dataclass
class VisionConfig:
    width: int = 192
    layers: int = 6
    heads: int = 3
    mlp_ratio: float = 4.0


@dataclass
class LanguageConfig:
    vocab_size: int = 2048
    hidden_size: int = 256
    intermediate_size: int = 688
    moe_intermediate_size: int = 96
    num_hidden_layers: int = 5
    num_attention_heads: int = 4
    n_routed_experts: int = 16
    n_shared_experts: int = 2
    num_experts_per_tok: int = 4
    first_k_dense_replace: int = 1
    rope_theta: float = 10000.0
    rms_norm_eps: float = 1e-6


def attend(q, k, v, bias=None):
    """Softmax attention over [n, heads, rows, size]. On a CPU, with rows this few, twice as fast as PyTorch's own."""
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    return (scores if bias is None else scores + bias).softmax(-1) @ v


# ------------------------------------------------------------------------------------------------ vision


QUERY_SCALE = 1.5


class VisionAttention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads = c.heads
        self.qkv = nn.Linear(c.width, 3 * c.width)
        self.proj = nn.Linear(c.width, c.width)
        # Queries equal to keys make a patch look at itself and its neighbours from the start (after Trockman and
        # Kolter 2023, "Mimetic initialization of self-attention layers").
        same = nn.init.orthogonal_(torch.empty(c.width, c.width)) * QUERY_SCALE
        with torch.no_grad():
            self.qkv.weight[:c.width] = same
            self.qkv.weight[c.width:2 * c.width] = same
            nn.init.xavier_uniform_(self.qkv.weight[2 * c.width:])
            self.qkv.bias.zero_()
            nn.init.xavier_uniform_(self.proj.weight)
            self.proj.bias.zero_()

    def forward(self, x):
        n, t, w = x.shape
        q, k, v = self.qkv(x).view(n, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        return self.proj(attend(q, k, v).transpose(1, 2).reshape(n, t, w))


class VisionMLP(nn.Module):
    def __init__(self, c):
        super().__init__()
        inner = int(c.width * c.mlp_ratio)
        self.fc1 = nn.Linear(c.width, inner)
        self.fc2 = nn.Linear(inner, c.width)
        for linear in (self.fc1, self.fc2):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x), approximate="tanh"))


class VisionBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.norm1 = nn.LayerNorm(c.width, eps=1e-6)
        self.attn = VisionAttention(c)
        self.norm2 = nn.LayerNorm(c.width, eps=1e-6)
        self.mlp = VisionMLP(c)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.proj = nn.Conv2d(3, c.width, PATCH, PATCH)

    @staticmethod
    def patches(x):
        """[n, SIDE, SIDE, 3] -> [n, patches, 3 * PATCH * PATCH], in the order of the convolution's weights."""
        n = x.shape[0]
        return x.view(n, GRID, PATCH, GRID, PATCH, 3).permute(0, 1, 3, 5, 2, 4).reshape(n, GRID * GRID, -1)

    def whiten(self, tiles):
        """Starts from the principal components of these tiles' patches, each scaled to much the same size.

        Without it brightness drowns the fine strokes of letters for thousands of steps.
        """
        x = self.patches(tiles.float() / 127.5 - 1).flatten(0, 1)
        mean = x.mean(0)
        values, vectors = torch.linalg.eigh((x - mean).T @ (x - mean) / len(x))
        width = self.proj.weight.shape[0]
        rows = vectors[:, -width:].T * 0.5 / (values[-width:, None] + 0.02).sqrt()
        with torch.no_grad():
            self.proj.weight.copy_(rows.view_as(self.proj.weight))
            self.proj.bias.copy_(-rows @ mean)

    def forward(self, x):
        """[n, SIDE, SIDE, 3] in -1...1 -> [n, patches, width]; a product is faster than a convolution."""
        return F.linear(self.patches(x), self.proj.weight.flatten(1), self.proj.bias)


def waves(width):
    """[1, patches, width]: sines and cosines of a patch's column and row. A start from which neighbours are found sooner."""
    at = torch.arange(GRID).float()
    frequency = torch.exp(torch.arange(width // 4) * (-math.log(100.0) / (width // 4 - 1))) * 1.5
    line = torch.cat([(at[:, None] * frequency).sin(), (at[:, None] * frequency).cos()], 1)
    y, x = torch.meshgrid(torch.arange(GRID), torch.arange(GRID), indexing="ij")
    return torch.cat([line[x.flatten()], line[y.flatten()]], 1)[None]


class VisionTower(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.pos_embed = nn.Parameter(waves(c.width) * 0.4)
        self.patch_embed = PatchEmbed(c)
        self.blocks = nn.ModuleList(VisionBlock(c) for _ in range(c.layers))
        self.norm = nn.LayerNorm(c.width, eps=1e-6)

    def forward(self, tiles):
        """uint8 [n, SIDE, SIDE, 3] -> [n, patches, width]."""
        x = self.patch_embed(tiles.to(self.pos_embed.dtype) / 127.5 - 1)
        x = x + self.pos_embed.to(x.dtype)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class PatchHeads(nn.Module):
    """Reads the dense targets off the tower's patches; only training uses it."""

    def __init__(self, width, hidden, heads):
        super().__init__()
        self.names, self.sizes = list(heads), list(heads.values())
        self.classes = nn.Linear(width, sum(self.sizes))
        self.box = nn.Linear(width, 4)
        self.place = nn.Linear(hidden, 4 * hidden)
        self.number = nn.Linear(hidden, NUMBERS * hidden)

    def number_loss(self, cells, known, numbers):
        """Cross entropy of the numbers that belong to what a projected cell shows, read off the cell as in place_loss.

        cells [n, CELLS, CELLS, hidden]; known [n, patches, NUMBERS], negative where there is nothing; numbers
        [1000, hidden].
        """
        n = cells.shape[0]
        by_cell = known.view(n, CELLS, 2, CELLS, 2, NUMBERS).permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, NUMBERS)
        target = by_cell.amax(1)        # where a cell shows two things, any
        rows = (target[:, 0] >= 0).nonzero()[:, 0]
        if not len(rows):
            return cells.sum() * 0
        told = self.number(cells.flatten(0, 2)[rows]).view(len(rows) * NUMBERS, -1)
        return F.cross_entropy(F.linear(told, numbers).float(), target[rows].flatten())

    def place_loss(self, cells, places, spread, numbers):
        """Cross entropy of the four coordinates of what a projected cell shows, each read off the cell by one map and
        the number words' own vectors: then an answer has only to fetch them.

        cells [n, CELLS, CELLS, hidden]; places [n, patches, 4] in shares of the picture, NaN where there is nothing;
        spread [1000, 1000], the soft target of each coordinate; numbers [1000, hidden].
        """
        n = cells.shape[0]
        by_cell = places.view(n, CELLS, 2, CELLS, 2, 4).permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, 4)
        known = ~by_cell[..., 0].isnan()
        rows = known.any(1).nonzero()[:, 0]
        if not len(rows):
            return cells.sum() * 0
        first = known[rows].float().argmax(1)
        target = (by_cell[rows, first] * 999).round().long().clamp(0, 999)
        told = self.place(cells.flatten(0, 2)[rows]).view(len(rows) * 4, -1)
        logp = F.linear(told, numbers).float().log_softmax(-1)
        return -(spread[target.flatten()] * logp).sum(1).mean()

    def loss(self, features, classes, boxes, weights):
        """Cross entropy of each head times its weight (1 where there is none) plus the boxes' error."""
        x = features.reshape(-1, features.shape[-1])
        classes = classes.reshape(-1, classes.shape[-1])
        boxes = boxes.reshape(-1, 4)
        total = 0
        for i, (name, logits) in enumerate(zip(self.names, self.classes(x).split(self.sizes, -1))):
            rows = (classes[:, i] >= 0).nonzero()[:, 0]
            if len(rows):
                # Most patches are background; most of those say nothing new.
                target = classes[rows, i]
                keep = rows[(target > 0) | (torch.rand(len(rows)) < 0.15)]
                if len(keep):
                    loss = F.cross_entropy(logits[keep].float(), classes[keep, i], label_smoothing=0.02)
                    total = total + weights.get(name, 1.0) * loss
        known = ~boxes[:, 0].isnan()
        if known.any():
            total = total + 8 * F.smooth_l1_loss(self.box(x[known]).float(), boxes[known], beta=0.05)
        return total


class Projector(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.layers = nn.ModuleDict({"0": nn.Linear(4 * width, hidden), "2": nn.Linear(hidden, hidden)})

    def forward(self, x):
        """[n, patches, width] -> [n, CELLS, CELLS, hidden]; the unfolding is channel-major, as published."""
        n, _, c = x.shape
        x = x.view(n, CELLS, 2, CELLS, 2, c).permute(0, 1, 3, 5, 2, 4).reshape(n, CELLS, CELLS, 4 * c)
        return self.layers["2"](F.gelu(self.layers["0"](x)))


# ------------------------------------------------------------------------------------------------ language


class RMSNorm(nn.Module):
    def __init__(self, width, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(width)), eps

    def forward(self, x):
        return F.rms_norm(x, self.weight.shape, self.weight.to(x.dtype), self.eps)


def rotated(x, cos, sin):
    """x [n, heads, rows, size]: halves rotate against each other."""
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads = c.num_attention_heads
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            setattr(self, name, nn.Linear(c.hidden_size, c.hidden_size, bias=False))
        # A row starts by looking for rows like itself and copying what they say: with picture rows that resemble the
        # words for what they show (cell_word_loss), a question finds its thing from the first steps.
        same = nn.init.orthogonal_(torch.empty(c.hidden_size, c.hidden_size)) * 0.7
        copied = nn.init.orthogonal_(torch.empty(c.hidden_size, c.hidden_size))
        with torch.no_grad():
            for linear, value in ((self.q_proj, same), (self.k_proj, same), (self.v_proj, copied),
                                  (self.o_proj, copied.T * 0.5)):
                linear.weight.copy_(value)

    def forward(self, x, cos, sin, bias):
        n, t, w = x.shape
        q, k, v = (p(x).view(n, t, self.heads, -1).transpose(1, 2) for p in (self.q_proj, self.k_proj, self.v_proj))
        y = attend(rotated(q, cos, sin), rotated(k, cos, sin), v, bias)
        return self.o_proj(y.transpose(1, 2).reshape(n, t, w))


class MLP(nn.Module):
    def __init__(self, hidden, inner):
        super().__init__()
        self.gate_proj = nn.Linear(hidden, inner, bias=False)
        self.up_proj = nn.Linear(hidden, inner, bias=False)
        self.down_proj = nn.Linear(inner, hidden, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


BLOCK = 64                # rows of an expert are filled up to a multiple of this


class MoE(nn.Module):
    """Softmax routing to the k best experts, their weights not normalised, plus shared experts, as Tiny has it."""

    def __init__(self, c):
        super().__init__()
        self.k, self.count = c.num_experts_per_tok, c.n_routed_experts
        self.gate = nn.Linear(c.hidden_size, self.count, bias=False)
        self.experts = nn.ModuleList(MLP(c.hidden_size, c.moe_intermediate_size) for _ in range(self.count))
        self.shared_experts = MLP(c.hidden_size, c.moe_intermediate_size * c.n_shared_experts)
        self.balance = None        # of the last forward pass in training
        self.counts = None         # picks of each expert in the last forward pass

    def forward(self, x):
        shape = x.shape
        x = x.reshape(-1, shape[-1])
        with torch.autocast("cpu", enabled=False):
            scores = F.linear(x.float(), self.gate.weight.float()).softmax(-1)
        weights, ids = scores.topk(self.k, -1)
        flat = ids.flatten()
        order = flat.argsort(stable=True)
        self.counts = torch.bincount(flat, minlength=self.count)
        # The balance loss of Switch Transformers (Fedus et al. 2021, eq. 4): 1 when all experts work the same.
        self.balance = (scores.mean(0) * self.counts / flat.numel()).sum() * self.count if self.training else None
        # Each expert's rows are filled up to a multiple of BLOCK with rows of weight 0: a product of a size not seen
        # before is compiled first, which takes longer than the product.
        room = -(-self.counts // BLOCK) * BLOCK
        moved = (room - self.counts).cumsum(0) - (room - self.counts)
        slot = torch.arange(len(order)) + moved[flat[order]]
        token = slot.new_zeros(int(room.sum())).index_copy(0, slot, order // self.k)
        weight = weights.new_zeros(len(token)).index_copy(0, slot, weights.flatten()[order])
        sizes = room.tolist()
        parts = [expert(rows) for expert, rows, size in zip(self.experts, x[token].split(sizes), sizes) if size]
        y = torch.cat(parts) * weight[:, None].to(x.dtype)
        out = self.shared_experts(x).index_add(0, token, y)
        return out.view(shape)


class DecoderLayer(nn.Module):
    def __init__(self, c, dense):
        super().__init__()
        self.self_attn = Attention(c)
        self.mlp = MLP(c.hidden_size, c.intermediate_size) if dense else MoE(c)
        self.input_layernorm = RMSNorm(c.hidden_size, c.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(c.hidden_size, c.rms_norm_eps)

    def forward(self, x, cos, sin, bias, keep=None):
        """keep: of the rows of the whole batch, those that are wanted, as [rows, hidden]; all without it."""
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, bias)
        if keep is not None:
            x = x.flatten(0, 1)[keep]
        return x + self.mlp(self.post_attention_layernorm(x))


class Decoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.layers = nn.ModuleList(
            DecoderLayer(c, i < c.first_k_dense_replace) for i in range(c.num_hidden_layers))
        self.norm = RMSNorm(c.hidden_size, c.rms_norm_eps)
        size = c.hidden_size // c.num_attention_heads
        self.register_buffer("frequency", c.rope_theta ** (-torch.arange(0, size, 2) / size), persistent=False)

    def forward(self, x, positions, bias, keep=None):
        """x [n, rows, hidden], positions [n, rows], bias [n, 1, rows, rows], 0 or minus infinity, -> normalised rows.

        keep: of the rows of the whole batch, those that are wanted, as [rows, hidden]; all without it.
        """
        angle = positions[:, None, :, None] * self.frequency
        cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
        for layer in self.layers[:-1]:
            x = layer(x, cos, sin, bias)
        return self.norm(self.layers[-1](x, cos, sin, bias, keep))


class WordVectors(nn.Module):
    """A table [words, hidden] = free part + features of the word's spelling and value, times learned vectors.

    A word's letters by place and a number's value are shared between words, so a word that training showed a few
    times is read nearly as well as one it showed often. The exported table is the sum: inference knows nothing of it.
    """

    def __init__(self, features, hidden, scale):
        super().__init__()
        self.register_buffer("features", features, persistent=False)
        self.free = nn.Parameter(torch.randn(features.shape[0], hidden) * scale)
        self.shared = nn.Parameter(torch.randn(features.shape[1], hidden) * scale)

    def table(self):
        return self.free + self.features @ self.shared

    def take(self, table):
        """Splits an exported table into as much shared part as fits it, and the rest."""
        with torch.no_grad():
            # A little of the identity, since some features never occur.
            square = self.features.T @ self.features + 0.1 * torch.eye(self.features.shape[1])
            self.shared.copy_(torch.linalg.solve(square, self.features.T @ table))
            self.free.copy_(table - self.features @ self.shared)


def cell_word_loss(cells, words, weights, table):
    """Cross entropy of the words for what a picture's row shows, read off the row by the words' own vectors.

    cells [n, CELLS, CELLS, hidden]; words [n, CELLS * CELLS, most], -1 where there are fewer; weights [most]; table
    [words, hidden]. It puts pictures and words into one space before there is anything to answer with.
    """
    words = words.flatten(0, 1)
    rows = (words >= 0).any(1).nonzero()[:, 0]
    logp = F.linear(cells.flatten(0, 2)[rows], table).float().log_softmax(-1)
    row, place = (words[rows] >= 0).nonzero(as_tuple=True)
    return -(logp[row, words[rows][row, place]] * weights[place]).sum() / weights[place].sum()


class Pocket(nn.Module):
    def __init__(self, vision, language, features):
        super().__init__()
        self.vision_config, self.config = vision, language
        hidden = language.hidden_size
        self.vision = VisionTower(vision)
        self.projector = Projector(vision.width, hidden)
        self.image_newline = nn.Parameter(torch.randn(hidden) * 0.02)
        self.view_seperator = nn.Parameter(torch.randn(hidden) * 0.02)    # the published checkpoint spells it so
        self.model = Decoder(language)
        self.embed_tokens = WordVectors(features, hidden, 0.05)
        self.lm_head = WordVectors(features, hidden, 0.05)
        self.lm_head.load_state_dict(self.embed_tokens.state_dict())     # a row that holds a word's vector says the word
        for name, module in list(self.model.named_modules()) + list(self.projector.named_modules()):
            if isinstance(module, nn.Linear) and "self_attn" not in name:
                nn.init.normal_(module.weight, std=0.02 if module.in_features > 200 else 0.04)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def take(self, tensors):
        """Takes over the tensors of an exported checkpoint, published name -> tensor."""
        state = {name.removeprefix("language."): value.float() for name, value in tensors.items()}
        self.embed_tokens.take(state.pop("model.embed_tokens.weight"))
        self.lm_head.take(state.pop("lm_head.weight"))
        missing, unknown = self.load_state_dict(state, strict=False)
        if unknown or any(not name.startswith(("embed_tokens.", "lm_head.")) for name in missing):
            raise ValueError(f"not a checkpoint of this model: lacks {missing}, has {unknown}")

    def image_rows(self, cells, grid):
        """Projected tiles of one picture, the global one first -> its rows in the prompt."""
        columns, rows = grid

        def lines(block):
            newline = self.image_newline.to(block.dtype).expand(block.shape[0], 1, -1)
            return torch.cat([block, newline], 1).flatten(0, 1)
        local = cells[1:] if len(cells) > 1 else cells[:1]
        local = local.view(rows, columns, CELLS, CELLS, -1).transpose(1, 2).reshape(rows * CELLS, columns * CELLS, -1)
        return torch.cat([lines(cells[0]), self.view_seperator.to(cells.dtype)[None], lines(local)])
