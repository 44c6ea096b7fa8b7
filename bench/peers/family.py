"""Published families at their true sizes, with random weights: folders that every engine opens, and PyTorch's side."""
import json
import os
import shutil

import torch
import transformers

from common import arguments, serve

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "testdata", "fixtures", "parity")


def labels(n):
    return {"id2label": {str(i): f"label {i}" for i in range(n)}, "label2id": {f"label {i}": i for i in range(n)}}


YOLOS = {"size": {"shortest_edge": 512, "longest_edge": 1333}}
# fixture whose folder is followed, format of the weights, what differs in config.json and in preprocessor_config.json
CASES = {
    "vit": ("vit", "float32", {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "num_hidden_layers": 12, "image_size": 224, "patch_size": 16,
                               "pooler_output_size": 768, **labels(1000)}, {"size": {"height": 224, "width": 224}}),
    "yolos_tiny": ("yolos", "float32", {"hidden_size": 192, "intermediate_size": 768, "num_attention_heads": 3, "num_hidden_layers": 12, "image_size": [800, 1333],
                                        "num_detection_tokens": 100, "use_mid_position_embeddings": False, **labels(91)}, YOLOS),
    "yolos_small": ("yolos", "float32", {"hidden_size": 384, "intermediate_size": 1536, "num_attention_heads": 6, "num_hidden_layers": 12, "image_size": [512, 864],
                                         "num_detection_tokens": 100, "use_mid_position_embeddings": True, **labels(91)}, YOLOS),
    "vitpose": ("vitpose_simple", "float32", {"backbone_config": {"hidden_size": 768, "num_attention_heads": 12, "num_hidden_layers": 12, "mlp_ratio": 4, "image_size": [256, 192],
                                                                 "out_features": ["stage12"], "out_indices": [12], "stage_names": ["stem"] + [f"stage{i}" for i in range(1, 13)]}},
                {"size": {"height": 256, "width": 192}}),
    "smolvlm": ("idefics3", "bfloat16", {"scale_factor": 4, "tie_word_embeddings": False,
                                         "text_config": {"hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3,
                                                         "head_dim": 64, "vocab_size": 49280, "max_position_embeddings": 8192, "tie_word_embeddings": False},
                                         "vision_config": {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "num_hidden_layers": 12, "image_size": 512, "patch_size": 16}},
                {"size": {"longest_edge": 2048}, "max_image_size": {"longest_edge": 512}, "do_image_splitting": False}),
    "florence2": ("florence2", "float16", {"text_config": {"d_model": 768, "encoder_layers": 6, "decoder_layers": 6, "encoder_attention_heads": 12, "decoder_attention_heads": 12,
                                                           "encoder_ffn_dim": 3072, "decoder_ffn_dim": 3072, "max_position_embeddings": 1024, "vocab_size": 51328},
                                           "vision_config": {"depths": [1, 1, 9, 1], "embed_dim": [128, 256, 512, 1024], "num_heads": [4, 8, 16, 32], "num_groups": [4, 8, 16, 32],
                                                             "window_size": 12, "projection_dim": 768, "mlp_ratio": 4.0, "max_position_embeddings": 50, "max_temporal_embeddings": 100}},
                  {"size": {"height": 768, "width": 768}, "crop_size": {"height": 768, "width": 768}, "image_seq_length": 577}),
    "qwen2_5_vl": ("qwen2_5_vl", "bfloat16", {"tie_word_embeddings": True,
                                              "text_config": {"hidden_size": 2048, "intermediate_size": 11008, "num_hidden_layers": 36, "num_attention_heads": 16, "num_key_value_heads": 2,
                                                              "layer_types": ["full_attention"] * 36, "vocab_size": 151936, "max_position_embeddings": 32768, "tie_word_embeddings": True,
                                                              "rope_parameters": {"mrope_section": [16, 24, 24], "rope_theta": 1000000.0, "rope_type": "default"}},
                                              "vision_config": {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "out_hidden_size": 2048,
                                                                "fullatt_block_indexes": [7, 15, 23, 31], "window_size": 112}},
                   {"size": {"shortest_edge": 3136, "longest_edge": 1003520}}),
}


