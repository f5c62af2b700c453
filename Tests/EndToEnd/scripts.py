"""The checks that are easier said in a shell: every file of scripts/e2e.d is one."""

import os
import subprocess

from harness import ROOT, Options, check, expect


@check
def command_line():
    for script in sorted((ROOT / "scripts/e2e.d").iterdir()):
        if not os.access(script, os.X_OK):
            continue
        done = subprocess.run([script, Options.binary], cwd=ROOT, capture_output=True, text=True, timeout=120)
        expect(done.returncode == 0, f"{script.name}: {done.stdout}{done.stderr}")
