"""Films a second from DICOM to written JPEG: `decode_shard` against a notebook's loop with pydicom and OpenCV.

Films of 3328×4084 with 12 of 16 bits and a window, uncompressed and JPEG lossless, in a folder that is removed
afterwards. Ours runs as the workflow does: a process a shard, two at a time. The reference is one process. Programs
are started and have imported everything before the clock runs; what that takes has a record of its own. The least time
of several rounds counts.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import cv2  # noqa: E402
import imagecodecs  # noqa: E402
import numpy as np  # noqa: E402
from pydicom import dcmread  # noqa: E402
from pydicom.dataset import Dataset  # noqa: E402
from pydicom.encaps import encapsulate  # noqa: E402
from pydicom.filewriter import dcmwrite  # noqa: E402
from pydicom.pixels import apply_modality_lut, apply_voi_lut  # noqa: E402
from pydicom.uid import JPEGLosslessSV1  # noqa: E402

from mammo.datasets.base import Item  # noqa: E402
from mammo.datasets.decoding import decode_shard  # noqa: E402
from mammo.files import canonical_json  # noqa: E402
from mammo.phantom.dicomfile import MAMMO_FOR_PRESENTATION, elements, encode, set_pixels  # noqa: E402
from mammo.phantom.film import FilmSpec, make_film  # noqa: E402
from mammo.phantom.settings import DifficultySettings  # noqa: E402
from mammo.settings import DisplaySettings  # noqa: E402

HEIGHT, WIDTH, BITS = 4084, 3328, 12
FILMS, SOME, ROUNDS = 8, 2, 3
KINDS = ("uncompressed", "jpeg_lossless")


# --- the films --------------------------------------------------------------------------------------------------------


def film_pixels() -> np.ndarray:
    """One film (height, width) uint16: a phantom's breast at full size with the noise of a detector."""
    spec = FilmSpec(
        "bench", "bench", HEIGHT // 4, WIDTH // 4, "L", "MLO", ("mass",), DifficultySettings(), 0.01
    )
    breast = cv2.resize(make_film(spec).pixels, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    breast = np.clip(breast, 0.01, 1)
    noise = np.random.default_rng(0).standard_normal(breast.shape, np.float32)
    top = 2**BITS - 1
    return np.clip(breast * top + 12 * noise * np.sqrt(breast), 0, top).astype(np.uint16)


def write_films(folder: Path) -> None:
    """`FILMS` films of each kind, no two alike."""
    pixels = film_pixels()
    for number in range(FILMS):
        film = elements(Modality="MG", WindowCenter=1700, WindowWidth=3400, ImageLaterality="L")
        shifted = np.roll(pixels, 97 * number, axis=0)
        set_pixels(film, shifted, BITS, "MONOCHROME2")
        plain = folder / f"uncompressed_{number}.dcm"
        plain.write_bytes(encode(film, MAMMO_FOR_PRESENTATION, number))
        film = dcmread(plain)
        compress(film, shifted)
        dcmwrite(folder / f"jpeg_lossless_{number}.dcm", film, enforce_file_format=True)


def compress(film: Dataset, pixels: np.ndarray) -> None:
    """Put the pixels in as JPEG lossless, first-order prediction."""
    film.PixelData = encapsulate([imagecodecs.jpeg8_encode(pixels, lossless=True, bitspersample=BITS)])
    film["PixelData"].VR = "OB"
    film["PixelData"].is_undefined_length = True
    film.file_meta.TransferSyntaxUID = JPEGLosslessSV1


def shard(folder: Path, kind: str, numbers: range) -> Path:
    """The list of some films, as the index writes it; more than there are come round again under other names."""
    path = folder / f"{kind}_{numbers.start}_{len(numbers)}.jsonl"
    items = [
        Item(
            dataset="bench",
            film_id=f"{kind}_{n}",
            film=f"{kind}_{n % FILMS}.dcm",
            sha256="0" * 64,
            patient="p",
            group="abn",
        )
        for n in numbers
    ]
    path.write_text("".join(canonical_json(item.model_dump(mode="json")) + "\n" for item in items))
    return path


# --- what is measured: each decodes the films of a shard ------------------------------------------------------------


def ours(path: Path) -> None:
    """As scripts/decode.py does."""
    folder = path.parent
    _, rejects = decode_shard(path, folder, folder, folder / f"img_{path.stem}", DisplaySettings())
    if rejects:
        raise RuntimeError(f"{rejects[0].source}: {rejects[0].reason}")


def notebook(path: Path) -> None:
    """As a notebook does: pixel_array, LUTs, floats, imwrite."""
    for item in films_of(path):
        film = dcmread(path.parent / item)
        values = apply_voi_lut(apply_modality_lut(film.pixel_array, film), film).astype(np.float64)
        if film.PhotometricInterpretation == "MONOCHROME1":
            values = values.max() - values
        values = (values - values.min()) / (values.max() - values.min()) * 255
        target = path.parent / f"{Path(item).stem}_notebook.jpg"
        cv2.imwrite(str(target), values.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 95])


