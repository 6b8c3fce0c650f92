"""Generated modules: written once to a cache folder, imported like any other module.

numba caches compiled code beside the file a function was defined in, so generated functions get a
file of their own. Its name is a hash of its text and of everything the text depends on; files are
written whole and moved into place, so that processes starting at the same time cannot see half a
module.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
from functools import cache
from pathlib import Path
from types import ModuleType

import numba
import platformdirs
import sympy

__all__ = ["cache_folder", "generated_module"]


@cache
def cache_folder() -> Path:
    """Folder of generated modules and their compiled code.

    Returns
    -------
    pathlib.Path
        ``$WIDEGAP_CACHE_DIR`` if set, else the user's cache folder for widegap; where neither can
        be written, a temporary folder that lives as long as the machine keeps it.
    """
    chosen = os.environ.get("WIDEGAP_CACHE_DIR")
    wanted = Path(chosen) if chosen else Path(platformdirs.user_cache_dir("widegap"))
    try:
        wanted.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=wanted):
            return wanted
    except OSError:
        return Path(tempfile.mkdtemp(prefix="widegap-"))


def generated_module(name: str, text: str) -> ModuleType:
    """Import a module from its source text.

    Parameters
    ----------
    name : str
        Readable part of the module's name.
    text : str
        Python source.

    Returns
    -------
    types.ModuleType
        The same object for the same text in one process.
    """
    # numba does not see changes in functions that a cached function calls
    stable = (Path(__file__).parent / "nests" / "stable.py").read_text(encoding="utf-8")
    key = "\n".join((numba.__version__, sympy.__version__, sys.version, stable, text))
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    full_name = f"widegap_generated_{name}_{digest}"
    if full_name in sys.modules:
        return sys.modules[full_name]
    path = cache_folder() / f"{full_name}.py"
    if not path.exists():
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.replace(temporary, path)
    spec = importlib.util.spec_from_file_location(full_name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[full_name] = module
    spec.loader.exec_module(module)
    return module
