"""Decoding JPEG pictures of 640 x 480 and resizing them to 224 x 224, bicubic. Pillow filters with antialiasing, as Fovea does;
OpenCV's bicubic resizing does not (it reads 16 pixels for each result), and its area averaging is the slower way that does."""
import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from common import arguments, serve

COUNT, WIDTH, HEIGHT, SIDE = 50, 640, 480, 224


def prepare(path):
    """Noise of four sizes added up: as hard to compress as photos."""
    from PIL import Image
    rng, files = np.random.default_rng(7), []
    for _ in range(COUNT):
        total = np.zeros((HEIGHT, WIDTH, 3), np.float32)
        for grain, weight in ((96, .5), (24, .25), (6, .15), (1, .1)):
            small = rng.integers(0, 256, (HEIGHT // grain + 1, WIDTH // grain + 1, 3), np.uint8)
            total += weight * np.asarray(Image.fromarray(small).resize((WIDTH, HEIGHT), Image.BICUBIC), np.float32)
        packed = io.BytesIO()
        Image.fromarray(total.clip(0, 255).astype(np.uint8)).save(packed, "JPEG", quality=90)
        files.append(np.frombuffer(packed.getvalue(), np.uint8))
    np.savez(path, *files)


def engine(name):
    """Version, decoder and resizer."""
    if name == "pillow":
        import PIL
        from PIL import Image

        def decode(data):
            image = Image.open(io.BytesIO(data))
            image.load()
            return image
        return PIL.__version__, decode, lambda image: np.asarray(image.resize((SIDE, SIDE), Image.BICUBIC))
    import cv2
    cv2.setNumThreads(0)
    how = cv2.INTER_AREA if name.endswith("area") else cv2.INTER_CUBIC
    return cv2.__version__, lambda data: cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), lambda image: cv2.resize(image, (SIDE, SIDE), interpolation=how)


def main():
    a = arguments(["pillow", "opencv", "opencv-area"])
    if a.prepare:
        return prepare(a.prepare)
    version, decode, resize = engine(a.engine)
    files = [f.tobytes() for f in np.load(a.file).values()]
    decoded = [decode(f) for f in files]
    pool = ThreadPoolExecutor(a.threads)

    def all_of(f, values):
        """Every thread takes every so manyth."""
        return lambda: list(pool.map(lambda i: [f(v) for v in values[i::a.threads]], range(a.threads)))
    serve(version, {"decode+resize": all_of(lambda f: resize(decode(f)), files), "decode": all_of(decode, files), "resize": all_of(resize, decoded)})


main()