def bare(path: Path) -> None:
    """The least that has to be done: read the bytes, decode them if compressed, encode 8 bits, write."""
    eight_bits = None
    for item in films_of(path):
        data = (path.parent / item).read_bytes()
        if item.startswith("uncompressed"):
            pixels = np.frombuffer(data, np.uint16, HEIGHT * WIDTH, len(data) - 2 * HEIGHT * WIDTH)
            pixels = pixels.reshape(HEIGHT, WIDTH)
        else:
            pixels = imagecodecs.jpeg8_decode(data[data.index(b"\xff\xd8\xff") :])
        if eight_bits is None:
            eight_bits = (pixels >> (BITS - 8)).astype(np.uint8)
        _, jpeg = cv2.imencode(".jpg", eight_bits, [cv2.IMWRITE_JPEG_QUALITY, 95])
        (path.parent / f"{Path(item).stem}_bare.jpg").write_bytes(jpeg)


def films_of(path: Path) -> list[str]:
    """The files that a shard lists."""
    return [json.loads(line)["film"] for line in path.read_text().splitlines()]


WORK: dict[str, Callable[[Path], None]] = {"ours": ours, "notebook": notebook, "bare": bare}


# --- measuring --------------------------------------------------------------------------------------------------------


def worker(name: str, path: Path) -> None:
    """Wait for a line on stdin, decode a shard, print the largest memory in MB and the CPU's seconds."""
    print("ready", flush=True)
    sys.stdin.readline()
    before = time.process_time()
    WORK[name](path)
    print(peak_memory(), time.process_time() - before, flush=True)


