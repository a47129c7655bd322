"""Reads files for schedulers and monitors with their own libraries.

Usage: operation.py metrics FILE         prints the samples as JSON, as prometheus_client reads them
       operation.py lineage FILE         prints the events as JSON, once openlineage-python has built each of them
       operation.py recipes FOLDER       validates the recipes: crontab, Kubernetes, alerts, Airflow
"""
import importlib, inspect, json, pkgutil, sys


def metrics(path):
    from prometheus_client.parser import text_string_to_metric_families

    samples = []
    for family in text_string_to_metric_families(open(path).read()):
        assert family.type == "gauge", family
        assert family.documentation, family
        for sample in family.samples:
            assert sample.labels["pipeline"], sample
            samples.append({"name": sample.name, "labels": sample.labels, "value": sample.value})
    keys = [(s["name"], tuple(sorted(s["labels"].items()))) for s in samples]
    assert len(keys) == len(set(keys)), "a sample stands twice"
    print(json.dumps(samples))


def lineage(path):
    from openlineage.client import generated, set_producer
    from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
    from openlineage.client.generated import schema_dataset
    from openlineage.client.serde import Serde

    classes = {}
    for module in pkgutil.iter_modules(generated.__path__):
        found = importlib.import_module(f"openlineage.client.generated.{module.name}")
        classes.update(inspect.getmembers(found, inspect.isclass))

    def facets(given):
        made = {}
        for key, facet in given.items():
            if key.startswith("tessera_"):
                assert facet["_producer"] and facet["_schemaURL"], facet
                continue
            name = facet["_schemaURL"].rsplit("/", 1)[1]
            fields = {k: v for k, v in facet.items() if not k.startswith("_")}
            if name == "SchemaDatasetFacet":
                fields["fields"] = [schema_dataset.SchemaDatasetFacetFields(**field) for field in fields["fields"]]
            made[key] = classes[name](**fields)
        return made

    def own(value):
        """The event without facets outside the specification, and without empty lists, which mean the same as missing ones."""
        if isinstance(value, dict):
            return {k: own(v) for k, v in value.items() if not k.startswith("tessera_") and v != []}
        return [own(v) for v in value] if isinstance(value, list) else value

    events = [json.loads(line) for line in open(path)]
    for event in events:
        set_producer(event["producer"])
        dataset = lambda d: {"namespace": d["namespace"], "name": d["name"], "facets": facets(d["facets"])}
        read = RunEvent(
            eventTime=event["eventTime"],
            eventType=RunState[event["eventType"]],
            producer=event["producer"],
            run=Run(runId=event["run"]["runId"], facets=facets(event["run"]["facets"])),
            job=Job(namespace=event["job"]["namespace"], name=event["job"]["name"], facets=facets(event["job"]["facets"])),
            inputs=[InputDataset(**dataset(d), inputFacets=facets(d["inputFacets"])) for d in event["inputs"]],
            outputs=[OutputDataset(**dataset(d), outputFacets=facets(d["outputFacets"])) for d in event["outputs"]],
        )
        # Producer and schema of every facet are those that the library writes for the same classes.
        again = own(json.loads(Serde.to_json(read)))
        assert again == own(event), f"{json.dumps(again, indent=1, sort_keys=True)}\nis not\n{json.dumps(own(event), indent=1, sort_keys=True)}"
    print(json.dumps(events))


def crontab(path):
    from cronsim import CronSim
    from datetime import datetime

    entries = 0
    for line in open(path).read().splitlines():
        if not line or line.startswith("#") or "=" in line.split(" ")[0]:
            continue
        fields = line.split(None, 6)
        assert len(fields) == 7, line
        first = next(CronSim(" ".join(fields[:5]), datetime(2026, 11, 1)))
        assert first == datetime(2026, 11, 1, 3, 30), first
        entries += 1
    assert entries == 1


def kubernetes(path):
    import kubernetes_validate, yaml

    resource = yaml.safe_load(open(path))
    kubernetes_validate.validate(resource, "1.30", strict=True)
    job = resource["spec"]["jobTemplate"]["spec"]
    rule = job["podFailurePolicy"]["rules"][0]
    names = [c["name"] for c in job["template"]["spec"]["containers"]]
    assert rule["onExitCodes"]["containerName"] in names and rule["onExitCodes"]["values"] == [1, 2]


def alerts(path):
    """Prints the metrics that the alerts name."""
    import re, yaml

    named = set()
    for group in yaml.safe_load(open(path))["groups"]:
        for rule in group["rules"]:
            assert rule["alert"] and rule["annotations"]["summary"] and rule["labels"]["severity"] in ("page", "ticket"), rule
            named |= set(re.findall(r"tessera_[a-z_]+", rule["expr"]))
    print(json.dumps(sorted(named)))


def recipes(folder):
    crontab(f"{folder}/crontab")
    kubernetes(f"{folder}/kubernetes.yaml")
    source = open(f"{folder}/airflow_dag.py").read()
    compile(source, "airflow_dag.py", "exec")
    alerts(f"{folder}/alerts.yaml")


if __name__ == "__main__":
    {"metrics": metrics, "lineage": lineage, "recipes": recipes}[sys.argv[1]](sys.argv[2])
