"""A training step: forward, backward and AdamW."""
import torch
from torch.nn import functional as F

from common import arguments, serve
from model import CCT, Classifier, Joint


def case(name):
    """Model and a function from it to the loss."""
    rng = torch.Generator().manual_seed(1)
    if name == "vit384":
        patches, labels = torch.randn(4, 400, 768, generator=rng), torch.randint(1000, (4,), generator=rng)
        return Classifier(), lambda m: F.cross_entropy(m(patches).float(), labels)
    if name == "cct":
        pictures, labels = torch.randn(128, 3, 32, 32, generator=rng), torch.randint(10, (128,), generator=rng)
        return CCT(), lambda m: F.cross_entropy(m(pictures).float(), labels)
    patches = torch.randn(8, Joint.patches, 768, generator=rng)
    ids, labels = (torch.randint(Joint.vocabulary, (8, Joint.texts, Joint.words), generator=rng) for _ in range(2))
    return Joint(), lambda m: F.cross_entropy(m(patches, ids).flatten(0, 1).float(), labels.flatten())


def main():
    a = arguments(["torch", "torch-bf16", "torch-compile", "torch-compile-bf16"])
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    model, loss = case(a.case)
    if "compile" in a.engine:
        loss = torch.compile(loss, dynamic=False)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=.05, fused=True)

    def step():
        with torch.autocast("cpu", torch.bfloat16, enabled=a.engine.endswith("bf16")):
            value = loss(model)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
    serve(torch.__version__, {a.case: step})


main()
