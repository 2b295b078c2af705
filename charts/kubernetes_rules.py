"""What the API server checks of the parts of a pod beyond its published schema: words, patterns, one of several.

Helm checks it by the values' schema instead, and names the place: not in the middle of an install. Each entry follows
`pkg/apis/core/validation` of Kubernetes, or what its nodes refuse when the pod begins.
"""

from __future__ import annotations

from typing import Any, Final

DOMAIN: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
"""The name of an object, or the prefix of a label's key (RFC 1123)."""

LABEL: Final = r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)"
"""A value of a label, and a label's name after its prefix."""

QUALIFIED: Final = rf"^({DOMAIN}/)?{LABEL}$"
"""Key of a label or an annotation."""

RESOURCE: Final = rf"^(cpu|memory|ephemeral-storage|hugepages-[1-9][0-9]*[KMG]i|{DOMAIN}/{LABEL})$"
"""A resource of a container: Kubernetes' own have no domain, all others one."""

FOLDER: Final[dict[str, Any]] = {
    "maxLength": 1024,
    "pattern": r"^(/[^:/$\x00-\x1f]+)+$",
    "not": {"pattern": r"/\.\.?(/|$)"},
}
"""A folder of a container. One way of writing it: /data/ would be a second mount at /data; `$(` begins a variable."""

_PORT_NAME: Final = {"pattern": "^[0-9-]*[a-z][a-z0-9-]*$", "maxLength": 15}
_OCTET: Final = "(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_CIDR: Final = (
    rf"^({_OCTET}(\.{_OCTET}){{3}}/([12]?[0-9]|3[0-2])|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*/([1-9]?[0-9]|1[01][0-9]|12[0-8]))$"
)

