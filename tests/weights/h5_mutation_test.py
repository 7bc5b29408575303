"""Official .h5 files with random changes load or are refused in one line, and soon.

libhdf5 is C, and what it does with a damaged file is its own: the files are read by a process of
their own, with a bound on its memory and on the time of a file, which has to live through all.
"""

import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .mutation_test import mutate

ANSWER = Path(__file__).with_name("answer_files.py")
MOST_BYTES = 4 << 30  # address space of a process with torch in it, which takes half of that
MOST_SECONDS = 10  # of the processor's time for a file, which takes 0.1 s
SIGNATURES = re.compile(rb"\x89HDF|TREE|HEAP|SNOD|OHDR|FRHP|FHDB|BTHD|OCHK")
EXTREMES = (0, 1, 0x7F, 0xFF, 0xFFFF, 1 << 31, (1 << 32) - 1, 1 << 40, (1 << 63), (1 << 64) - 1)


class Reader:
    """The process; a context."""

    def __enter__(self):
        command = [sys.executable, str(ANSWER), str(MOST_BYTES), str(MOST_SECONDS)]
        streams = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process = subprocess.Popen(command, **streams)
        return self

    def __exit__(self, *exception):
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def answer(self, path):
        """Its line about a file; an empty one if it died or took too long."""
        print(path, file=self.process.stdin, flush=True)
        return self.process.stdout.readline().rstrip("\n")


def change_fields(content, generator):
    """A few numbers near the signatures of the structure, set to extremes."""
    changed = bytearray(content)
    places = [match.start() for match in SIGNATURES.finditer(content)]
    for _ in range(generator.choice((1, 1, 2, 4))):
        at = generator.choice(places) + generator.randrange(4, 96)
        n_bytes = generator.choice((1, 2, 4, 8))
        extreme = generator.choice((*EXTREMES, len(content), generator.randrange(len(content))))
        changed[at : at + n_bytes] = (extreme % (1 << 8 * n_bytes)).to_bytes(n_bytes, "little")
    return bytes(changed)


@pytest.mark.fuzz
@pytest.mark.parametrize("change", [mutate, change_fields])
@pytest.mark.parametrize(
    "name, unchanged",
    [("xumx_nnabla.h5", "loaded"), ("d3net_small.h5", "bands of 'vocals' are split")],
)
def test_changed_h5_loads_or_is_refused_in_one_line(golden, tmp_path, name, unchanged, change):
    content, path = (golden / name).read_bytes(), tmp_path / name
    n_mutations = 40_000_000 // len(content)
    generator, answers = random.Random(2), []
    with Reader() as reader:
        for index in range(n_mutations):
            path.write_bytes(change(content, generator) if index else content)
            answers.append(reader.answer(path))
            assert answers[-1], f"mutation {index} ended the process: {reader.process.wait()}"
            assert answers[-1] == "loaded" or re.fullmatch(r"['\"].*['\"]", answers[-1])
            assert "\\n" not in answers[-1]
    assert unchanged in answers[0] and len(set(answers)) > 2
