"""Labelled documents as the engine reads them: the parts of an installed set, and the words of `src/data/words.rs`."""

import gzip
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
ALONE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
LETTERS = rf"[^\W_{ALONE}]+"
WORD = re.compile(rf"{LETTERS}(?:['’]{LETTERS})*|[{ALONE}]")


def words(text):
    return [word.lower().replace("’", "'") for word in WORD.findall(text)]


def part(data, name):
    """Texts and classes of a part, `train` or `test`."""
    lines = gzip.decompress((ROOT / "data" / data / f"{name}.txt.gz").read_bytes()).decode().split("\n")[:-1]
    classes, texts = zip(*(line.split("\t", 1) for line in lines))
    return list(texts), [int(name) for name in classes]
