"""Generates the Python stubs of the .proto. All other scripts do it through this one."""

# scripts/gen_protos.sh, scripts/setup.sh and the wheel's build hook (hatch_build.py) all run this file. It needs only
# the standard library and grpcio-tools. It runs on the Python whose grpcio-tools must be used, because generated code
# cannot be imported with an older grpcio or protobuf than the one that generated it.

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import sysconfig
import tempfile
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "proto" / "chatbooth" / "v1"
PACKAGE = "chatbooth_grpc/_gen"


class GenerationError(Exception):
    """The stubs could not be generated. The files in the output folder are unchanged."""


def generate(out: Path, protos: Path = PROTOS) -> list[str]:
    """Write the stubs of every .proto in `protos` into `out`, and return the names of the files.

    Several runs may write into `out` at once, because each file is put in place whole. `__init__.py` comes last. It
    tells whether the others are current. Raises GenerationError.
    """
    inputs = fingerprint(protos)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".new-") as scratch:
        _run_protoc(protos, Path(scratch))
        made = Path(scratch) / PACKAGE
        names = sorted(path.name for path in made.iterdir())
        for name in names:
            (made / name).replace(out / name)
        _remove_others(out, names)
        (made / "__init__.py").write_text(_init_text(inputs), encoding="utf-8")
        (made / "__init__.py").replace(out / "__init__.py")
    return ["__init__.py", *names]


def is_current(out: Path, protos: Path = PROTOS) -> bool:
    """Return whether `out` has the files that `generate` would write with this Python's packages."""
    try:
        return (out / "__init__.py").read_text(encoding="utf-8") == _init_text(fingerprint(protos))
    except FileNotFoundError:
        return False


def fingerprint(protos: Path = PROTOS) -> str:
    """Return a digest of all inputs that decide the contents of the stubs."""
    digest = hashlib.sha256()
    for path in (Path(__file__), *_proto_files(protos)):
        digest.update(f"{path.name} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    digest.update(f"{tools_version()} {_version_of('mypy-protobuf')}".encode())
    return digest.hexdigest()


def tools_version() -> str:
    """Return the version of this Python's grpcio-tools. Raises GenerationError if there is none."""
    version = _version_of("grpcio-tools")
    if version is None:
        raise GenerationError(
            f"{sys.executable} has no grpcio-tools: install requirements.txt there, "
            "or set PYTHON to a Python that has it"
        )
    return version


def _run_protoc(protos: Path, out: Path) -> None:
    # The mapping makes protoc see the files at the place from which their stubs are imported. So the grpc stub imports
    # the messages by their full name, and nobody has to rewrite it.
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PACKAGE}={protos}"]
    prefix_include = Path(sys.prefix, "include")
    if (prefix_include / "google/protobuf/descriptor.proto").is_file():
        # conda keeps Google's own .proto files beside libprotobuf.
        command.append(f"-I{prefix_include}")
    command += [
        f"--python_out={out}",
        f"--pyi_out={out}",
        f"--grpc_python_out={out}",
        *_grpc_types(out),
    ]
    command += [f"{PACKAGE}/{path.name}" for path in _proto_files(protos)]
    protoc = subprocess.run(command, capture_output=True, text=True, check=False)
    if protoc.returncode != 0:
        raise GenerationError(f"protoc failed:\n{protoc.stderr.strip()}")


def _grpc_types(out: Path) -> list[str]:
    """Return the arguments that make types of the grpc stub, if mypy-protobuf is installed. Only mypy reads them."""
    plugin = Path(sysconfig.get_path("scripts"), "protoc-gen-mypy_grpc")
    if _version_of("mypy-protobuf") is None or not plugin.is_file():
        return []
    return [f"--plugin=protoc-gen-mypy_grpc={plugin}", f"--mypy_grpc_out={out}"]


def _remove_others(out: Path, names: list[str]) -> None:
    """Remove the stubs of a .proto or a plugin that is gone. Leave the scratch folders of other runs."""
    for path in out.iterdir():
        if path.is_file() and path.name not in (*names, "__init__.py"):
            path.unlink(missing_ok=True)


def _proto_files(protos: Path) -> list[Path]:
    files = sorted(protos.glob("*.proto"))
    if not files:
        raise GenerationError(f"no .proto file in {protos}")
    return files


def _version_of(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _init_text(inputs: str) -> str:
    return f'"""Generated by scripts/gen_protos.py; not edited by hand."""\n\n# {inputs}\n'


def main() -> int:
    """Run the command line, and return the exit status."""
    parser = argparse.ArgumentParser(prog="gen_protos", description=__doc__)
    parser.add_argument(
        "--out",
        type=Path,
        default=ROOT / PACKAGE,
        help="folder to write into [chatbooth_grpc/_gen]",
    )
    parser.add_argument("--if-changed", action="store_true", help="do nothing where the stubs are current")
    options = parser.parse_args()
    try:
        if options.if_changed and is_current(options.out):
            return 0
        names = generate(options.out)
    except GenerationError as error:
        print(f"gen_protos: {error}", file=sys.stderr)
        return 1
    print(f"{PACKAGE}: wrote {', '.join(names)} (grpcio-tools {tools_version()})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
