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


def graph(path, kind=""):
    return path.removesuffix(".safetensors") + kind + ".onnx"


def prepare(case, path):
    from safetensors.torch import save_file
    model = build(case)
    torch.onnx.export(model, (pictures(case, 2),), graph(path), input_names=["x"], output_names=["y"], dynamo=True, external_data=False,
                      dynamic_shapes={"pictures": {0: torch.export.Dim("B", min=1, max=64)}})
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process
    quant_pre_process(graph(path), graph(path, ".pre"), skip_symbolic_shape=True)
    with open("/proc/cpuinfo") as f:  # without these instructions sums of two products overflow 16 bits: weights of 7 bits, as its manual says
        reduce = "vnni" not in f.read()
    quantize_dynamic(graph(path, ".pre"), graph(path, ".int8"), weight_type=QuantType.QInt8, per_channel=True, reduce_range=reduce, op_types_to_quantize=["MatMul", "Gemm"])
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
    if name.startswith("onnxruntime"):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(graph(path, ".int8" if name.endswith("int8") else ""), options, providers=["CPUExecutionProvider"])
        return onnxruntime.__version__, lambda x: session.run(None, {"x": x})[0]
    import openvino
    kind = "bf16" if name.endswith("bf16") else "f32"
    model = openvino.Core().compile_model(graph(path), "CPU", {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": kind, "PERFORMANCE_HINT": "LATENCY"})
    return openvino.__version__, lambda x: model({0: x})[0]


def main():
    a = arguments(["torch", "torch-bf16", "onnxruntime", "onnxruntime-int8", "openvino", "openvino-bf16"])
    if a.prepare:
        return prepare(a.case, a.prepare)
    version, run = engine(a.engine, a.case, a.file, a.threads)
    inputs = {str(b): np.ascontiguousarray(pictures(a.case, b).numpy()) for b in CASES[a.case][-1]}
    error = 0
    if "-" in a.engine:  # fewer bits: the mean error over the standard deviation
        from safetensors.torch import load_file
        exact = build(a.case)
        exact.load_state_dict(load_file(a.file))
        with torch.inference_mode():
            want = exact(torch.from_numpy(inputs["1"])).numpy()
        error = float(np.abs(run(inputs["1"]) - want).mean() / want.std())
    serve(version, {key: lambda x=x: run(x) for key, x in inputs.items()}, error=error)


main()
