"""Encoding pictures with plain vision transformers, from pixels to final states."""
import numpy as np
import torch

from common import arguments, serve
from model import Encoder

# width, layers, heads, patches down and across, token of class, batches
CASES = {"vit_b16": (768, 12, 12, 14, 14, True, (1, 8)), "vit_tiny": (192, 12, 3, 14, 14, True, (1, 16)),
         "vit_small320": (256, 8, 4, 16, 20, False, (1, 8))}


def build(case):
    width, layers, heads, down, across, token, _ = CASES[case]
    torch.manual_seed(0)
    return Encoder(width, layers, heads, down * across, token).eval()


def pictures(case, batch):
    _, _, _, down, across, _, _ = CASES[case]
    return torch.randn(batch, 3, 16 * down, 16 * across, generator=torch.Generator().manual_seed(1))


def graph(path):
    return path.removesuffix(".safetensors") + ".onnx"


def prepare(case, path):
    from safetensors.torch import save_file
    model = build(case)
    torch.onnx.export(model, (pictures(case, 2),), graph(path), input_names=["x"], output_names=["y"], dynamo=True, external_data=False,
                      dynamic_shapes={"pictures": {0: torch.export.Dim("B", min=1, max=64)}})
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, path)


def engine(name, case, path, threads):
    """Version and a function from an array of pictures to states."""
    if name.startswith("torch"):
        from safetensors.torch import load_file
        torch.set_num_threads(threads)
        model = build(case)
        model.load_state_dict(load_file(path))
        kind = torch.bfloat16 if name.endswith("bf16") else torch.float32
        model = model.to(kind)

        def run(x):
            with torch.inference_mode():
                return model(torch.from_numpy(x).to(kind)).float().numpy()
        return torch.__version__, run
    if name == "onnxruntime":
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(graph(path), options, providers=["CPUExecutionProvider"])
        return onnxruntime.__version__, lambda x: session.run(None, {"x": x})[0]
    import openvino
    kind = "bf16" if name.endswith("bf16") else "f32"
    model = openvino.Core().compile_model(graph(path), "CPU", {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": kind, "PERFORMANCE_HINT": "LATENCY"})
    return openvino.__version__, lambda x: model({0: x})[0]


def main():
    a = arguments(["torch", "torch-bf16", "onnxruntime", "openvino", "openvino-bf16"])
    if a.prepare:
        return prepare(a.case, a.prepare)
    version, run = engine(a.engine, a.case, a.file, a.threads)
    inputs = {str(b): np.ascontiguousarray(pictures(a.case, b).numpy()) for b in CASES[a.case][-1]}
    serve(version, {key: lambda x=x: run(x) for key, x in inputs.items()})


main()
