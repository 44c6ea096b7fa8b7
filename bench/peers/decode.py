"""Language models as SmolLM2 has them, with random weights, reading prompts and writing: llama.cpp's library and transformers.
--prepare writes a folder of GGUF files. LLAMA_CPP_LIB_PATH may name a folder with another build of the library."""
import ctypes
import os

import numpy as np

from common import arguments, serve

# width, layers, heads, heads of keys, inner width
CASES = {"lm256m": (576, 30, 9, 3, 1536), "lm1700m": (2048, 24, 32, 32, 8192)}
VOCABULARY, LENGTH = 49280, 2048
ITEMS = {"pp128": 128, "pp512": 512, "tg64": 64}
SILENT = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda level, text, data: None)


def prepare(case, folder):
    import gguf
    import llama_cpp as llama
    width, layers, heads, kv_heads, inner = CASES[case]
    kv = width // heads * kv_heads
    os.makedirs(folder + ".part", exist_ok=True)
    half = os.path.join(folder + ".part", "half.gguf")
    w = gguf.GGUFWriter(half, "llama")
    w.add_block_count(layers)
    w.add_context_length(LENGTH)
    w.add_embedding_length(width)
    w.add_feed_forward_length(inner)
    w.add_head_count(heads)
    w.add_head_count_kv(kv_heads)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_rope_dimension_count(width // heads)
    w.add_rope_freq_base(1e5)
    w.add_vocab_size(VOCABULARY)
    w.add_tokenizer_model("no_vocab")
    w.add_file_type(1)
    numbers = (np.random.default_rng(0).standard_normal(1 << 22) * .02).astype(np.float16)

    def put(name, rows, columns):
        w.add_tensor(name, np.resize(numbers, (rows, columns)))

    def gain(name):
        w.add_tensor(name, np.ones(width, np.float32))
    put("token_embd.weight", VOCABULARY, width)
    gain("output_norm.weight")
    for i in range(layers):
        block = f"blk.{i}."
        gain(block + "attn_norm.weight")
        gain(block + "ffn_norm.weight")
        for name, rows, columns in (("attn_q", width, width), ("attn_k", kv, width), ("attn_v", kv, width), ("attn_output", width, width),
                                    ("ffn_gate", inner, width), ("ffn_up", inner, width), ("ffn_down", width, inner)):
            put(block + name + ".weight", rows, columns)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    for name, kind in (("bf16", llama.LLAMA_FTYPE_MOSTLY_BF16), ("int8", llama.LLAMA_FTYPE_MOSTLY_Q8_0), ("int4", llama.LLAMA_FTYPE_MOSTLY_Q4_0)):
        how = llama.llama_model_quantize_default_params()
        how.ftype = kind
        if llama.llama_model_quantize(half.encode(), os.path.join(folder + ".part", name + ".gguf").encode(), ctypes.byref(how)) != 0:
            raise RuntimeError("llama.cpp does not write " + name)
    os.remove(half)
    os.rename(folder + ".part", folder)


def llama_engine(folder, kind, threads):
    """Version and items of llama.cpp, which reads a prompt at once, in pieces of 512, with its own choice of attention."""
    import llama_cpp as llama
    llama.llama_log_set(SILENT, None)
    llama.llama_backend_init()
    model = llama.llama_model_load_from_file(os.path.join(folder, kind + ".gguf").encode(), llama.llama_model_default_params())
    how = llama.llama_context_default_params()
    how.n_ctx, how.n_batch, how.n_ubatch, how.n_threads, how.n_threads_batch = 640, 512, 512, threads, threads
    context = llama.llama_init_from_model(model, how)

    def step(ids):
        tokens = (llama.llama_token * len(ids))(*ids)
        if llama.llama_decode(context, llama.llama_batch_get_one(tokens, len(ids))) != 0:
            raise RuntimeError("llama_decode")
        return np.ctypeslib.as_array(llama.llama_get_logits(context), (VOCABULARY,))

    def forget():
        llama.llama_memory_clear(llama.llama_get_memory(context), True)
    return "llama-cpp-python " + llama.__version__, step, forget


def torch_engine(case, threads):
    """The same of transformers, in bfloat16."""
    import torch
    import transformers
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    width, layers, heads, kv_heads, inner = CASES[case]
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=kv_heads, intermediate_size=inner,
        tie_word_embeddings=True, max_position_embeddings=LENGTH)).eval().bfloat16()
    cache = [None]

    def step(ids):
        out = model(input_ids=torch.tensor([ids]), past_key_values=cache[0], use_cache=True, logits_to_keep=1)
        cache[0] = out.past_key_values
        return out.logits[0, -1].float().numpy()

    def forget():
        cache[0] = None
    return f"{torch.__version__}, transformers {transformers.__version__}", step, forget


def main():
    a = arguments(["torch-bf16", "llama.cpp-bf16", "llama.cpp-int8", "llama.cpp-int4"])
    if a.prepare:
        return prepare(a.case, a.prepare)
    if a.engine.startswith("llama.cpp"):
        version, step, forget = llama_engine(a.file, a.engine.split("-")[1], a.threads)
    else:
        version, step, forget = torch_engine(a.case, a.threads)

    def read(n):
        forget()
        step([i * 7919 % VOCABULARY for i in range(n)])

    def write(n):
        forget()
        logits = step([0])
        for _ in range(n):
            logits = step([int(logits.argmax())])
    serve(version, {key: lambda key=key, n=n: (read if key[0] == "p" else write)(n) for key, n in ITEMS.items()}, a.cold)


main()