def merge(into, changes):
    for k, v in changes.items():
        if isinstance(v, dict) and isinstance(into.get(k), dict) and k not in ("id2label", "label2id", "size"):
            merge(into[k], v)
        else:
            into[k] = v
    return into


def prepare(case, folder):
    fixture, kind, config, processor = CASES[case]
    source = os.path.join(FIXTURES, fixture)
    os.makedirs(folder + ".part", exist_ok=True)
    for name in os.listdir(source):
        if name.endswith(".json") and not name.endswith("keys.json") and name not in ("expected.json", "config.legacy.json"):
            shutil.copy(os.path.join(source, name), folder + ".part")
    for name, changes in {"config.json": config, "preprocessor_config.json": processor}.items():
        path = os.path.join(folder + ".part", name)
        with open(path) as f:
            tree = merge(json.load(f), changes)
        with open(path, "w") as f:
            json.dump(tree, f)
    torch.manual_seed(0)
    config = transformers.AutoConfig.from_pretrained(folder + ".part")
    model = architecture(folder + ".part")._from_config(config, dtype=getattr(torch, kind))
    model.save_pretrained(folder + ".part")
    os.rename(folder + ".part", folder)


def architecture(folder):
    with open(os.path.join(folder, "config.json")) as f:
        return getattr(transformers, json.load(f)["architectures"][0])


def picture():
    """Any picture of 640×480."""
    import numpy as np
    from PIL import Image
    y, x = np.mgrid[:480, :640]
    return Image.fromarray(np.stack([x % 256, y % 256, (x + y) % 256], -1).astype("uint8"))


def writer(model):
    """Items of a causal language model: reading a prompt, writing on from one token. Each position is the next one, of whatever kind."""
    text = model.model.text_model if hasattr(model.model, "text_model") else model.model.language_model

    def step(ids, cache):
        out = text(input_ids=ids, past_key_values=cache, use_cache=True)
        return model.lm_head(out.last_hidden_state[:, -1:]), out.past_key_values

    def read(n):
        ids = torch.arange(n)[None] * 7919 % text.config.vocab_size
        return lambda: step(ids, None)

    def write(n):
        def run():
            logits, cache = step(torch.zeros(1, 1, dtype=torch.long), None)
            for _ in range(n):
                logits, cache = step(logits.argmax(-1), cache)
        return run
    return {"pp128": read(128), "tg16": write(16), "tg64": write(64)}


def items(case, model, folder, kind):
    if case == "vitpose":  # a person's crop
        x = {"pixel_values": torch.zeros(1, 3, 256, 192)}
    else:
        x = transformers.AutoImageProcessor.from_pretrained(folder)(images=picture(), return_tensors="pt")
    pixels = x["pixel_values"].to(kind)
    if case == "smolvlm":
        return {"image": lambda: model.get_image_features(pixel_values=pixels), **writer(model)}
    if case == "qwen2_5_vl":
        return {"image": lambda: model.get_image_features(pixel_values=pixels, image_grid_thw=x["image_grid_thw"]), **writer(model)}
    if case == "florence2":
        image = model.config.image_token_id
        ids = torch.tensor([[image] * 577 + [0, 5, 6, 7, 8, 9, 10, 2]])
        how = dict(num_beams=3, min_new_tokens=32, max_new_tokens=32, do_sample=False)
        return {"image": lambda: model.get_image_features(pixel_values=pixels), "answer32": lambda: model.generate(input_ids=ids, pixel_values=pixels, **how)}
    return {"image": lambda: model(pixel_values=pixels)}


def main():
    a = arguments(["torch", "torch-bf16"])
    if a.prepare:
        return prepare(a.case, a.prepare)
    torch.set_num_threads(a.threads)
    kind = torch.bfloat16 if a.engine.endswith("bf16") else torch.float32
    model = architecture(a.file).from_pretrained(a.file, dtype=kind).eval()
    with torch.inference_mode():
        todo = items(a.case, model, a.file, kind)
        serve(f"{torch.__version__}, transformers {transformers.__version__}", todo, a.cold)


main()
