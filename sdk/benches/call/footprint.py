#!/usr/bin/env python3
"""How many different cache lines and pages of code and data a call touches: what a processor has to fetch when its caches are cold.

    footprint.py PROGRAM SUBJECT..   with the program that `cargo bench --bench call --no-run` names

Needs valgrind, whose tool `lackey` prints every access. It counts neither the kernel nor instructions that valgrind lacks.
"""

import collections
import os
import re
import subprocess
import sys
import tempfile

LINE, PAGE = 64, 4096
CALLS = 8
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def environment(folder):
    """One certificate, because reading all of them takes longer than everything else."""
    path = os.path.join(folder, "one.pem")
    with open(CERTIFICATES) as all_of_them, open(path, "w") as one:
        one.write(all_of_them.read().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n")
    return {**os.environ, "SSL_CERT_FILE": path, "SSL_CERT_DIR": folder}


def calls(program, subject, env):
    """The accesses of each call: for code and data, the lines; and the instructions."""
    lackey = ["valgrind", "--tool=lackey"]
    first = subprocess.run([*lackey, program, "run", subject, "1"], env=env, capture_output=True, text=True, check=True)
    boundary = int(re.search(r"boundary at 0x([0-9a-f]+)", first.stderr)[1], 16)
    # Read when the program has ended: one that waits for its reader is so slow that it looks into the store for each call.
    with tempfile.NamedTemporaryFile("r") as lines:
        call = None
        subprocess.run(
            [*lackey, "--trace-mem=yes", f"--log-file={lines.name}", program, "run", subject, str(CALLS)],
            env=env, capture_output=True, check=True,
        )
        for text in lines:
            kind = text[:2].strip()
            if kind not in ("I", "L", "S", "M") or "," not in text:
                continue
            address, size = text[2:].split(",")
            address, size = int(address, 16), int(size)
            if kind == "I" and address == boundary:
                if call:
                    yield call
                call = collections.defaultdict(set), [0]
            if call:
                part = "code" if kind == "I" else "data"
                call[0][part].update(range(address // LINE, (address + size - 1) // LINE + 1))
                call[1][0] += kind == "I"


def main(program, *subjects):
    pages = lambda lines: len({line * LINE // PAGE for line in lines})
    print(f"{'':<24}{'instructions':>14}{'lines: code':>14}{'data':>8}{'pages: code':>14}{'data':>8}")
    with tempfile.TemporaryDirectory() as folder:
        env = environment(folder)
        for subject in subjects:
            # A call now and then does more, such as looking into the store.
            lines, (count,) = min(calls(program, subject, env), key=lambda call: call[1][0])
            code, data = lines["code"], lines["data"]
            print(f"{subject:<24}{count:>14}{len(code):>14}{len(data):>8}{pages(code):>14}{pages(data):>8}")


main(*sys.argv[1:])