def peak_memory() -> float:
    """Largest resident memory of this process in MB (getrusage's figure begins with that of the parent)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


@dataclass(frozen=True)
class Run:
    """Seconds until all shards are done, those of all processors together, the largest memory of a process in MB."""

    seconds: float
    cpu_seconds: float
    memory: float


def measure(name: str, shards: list[Path]) -> Run:
    """Decode shards, a process each, all at a time."""
    command = [sys.executable, __file__, "--worker", name]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    workers = [subprocess.Popen([*command, str(path)], **pipes) for path in shards]
    for process in workers:
        process.stdout.readline()
    start = time.perf_counter()
    for process in workers:
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [[float(word) for word in process.stdout.readline().split()] for process in workers]
    seconds = time.perf_counter() - start
    for process in workers:
        process.communicate()
    if not all(said):
        sys.exit(f"films: {name} failed on its films; run '{' '.join(command)} SHARD' to see why")
    return Run(seconds, sum(cpu for _, cpu in said), max(memory for memory, _ in said))


def best(runs: dict[str, tuple[str, list[Path]]]) -> dict[str, Run]:
    """The quickest of several rounds; rounds take turns, so that other work on the machine hits all."""
    found: dict[str, list[Run]] = {key: [] for key in runs}
    for _ in range(ROUNDS):
        for key, (name, shards) in runs.items():
            found[key].append(measure(name, shards))
    return {key: min(rounds, key=lambda run: run.seconds) for key, rounds in found.items()}


def record(ours: float, reference: float, ratio: float, unit: str, how: str) -> dict[str, float | str]:
    """A record as benchmarks/run.py wants it."""
    return {"ours": ours, "reference": reference, "ratio": ratio, "unit": unit, "how": how}


def halves(folder: Path, kind: str) -> list[Path]:
    """All films in two shards."""
    return [shard(folder, kind, range(FILMS // 2)), shard(folder, kind, range(FILMS // 2, FILMS))]


def compare(folder: Path, kind: str) -> dict[str, dict[str, float | str]]:
    """The records of one kind of film."""
    whole, some = shard(folder, kind, range(FILMS)), shard(folder, kind, range(SOME))
    runs = {"two": ("ours", halves(folder, kind)), "one": ("ours", [whole]), "bare": ("bare", [whole])}
    quickest = best({**runs, "notebook": ("notebook", [some])})
    two, one = FILMS / quickest["two"].seconds, FILMS / quickest["one"].seconds
    notebook_rate = SOME / quickest["notebook"].seconds
    floor = quickest["bare"].seconds / FILMS
    cpu, notebook_cpu = quickest["one"].cpu_seconds / FILMS, quickest["notebook"].cpu_seconds / SOME
    text = f"{WIDTH}x{HEIGHT} px, {BITS} of 16 bits, window, {kind.replace('_', ' ')}, to JPEG of quality 95"
    return {
        f"films_{kind}": record(
            two, notebook_rate, two / notebook_rate, "films/s", f"{text}; ours 2 processes, reference 1"
        ),
        f"films_{kind}_per_core": record(
            one, notebook_rate, one / notebook_rate, "films/s", f"{text}; one process each"
        ),
        f"films_{kind}_cpu": record(
            cpu,
            notebook_cpu,
            notebook_cpu / cpu,
            "s/film",
            f"{text}; the processor's seconds, whatever else it did",
        ),
        f"films_{kind}_floor": record(
            1 / one,
            floor,
            floor * one,
            "s/film",
            f"{text}; reference: bare reading, decoding, encoding, writing",
        ),
    }


def memory(folder: Path) -> dict[str, dict[str, float | str]]:
    """Peak memory after a few films and after many."""
    few, many = (measure("ours", [shard(folder, "uncompressed", range(count))]).memory for count in (4, 16))
    how = "peak of a process after 16 films; reference: after 4; flat is 1"
    return {"films_memory": record(many, few, few / many, "MB", how)}


def start_up(folder: Path) -> dict[str, dict[str, float | str]]:
    """Whole runs of scripts/decode.py, two at a time, the start of Python and all imports within."""
    shards = halves(folder, "uncompressed")
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        running = [
            subprocess.Popen(
                decode_command(folder, path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            for path in shards
        ]
        if max([process.wait() for process in running]):
            raise RuntimeError("scripts/decode.py failed")
        seconds.append(time.perf_counter() - start)
    bare_seconds = best({"ours": ("ours", shards)})["ours"].seconds
    how = f"two runs of scripts/decode.py on {FILMS // 2} films each, whole; reference: without start and imports"
    return {"films_start_up": record(min(seconds), bare_seconds, bare_seconds / min(seconds), "s", how)}


def decode_command(folder: Path, path: Path) -> list[str]:
    """scripts/decode.py as the rule calls it."""
    out = folder / f"out_{path.stem}"
    places = {"shard": path, "data": folder, "root": folder, "images": out}
    places |= {"table": f"{out}.csv", "rejects": f"{out}_rejects.csv"}
    options = [text for name, place in places.items() for text in (f"--{name}", str(place))]
    program = str(ROOT / "scripts/decode.py")
    return [sys.executable, program, *options, "--settings", DisplaySettings().model_dump_json()]


def main() -> None:
    """Make the films, measure, print one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--worker", nargs=2, metavar=("WHAT", "SHARD"), help="used by the program itself")
    args = parser.parse_args()
    if args.worker:
        worker(args.worker[0], Path(args.worker[1]))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_films(folder)
        results = {}
        for kind in KINDS:
            results.update(compare(folder, kind))
        results.update(memory(folder))
        results.update(start_up(folder))
    print(json.dumps(results))


if __name__ == "__main__":
    main()
