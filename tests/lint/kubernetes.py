"""deploy/kubernetes and deploy/kserve: kustomize builds them, their kinds and keys are those of kubernetes.yml, names
meet, and the server takes the arguments. Prints one line a finding; exit code 1 when there is any."""

import pathlib
import re
import shutil
import subprocess
import sys

import jsonschema
import yaml

from names import report

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
BINARY = ROOT / sys.argv[1] / "rectifier"
FETCHED = ROOT / "build" / "kubectl" / "kubectl"  # by make lint-deps
KUBECTL = FETCHED if FETCHED.exists() else shutil.which("kubectl")
FREE = ("labels", "matchLabels", "annotations")  # whose keys are anyone's


def strict(schema):
    """The schema, where objects have no properties but those named."""
    if isinstance(schema, dict):
        made = {key: strict(value) for key, value in schema.items()}
        if schema.get("type") == "object" and "properties" in schema:
            made["additionalProperties"] = False
        return made
    return [strict(item) for item in schema] if isinstance(schema, list) else schema


def validators():
    table = strict(yaml.safe_load((ROOT / "tests" / "lint" / "kubernetes.yml").read_text()))
    found = {}
    for key, spec in table["kinds"].items():
        version, _, kind = key.rpartition("/")
        found[version, kind] = jsonschema.Draft7Validator({
            "$defs": table["$defs"], "type": "object", "additionalProperties": False,
            "properties": {"apiVersion": {"const": version}, "kind": {"const": kind},
                           "metadata": {"$ref": "#/$defs/metadata"},
                           "spec": {**spec, "type": "object", "additionalProperties": False}},
            "required": ["apiVersion", "kind", "metadata", "spec"]})
    return found


def output(*command):
    return subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True).stdout


def manifests():
    """[(where, [object])] of all that would be applied."""
    texts = {str(p.relative_to(DEPLOY)): p.read_text() for p in sorted((DEPLOY / "kserve").glob("*.yaml"))}
    texts["prometheusrule.sh"] = output(DEPLOY / "prometheus" / "prometheusrule.sh")
    folders = sorted(p.parent for p in (DEPLOY / "kubernetes").rglob("kustomization.yaml"))
    if KUBECTL:
        texts.update({str(folder.relative_to(DEPLOY)): output(KUBECTL, "kustomize", folder) for folder in folders})
    else:
        print("skipped: there is no kubectl, so that overlays are not built (make lint-deps fetches it)", flush=True)
        base = DEPLOY / "kubernetes" / "base"
        names = yaml.safe_load((base / "kustomization.yaml").read_text())["resources"]
        texts["kubernetes/base"] = "\n---\n".join((base / name).read_text() for name in names)
    return [(where, list(yaml.safe_load_all(text))) for where, text in texts.items()]


def errors(checks, thing):
    check = checks.get((thing.get("apiVersion"), thing.get("kind")))
    if not check:
        return ["no such kind"]
    return ["/".join(map(str, e.absolute_path)) + ": " + e.message[:200] for e in check.iter_errors(thing)]


def misspelt(value, inside=None):
    """Copies of the value with one key of the API's misspelt in each."""
    if isinstance(value, list):
        for i, item in enumerate(value):
            yield from (value[:i] + [bad] + value[i + 1:] for bad in misspelt(item))
    elif isinstance(value, dict):
        for key, item in value.items():
            if inside not in FREE:
                yield {(f"{k}x" if k == key else k): v for k, v in value.items()}
            yield from ({**value, key: bad} for bad in misspelt(item, key))


def check_strictness(checks, where, thing):
    """That the schema would have found a misspelling anywhere."""
    if thing["kind"] == "Service":
        thing = {**thing, "spec": {"ports": thing["spec"]["ports"], "selector": {}}}  # labels without that name
    for bad in misspelt(thing):
        if checks[thing["apiVersion"], thing["kind"]].is_valid(bad):
            yield f"{where}: the schema takes a misspelt key in {bad}"


def check_container(where, container, grace):
    """The server takes the arguments, listens on the ports that are named, and has the time to stop."""
    args = [arg.replace("{{.Name}}", "name") for arg in container["args"]]
    settings = dict(re.findall(r"(?m)^([a-z-]+) +(\S+)", output(BINARY, *args, "--print-config")))
    ports = {port["containerPort"] for port in container["ports"]}
    listens = {int(settings[name]) for name in ("port", "admin-port")} - {0}
    if ports != listens:
        yield f"{where}: ports {sorted(ports)}, but the server listens on {sorted(listens)}"
    names = {port["name"] for port in container["ports"]} | ports
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        if probe in container and container[probe]["httpGet"]["port"] not in names:
            yield f"{where}: {probe} asks a port that the container does not have"
    stop = sum(int(settings[name].rstrip("s")) for name in ("drain-delay", "exit-timeout"))
    if grace is not None and grace <= stop:
        yield f"{where}: killed after {grace} s, but stopping may take {stop} s"
    if container["resources"]["requests"] != container["resources"]["limits"]:
        yield f"{where}: requests and limits differ"


def check_names(where, things):
    """Selectors select the pods, and ports are those that the pods have."""
    by_kind = {thing["kind"]: thing["spec"] for thing in things}
    pod = by_kind["Deployment"]["template"]
    labels = pod["metadata"]["labels"]
    selectors = {"Service": by_kind["Service"]["selector"],
                 "Deployment": by_kind["Deployment"]["selector"]["matchLabels"],
                 "PodDisruptionBudget": by_kind["PodDisruptionBudget"]["selector"]["matchLabels"],
                 "NetworkPolicy": by_kind["NetworkPolicy"]["podSelector"]["matchLabels"]}
    for spread in pod["spec"]["topologySpreadConstraints"]:
        selectors[spread["topologyKey"]] = spread["labelSelector"]["matchLabels"]
    for kind, selector in selectors.items():
        if selector != labels:
            yield f"{where}: {kind} selects {selector}, the pods are {labels}"
    ports = {port["name"] for container in pod["spec"]["containers"] for port in container["ports"]}
    used = {port["targetPort"] for port in by_kind["Service"]["ports"]}
    used |= {port["port"] for rule in by_kind["NetworkPolicy"]["ingress"] for port in rule["ports"]}
    if used != ports:
        yield f"{where}: ports {sorted(ports)}, but {sorted(used)} are used"
    served = {port["name"] for port in by_kind["Service"]["ports"]}
    for endpoint in by_kind.get("ServiceMonitor", {}).get("endpoints", []):
        if endpoint["port"] not in served:
            yield f"{where}: ServiceMonitor asks port {endpoint['port']}, the Service has {sorted(served)}"


def pods(things):
    """(container, seconds between SIGTERM and SIGKILL, where that is said beside it)"""
    for thing in things:
        spec = thing["spec"].get("template", {}).get("spec", thing["spec"])
        for container in spec.get("containers", []):
            yield container, spec.get("terminationGracePeriodSeconds")


def main():
    checks = validators()
    findings = []
    for where, things in manifests():
        found = [f"{where}: {thing.get('kind')}: {e}" for thing in things for e in errors(checks, thing)]
        findings += found
        if found:
            continue
        for thing in things:
            findings += check_strictness(checks, where, thing)
        for container, grace in pods(things):
            findings += check_container(where, container, grace)
        if any(thing["kind"] == "Deployment" for thing in things):
            findings += check_names(where, things)
    return report(findings)


if __name__ == "__main__":
    sys.exit(main())
