"""Runs schemathesis against a running server, as an administrator. usage: scripts/e2e-schemathesis [PLEXICHAT] [words]

Its arguments beside the server go to schemathesis as they are.
"""

import os
import pathlib
import subprocess
import sys

import harness

# Python 3.11's parser counts its depth for all threads together (cpython issue 106905): with two, a run now and then ended
# in "AST constructor recursion depth mismatch". They would share one interpreter's lock anyway.
WORKERS = "1"
EXAMPLES = "50"
# The same requests in every run of CI: what they find is then found by who changed something. Others by the variable.
SEED = os.environ.get("PLEXI_FUZZ_SEED", "20261122")


def main():
    words = sys.argv[1:]
    if words and not words[0].startswith("-"):
        harness.Options.binary = pathlib.Path(words.pop(0)).resolve()
    # Many connections from one address; answers must come as the document says, not "too many requests".
    settings = harness.UNLIMITED + harness.CHEAP_PASSWORDS + [
        "accounts.login_throttle.account.free=1000", "accounts.login_throttle.address.free=100000",
        "accounts.sessions_per_user=10000",
        # Without a place for them every row of backups is 503, which is what the checks are to find elsewhere.
        f"backup.places={harness.temporary_folder() / 'place'}",
    ]
    mail = harness.MailServer()
    with harness.Server(*settings, *mail.settings()) as server:
        harness.plexichat("backup", "create", "--new", *server.options(), timeout=120)
        here = harness.ROOT / "Tests/EndToEnd"
        environment = {
            **os.environ, "SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(here),
            "PLEXI_E2E_PASSWORD": harness.PASSWORD, "PLEXI_E2E_URL": server.url,
        }
        done = subprocess.run(
            [harness.ROOT / ".tools/venv/bin/python", "-m", "schemathesis.cli",
             "--config-file", here / "schemathesis.toml", "run", server.url + "/openapi.json",
             "--checks", "all", "--max-examples", EXAMPLES, "--workers", WORKERS, "--seed", SEED,
             "--no-color", *words],
            env=environment, cwd=harness.temporary_folder())
        harness.expect(server.process.poll() is None, "the server is gone:", server.log_text())
    sys.exit(done.returncode)


main()
