"""``python -m namewall``: becomes the program, so that signals and exit codes are its own."""

import os
import sys

from namewall import find_namewall_bin


def main():
    command = [find_namewall_bin(), *sys.argv[1:]]
    if os.name == "nt":
        # Windows has no exec: it would end this process and leave the program behind.
        import subprocess

        sys.exit(subprocess.run(command).returncode)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
