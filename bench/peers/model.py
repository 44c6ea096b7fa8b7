"""Plain pre-norm transformers in PyTorch: the shapes of internal/bench, under the names that its files have."""
import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, width, heads, ratio=4, eps=1e-5):
        super().__init__()
        self.heads = heads
        self.n1, self.n2 = nn.LayerNorm(width, eps), nn.LayerNorm(width, eps)
        self.qkv, self.o = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.f1, self.f2 = nn.Linear(width, ratio * width), nn.Linear(ratio * width, width)

    def forward(self, x, attend=F.scaled_dot_product_attention):
        b, n, d = x.shape
        q, k, v = (t.view(b, n, self.heads, d // self.heads).transpose(1, 2) for t in self.qkv(self.n1(x)).chunk(3, -1))
        x = x + self.o(attend(q, k, v).transpose(1, 2).flatten(2))
        return x + self.f2(F.gelu(self.f1(self.n2(x))))


class Encoder(nn.Module):
    """Pictures [B, 3, H, W] to states [B, N, D]."""

    def __init__(self, width, layers, heads, tokens, token_of_class):
        super().__init__()
        self.patch = nn.Conv2d(3, width, 16, 16)
        self.cls = nn.Parameter(torch.randn(1, 1, width) * .02) if token_of_class else None
        self.pos = nn.Parameter(torch.randn(1, tokens + token_of_class, width) * .02)
        self.blocks = nn.ModuleList(Block(width, heads, eps=1e-6) for _ in range(layers))
        self.norm = nn.LayerNorm(width, 1e-6)

    def forward(self, pictures):
        x = self.patch(pictures).flatten(2).transpose(1, 2)
        if self.cls is not None:
            x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], 1)
        x = x + self.pos
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class Classifier(nn.Module):
    """Patches [B, N, 768] to logits of the mean state."""

    def __init__(self, width=384, layers=12, heads=6, tokens=400, classes=1000):
        super().__init__()
        self.patch, self.pos = nn.Linear(768, width), nn.Parameter(torch.randn(1, tokens, width) * .02)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, patches):
        x = self.patch(patches) + self.pos
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x).mean(1))


class CCT(nn.Module):
    """CCT-2/3x2: pictures [B, 3, 32, 32] to logits of a mean that weighs tokens by what each says of itself."""

    def __init__(self, width=128):
        super().__init__()
        self.convolutions = nn.ModuleList([nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Conv2d(64, width, 3, 1, 1, bias=False)])
        self.pos = nn.Parameter(torch.randn(1, 64, width) * .02)
        self.blocks = nn.ModuleList(Block(width, 2, 1) for _ in range(2))
        self.norm, self.pool, self.head = nn.LayerNorm(width), nn.Linear(width, 1), nn.Linear(width, 10)

    def forward(self, x):
        for convolution in self.convolutions:
            x = F.max_pool2d(F.relu(convolution(x)), 3, 2, 1)
        x = x.flatten(2).transpose(1, 2) + self.pos
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        return self.head((self.pool(x).softmax(1).transpose(1, 2) @ x).squeeze(1))


class Joint(nn.Module):
    """Patches [B, 256, 768] and four texts of 48 words a picture: image tokens see each other, a text sees the picture and its own
    words so far. What a text may not see is left out rather than masked."""
    patches, words, texts, vocabulary = 256, 48, 4, 4096

    def __init__(self, width=192, layers=8, heads=3):
        super().__init__()
        self.patch, self.pos = nn.Linear(768, width), nn.Parameter(torch.randn(1, self.patches, width) * .02)
        self.table, self.text_pos = nn.Embedding(self.vocabulary, width), nn.Parameter(torch.randn(1, 1, self.words, width) * .02)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, self.vocabulary, bias=False)
        causal = torch.ones(self.words, self.words, dtype=torch.bool).tril()
        self.register_buffer("sees", torch.cat([torch.ones(self.words, self.patches, dtype=torch.bool), causal], 1))

    def attend(self, q, k, v):
        p, g, w = self.patches, self.texts, self.words

        def texts(t):  # [B, H, P + G·W, E] to [B·G, H, W, E]
            b, h, _, e = t.shape
            return t[:, :, p:].reshape(b, h, g, w, e).transpose(1, 2).reshape(b * g, h, w, e)

        def keys(t):
            picture = t[:, :, :p].repeat_interleave(g, 0)
            return torch.cat([picture, texts(t)], 2)
        image = F.scaled_dot_product_attention(q[:, :, :p], k[:, :, :p], v[:, :, :p])
        text = F.scaled_dot_product_attention(texts(q), keys(k), keys(v), attn_mask=self.sees)
        b, h, _, e = q.shape
        return torch.cat([image, text.view(b, g, h, w, e).transpose(1, 2).reshape(b, h, g * w, e)], 2)

    def forward(self, patches, ids):
        x = self.patch(patches) + self.pos
        t = (self.table(ids) + self.text_pos).flatten(1, 2)
        x = torch.cat([x, t], 1)
        for block in self.blocks:
            x = block(x, self.attend)
        return self.head(self.norm(x[:, self.patches:]))
