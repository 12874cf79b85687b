"""KubeRay's ray.io/v1 resources as JSON schema: the field names, types and enumerations of KubeRay 1.6 and 1.7.

Unknown fields are errors, as they are for ``kubectl apply``: a field that the operator does not know would be dropped
silently by others. Of Kubernetes' own pods, only fields that these files may use are listed.
"""

from __future__ import annotations

TEXT, WHOLE, YES_NO = {"type": "string"}, {"type": "integer", "minimum": 0}, {"type": "boolean"}
TEXTS = {"type": "object", "additionalProperties": TEXT}


def record(required=(), **fields):
    return {"type": "object", "additionalProperties": False, "properties": fields, "required": list(required)}


def one_of(*values):
    return {"type": "string", "enum": list(values)}


def listed(item):
    return {"type": "array", "items": item}


ENV = record(("name",), name=TEXT, value=TEXT)
MOUNT = record(("name", "mountPath"), name=TEXT, mountPath=TEXT, readOnly=YES_NO, subPath=TEXT)
RESOURCES = record(requests=TEXTS, limits=TEXTS)
CONTAINER = record(
    ("name", "image", "resources"),
    name=TEXT,
    image=TEXT,
    imagePullPolicy=one_of("Always", "IfNotPresent", "Never"),
    env=listed(ENV),
    ports=listed(record(("containerPort",), containerPort=WHOLE, name=TEXT)),
    resources=RESOURCES,
    volumeMounts=listed(MOUNT),
)
VOLUME = record(
    ("name",),
    name=TEXT,
    configMap=record(("name",), name=TEXT),
    persistentVolumeClaim=record(("claimName",), claimName=TEXT, readOnly=YES_NO),
    emptyDir=record(sizeLimit=TEXT, medium=TEXT),
)
TOLERATION = record(key=TEXT, operator=one_of("Exists", "Equal"), value=TEXT, effect=TEXT)
POD = record(
    ("containers",),
    containers=listed(CONTAINER),
    volumes=listed(VOLUME),
    nodeSelector=TEXTS,
    tolerations=listed(TOLERATION),
    serviceAccountName=TEXT,
    terminationGracePeriodSeconds=WHOLE,
    securityContext=record(runAsNonRoot=YES_NO, runAsUser=WHOLE, runAsGroup=WHOLE, fsGroup=WHOLE),
)
TEMPLATE = record(("spec",), metadata=record(labels=TEXTS, annotations=TEXTS), spec=POD)
HEAD = record(
    ("template",),
    template=TEMPLATE,
    rayStartParams=TEXTS,
    serviceType=TEXT,
    enableIngress=YES_NO,
    headService={"type": "object"},
    labels=TEXTS,
    resources=TEXTS,
)
WORKERS = record(
    ("groupName", "minReplicas", "maxReplicas", "template"),
    groupName=TEXT,
    replicas=WHOLE,
    minReplicas=WHOLE,
    maxReplicas=WHOLE,
    numOfHosts=WHOLE,
    idleTimeoutSeconds=WHOLE,
    priority=WHOLE,
    rayStartParams=TEXTS,
    labels=TEXTS,
    resources=TEXTS,
    scaleStrategy={"type": "object"},
    suspend=YES_NO,
    template=TEMPLATE,
)
AUTOSCALER = record(
    version=one_of("v1", "v2"),
    upscalingMode=one_of("Default", "Aggressive", "Conservative"),
    idleTimeoutSeconds=WHOLE,
    image=TEXT,
    imagePullPolicy=TEXT,
    resources=RESOURCES,
    env=listed(ENV),
    volumeMounts=listed(MOUNT),
)
CLUSTER = record(
    ("headGroupSpec",),
    rayVersion=TEXT,
    enableInTreeAutoscaling=YES_NO,
    autoscalerOptions=AUTOSCALER,
    authOptions=record(mode=one_of("disabled", "token"), secretName=TEXT, enableK8sTokenAuth=YES_NO),
    headGroupSpec=HEAD,
    workerGroupSpecs=listed(WORKERS),
    headServiceAnnotations=TEXTS,
    gcsFaultToleranceOptions={"type": "object"},
    suspend=YES_NO,
    managedBy=TEXT,
)
JOB = record(
    ("entrypoint", "rayClusterSpec"),
    entrypoint=TEXT,
    runtimeEnvYAML=TEXT,
    rayClusterSpec=CLUSTER,
    jobId=TEXT,
    metadata=TEXTS,
    backoffLimit=WHOLE,
    activeDeadlineSeconds=WHOLE,
    shutdownAfterJobFinishes=YES_NO,
    ttlSecondsAfterFinished=WHOLE,
    submissionMode=one_of("K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"),
    submitterPodTemplate=TEMPLATE,
    submitterConfig=record(backoffLimit=WHOLE),
    entrypointNumCpus={"type": "number"},
    entrypointNumGpus={"type": "number"},
    entrypointResources=TEXT,
    suspend=YES_NO,
)
META = record(("name",), name=TEXT, namespace=TEXT, labels=TEXTS, annotations=TEXTS)
KINDS = {
    ("ray.io/v1", "RayCluster"): {"spec": CLUSTER},
    ("ray.io/v1", "RayJob"): {"spec": JOB},
    ("v1", "ConfigMap"): {"data": TEXTS},
}


def schema_of(document):
    """The schema of a whole document, by its apiVersion and kind."""
    fields = KINDS[document["apiVersion"], document["kind"]]
    return record(("apiVersion", "kind", "metadata", *fields), apiVersion=TEXT, kind=TEXT, metadata=META, **fields)
