"""namewall is a program. This package says where pip has put it, and runs it as ``python -m namewall``."""

import os
import sys
import sysconfig

__all__ = ["find_namewall_bin"]


def find_namewall_bin():
    """The path of the program that came with this package."""
    name = "namewall" + (sysconfig.get_config_var("EXE") or "")
    folders = list(_folders())
    for folder in folders:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            return path
    raise FileNotFoundError("no program {} in {}: install namewall again".format(name, ", ".join(folders)))


def _folders():
    """Where an installer puts programs: of this environment, the user's, or beside this package."""
    yield sysconfig.get_path("scripts")
    yield sysconfig.get_path("scripts", _user_scheme())
    site = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    # pip install --target
    yield os.path.join(site, "bin")
    # pip install --prefix: PREFIX/lib/python3.x/site-packages
    yield os.path.normpath(os.path.join(site, "..", "..", "..", "bin"))


def _user_scheme():
    if sys.version_info >= (3, 10):
        return sysconfig.get_preferred_scheme("user")
    return "nt_user" if os.name == "nt" else "posix_user"