LABEL_NAME: Final = {"pattern": r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"}
"""A part of a domain's name, as containers, volumes and claims have."""
_OBJECT: Final = {"type": "string", "maxLength": 253, "pattern": f"^{DOMAIN}$"}
_PORT: Final = {"minimum": 1, "maximum": 65535}
_ID: Final = {"minimum": 0, "maximum": 2**31 - 1}
_AMOUNT: Final = r"^[0-9]+(\.[0-9]+)?(n|u|m|k|[KMGTPE]i|[MGTPE]|[eE][0-9]+)?$"
_NONE: Final[list[Any]] = [None, ""]


def _if(field: str, words: list[str], **then: Any) -> dict[str, Any]:
    return {"if": {"properties": {field: {"enum": words}}, "required": [field]}, "then": then}


def _names_an_object(field: str = "name") -> dict[str, Any]:
    return {"properties": {field: _OBJECT}, "required": [field]}


_PROFILE: Final = {
    "properties": {"type": {"enum": ["RuntimeDefault", "Localhost", "Unconfined"]}},
    "allOf": [_if("type", ["Localhost"], required=["localhostProfile"])],
}
_SELECTED: Final = {
    "properties": {"operator": {"enum": ["In", "NotIn", "Exists", "DoesNotExist"]}, "key": {"pattern": QUALIFIED}},
    "allOf": [
        _if("operator", ["In", "NotIn"], required=["values"], properties={"values": {"minItems": 1}}),
        _if("operator", ["Exists", "DoesNotExist"], properties={"values": {"maxItems": 0}}),
    ],
}
_METRICS: Final = {
    "Resource": "resource",
    "ContainerResource": "containerResource",
    "Pods": "pods",
    "Object": "object",
    "External": "external",
}
_TARGETS: Final = {"Utilization": "averageUtilization", "Value": "value", "AverageValue": "averageValue"}
_USERS: Final = {"runAsUser": _ID, "runAsGroup": _ID}

RULES: Final[dict[str, dict[str, Any]]] = {
    "Toleration": {
        "properties": {
            "key": {"pattern": QUALIFIED},
            "operator": {"enum": ["Exists", "Equal", "Lt", "Gt"]},
            "effect": {"enum": ["", "NoSchedule", "PreferNoSchedule", "NoExecute"]},
            "value": {"pattern": rf"^{LABEL}?$"},
        },
        "allOf": [
            _if("operator", ["Exists"], properties={"value": {"enum": _NONE}}),
            {
                "if": {"not": {"properties": {"operator": {"enum": ["Exists"]}}, "required": ["operator"]}},
                "then": {"required": ["key"]},
            },
            {
                "if": {"required": ["tolerationSeconds"]},
                "then": {"properties": {"effect": {"enum": ["NoExecute"]}}, "required": ["effect"]},
            },
        ],
    },
    "TopologySpreadConstraint": {
        "properties": {
            "maxSkew": {"minimum": 1},
            "minDomains": {"minimum": 1},
            "topologyKey": {"pattern": QUALIFIED},
            "whenUnsatisfiable": {"enum": ["DoNotSchedule", "ScheduleAnyway"]},
            "nodeAffinityPolicy": {"enum": ["Honor", "Ignore"]},
            "nodeTaintsPolicy": {"enum": ["Honor", "Ignore"]},
        },
        "allOf": [
            {
                "if": {"required": ["minDomains"]},
                "then": {"properties": {"whenUnsatisfiable": {"enum": ["DoNotSchedule"]}}},
            }
        ],
    },
    "MetricSpec": {
        "properties": {"type": {"enum": list(_METRICS)}},
        "maxProperties": 2,
        "allOf": [_if("type", [kind], required=[field]) for kind, field in _METRICS.items()],
    },
    "api.autoscaling.v2.MetricTarget": {
        "properties": {"type": {"enum": list(_TARGETS)}},
        "allOf": [_if("type", [kind], required=[field]) for kind, field in _TARGETS.items()],
    },
    "Container": {
        "properties": {
            "name": LABEL_NAME,
            "image": {"pattern": r"^\S+$"},
            "imagePullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
            "restartPolicy": {"enum": ["Always", "OnFailure", "Never"]},
        },
        "required": ["name", "image"],
    },
    "api.core.v1.ContainerPort": {
        "properties": {
            "containerPort": _PORT,
            "hostPort": _PORT,
            "name": _PORT_NAME,
            "protocol": {"enum": ["TCP", "UDP", "SCTP"]},
        }
    },
    # The chart makes strings of numbers and booleans.
    "EnvVar": {
        "properties": {
            "name": {"pattern": r"^[-._a-zA-Z][-._a-zA-Z0-9]*$"},
            "value": {"type": ["string", "number", "boolean"]},
        },
        "allOf": [{"if": {"required": ["valueFrom"]}, "then": {"properties": {"value": {"enum": [""]}}}}],
    },
    "api.core.v1.EnvVarSource": {"minProperties": 1, "maxProperties": 1},
    "EnvFromSource": {"oneOf": [{"required": ["configMapRef"]}, {"required": ["secretRef"]}]},
    "api.core.v1.ConfigMapEnvSource": _names_an_object(),
    "api.core.v1.SecretEnvSource": _names_an_object(),
    "api.core.v1.ConfigMapKeySelector": _names_an_object(),
    "api.core.v1.SecretKeySelector": _names_an_object(),
    "Volume": {"properties": {"name": LABEL_NAME}, "maxProperties": 2},
    "VolumeMount": {
        "properties": {
            "mountPath": FOLDER,
            "subPath": {"pattern": r"^([^/].*)?$", "not": {"pattern": r"(^|/)\.\.(/|$)"}},
        }
    },
    "api.core.v1.ConfigMapVolumeSource": _names_an_object(),
    "api.core.v1.SecretVolumeSource": _names_an_object("secretName"),
    "api.core.v1.PersistentVolumeClaimVolumeSource": _names_an_object("claimName"),
    "api.core.v1.EmptyDirVolumeSource": {
        "properties": {"medium": {"pattern": "^(Memory|HugePages(-[0-9]+[KMG]i)?)?$"}}
    },
    "api.core.v1.HostPathVolumeSource": {
        "properties": {
            "path": {"pattern": "^/", "not": {"pattern": r"(^|/)\.\.(/|$)"}},
            "type": {
                "enum": [
                    "",
                    "DirectoryOrCreate",
                    "Directory",
                    "FileOrCreate",
                    "File",
                    "Socket",
                    "CharDevice",
                    "BlockDevice",
                ]
            },
        }
    },
    "PodResourceClaim": {
        "properties": {"name": LABEL_NAME},
        "oneOf": [{"required": ["resourceClaimName"]}, {"required": ["resourceClaimTemplateName"]}],
    },
    "PodDNSConfig": {
        "properties": {
            "nameservers": {
                "maxItems": 3,
                "items": {"type": "string", "pattern": r"^([0-9.]+|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)$"},
            },
            "searches": {"maxItems": 32},
        }
    },
    "PodSecurityContext": {
        "properties": {
            **_USERS,
            "fsGroup": _ID,
            "fsGroupChangePolicy": {"enum": ["Always", "OnRootMismatch"]},
            "supplementalGroupsPolicy": {"enum": ["Merge", "Strict"]},
        }
    },
    "SecurityContext": {"properties": {**_USERS, "procMount": {"enum": ["Default", "Unmasked"]}}},
    "api.core.v1.SeccompProfile": _PROFILE,
    "api.core.v1.AppArmorProfile": _PROFILE,
    "api.core.v1.NodeSelectorRequirement": {
        **_SELECTED,
        "properties": {
            "operator": {"enum": ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]},
            "key": {"pattern": QUALIFIED},
        },
    },
    "apimachinery.pkg.apis.meta.v1.LabelSelectorRequirement": _SELECTED,
    "apimachinery.pkg.apis.meta.v1.LabelSelector": {
        "properties": {
            "matchLabels": {
                "propertyNames": {"pattern": QUALIFIED},
                "additionalProperties": {"type": "string", "pattern": rf"^{LABEL}?$"},
            }
        }
    },
    "api.core.v1.PreferredSchedulingTerm": {"properties": {"weight": {"minimum": 1, "maximum": 100}}},
    "api.core.v1.WeightedPodAffinityTerm": {"properties": {"weight": {"minimum": 1, "maximum": 100}}},
    "api.core.v1.PodAffinityTerm": {"properties": {"topologyKey": {"pattern": QUALIFIED}}},
    "api.core.v1.ResourceRequirements": {
        "properties": {kind: {"propertyNames": {"pattern": RESOURCE}} for kind in ("requests", "limits")}
    },
    "apimachinery.pkg.api.resource.Quantity": {
        "oneOf": [{"type": "string", "pattern": _AMOUNT}, {"type": "number", "minimum": 0}]
    },
    "NetworkPolicyPeer": {
        "minProperties": 1,
        "allOf": [{"if": {"required": ["ipBlock"]}, "then": {"maxProperties": 1}}],
    },
    "api.networking.v1.IPBlock": {"properties": {"cidr": {"pattern": _CIDR}}},
    "api.networking.v1.NetworkPolicyPort": {
        "properties": {
            "port": {"anyOf": [{"type": "integer", **_PORT}, {"type": "string", **_PORT_NAME}]},
            "endPort": _PORT,
            "protocol": {"enum": ["TCP", "UDP", "SCTP"]},
        },
        "dependentRequired": {"endPort": ["port"]},
    },
}
"""By the name that a part has in the values' schema: what is laid over it, field by field."""


def laid_over(part: dict[str, Any], rule: dict[str, Any]) -> dict[str, Any]:
    """A part of the schema with its rule."""
    fields = part.get("properties", {}) | {
        name: part["properties"][name] | over for name, over in rule.get("properties", {}).items()
    }
    return part | rule | ({"properties": fields} if fields else {})
