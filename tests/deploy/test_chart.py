"""The chart and the compose file hold together: every value exists, every document is whole, every setting is one of ours.

Helm itself is not needed: the templates use values, the release's name and plain conditions, which are rendered here.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy" / "helm" / "consilium"
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
_IF = re.compile(r"^\s*\{\{- if \.Values\.([\w.]+) \}\}\n(.*?)^\s*\{\{- end \}\}\n", re.MULTILINE | re.DOTALL)


def value(values: dict[str, Any], path: str) -> Any:
    found: Any = values
    for part in path.split("."):
        assert part in found, f"values.yaml has no {path}"
        found = found[part]
    return found


def rendered(values: dict[str, Any]) -> list[dict[str, Any]]:
    documents: list[dict[str, Any]] = []
    for template in sorted((CHART / "templates").glob("*.yaml")):
        text = _IF.sub(lambda match: match[2] if value(values, match[1]) else "", template.read_text())
        text = text.replace("{{ .Release.Name }}", "site")
        text = re.sub(r"\{\{ \.Values\.([\w.]+) \}\}", lambda match: str(value(values, match[1])), text)
        assert "{{" not in text, f"{template.name} uses more of Helm than is rendered here"
        documents += [document for document in yaml.safe_load_all(text) if document]
    return documents


def of_kind(documents: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (found,) = [document for document in documents if document["kind"] == kind]
    return found


@pytest.mark.parametrize("extras", [False, True])
def test_every_document_is_whole(extras: bool) -> None:
    values = {**VALUES, "serviceMonitor": {"enabled": extras}, "sessions": {"storageClass": "nfs" * extras, "size": "1Gi"}}
    documents = rendered(values)
    kinds = [document["kind"] for document in documents]
    assert {"StatefulSet", "Service", "PersistentVolumeClaim", "PodDisruptionBudget", "NetworkPolicy"} <= set(kinds)
    assert ("ServiceMonitor" in kinds) is extras
    assert all(document["apiVersion"] and document["metadata"]["name"] for document in documents)
    claim = of_kind(documents, "PersistentVolumeClaim")
    assert claim["spec"].get("storageClassName") == ("nfs" if extras else None)
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


def test_workers_share_database_and_files_and_are_selected() -> None:
    documents = rendered(VALUES)
    workers = of_kind(documents, "StatefulSet")
    labels = workers["spec"]["template"]["metadata"]["labels"]
    assert of_kind(documents, "Service")["spec"]["selector"] == labels == workers["spec"]["selector"]["matchLabels"]
    (container,) = workers["spec"]["template"]["spec"]["containers"]
    environment = {item["name"]: item for item in container["env"]}
    for name in environment:
        assert name.removeprefix("CONSILIUM_").lower() in Settings.model_fields, f"{name} is no setting"
    assert environment["CONSILIUM_SESSIONS"]["value"] == "/sessions"
    assert "secretKeyRef" in environment["CONSILIUM_DATABASE"]["valueFrom"]
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounted == {"home": "/data", "sessions": "/sessions"}
    (volume,) = workers["spec"]["template"]["spec"]["volumes"]
    assert volume["persistentVolumeClaim"]["claimName"] == of_kind(documents, "PersistentVolumeClaim")["metadata"]["name"]
    assert {container[probe]["httpGet"]["path"] for probe in ("livenessProbe", "readinessProbe")} == {"/healthz", "/readyz"}


@pytest.mark.parametrize("name", ["compose.yaml", "deploy/compose.scale.yaml"])
def test_compose_sets_settings_of_ours_and_waits_for_what_is_there(name: str) -> None:
    composed = yaml.safe_load((ROOT / name).read_text())
    services = composed["services"]
    for service in services.values():
        for setting in service.get("environment", {}):
            if setting.startswith("CONSILIUM_"):
                assert setting.removeprefix("CONSILIUM_").lower() in Settings.model_fields
        for other in service.get("depends_on", {}):
            assert other in services
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source.startswith(".") or source in composed["volumes"]
        image = service.get("image", "built:here")
        assert ":" in image, f"{image} is not pinned"
