{{/* What Kubernetes or its nodes would refuse of a pod once the chart's parts and the values' are together. */}}

{{/* Fails for a container that cannot stand beside the others. Takes component, container, names (those before), volumes,
     ports (taken). */}}
{{- define "ew.checkContainer" -}}
{{- $name := .component -}}
{{- if has .container.name .names }}{{ fail (printf "%s: two containers are called %q" $name .container.name) }}{{ end -}}
{{- $ports := .ports -}}
{{- range .container.ports -}}
{{- if has (int .containerPort) $ports }}{{ fail (printf "%s: container %q listens on port %d, which the pod's own programs have; expected another" $name $.container.name (int .containerPort)) }}{{ end -}}
{{- end -}}
{{- $volumes := .volumes -}}
{{- range .container.volumeMounts -}}
{{- if not (has .name $volumes) }}{{ fail (printf "%s: container %q mounts %q, and there is no such volume; expected one of %s.volumes" $name $.container.name .name $name) }}{{ end -}}
{{- end -}}
{{- include "ew.checkAmounts" (dict "where" (printf "%s: container %q: resources" $name .container.name) "resources" (.container.resources | default dict)) -}}
{{- end -}}

{{/* Fails where a request is above its limit, or one of a device is not its limit. Takes where, resources. */}}
{{- define "ew.checkAmounts" -}}
{{- $where := .where -}}
{{- $limits := .resources.limits | default dict -}}
{{- range $resource, $amount := .resources.requests | default dict -}}
{{- $limit := get $limits $resource -}}
{{- if hasKey $limits $resource -}}
{{- include "ew.below" (dict "a" $amount "b" $limit "equal" true "say" (printf "%s.requests.%s (%s) is above limits.%s (%s)" $where $resource (include "ew.string" $amount) $resource (include "ew.string" $limit))) -}}
{{- end -}}
{{- if and (contains "/" $resource) (ne (include "ew.string" $amount) (include "ew.string" $limit)) -}}
{{- fail (printf "%s.requests.%s (%s) must be its limit: devices are not shared" $where $resource (include "ew.string" $amount)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The pod of one component. Takes root, component, values. */}}
{{- define "ew.checkPod" -}}
{{- $name := .component -}}
{{- $values := .values -}}
{{- $redis := has $name (list "queue" "weights") -}}
{{- $exporter := and $redis .root.Values.metrics.redisExporter.enabled -}}
{{- include "ew.checkAmounts" (dict "where" (printf "%s.resources" $name) "resources" $values.resources) -}}
{{- $there := list "scratch" (ternary "config" "data" $redis) -}}
{{- if eq $name "queue" }}{{- $there = append $there "queue" -}}{{ end -}}
{{- if .root.Values.tls.enabled }}{{- $there = append $there "tls" -}}{{ end -}}
{{- if $values.shmSize }}{{- $there = append $there "shm" -}}{{ end -}}
{{- if eq $name "recogniser" }}{{- $there = append (without $there "data") "models" -}}{{ end -}}
{{- $taken := list "scratch" "data" "tls" "shm" "config" "queue" -}}
{{- if eq $name "recogniser" }}{{- $taken = append $taken "models" -}}{{ end -}}
{{- range $values.volumes -}}
{{- if has .name $taken }}{{ fail (printf "%s.volumes: %q is there already; expected another name" $name .name) }}{{ end -}}
{{- $taken = append $taken .name -}}
{{- $there = append $there .name -}}
{{- end -}}
{{- $paths := list "/tmp" .root.Values.storage.mountPath "/etc/earwitness/tls" -}}
{{- if $values.shmSize }}{{- $paths = append $paths "/dev/shm" -}}{{ end -}}
{{- if eq $name "recogniser" }}{{- $paths = append $paths "/models" -}}{{ end -}}
{{- if $redis }}{{- $paths = concat $paths (list "/etc/redis" "/var/lib/redis") -}}{{ end -}}
{{- range $values.volumeMounts -}}
{{- if not (has .name $there) }}{{ fail (printf "%s.volumeMounts: there is no volume %q; expected one of %s.volumes" $name .name $name) }}{{ end -}}
{{- if has .mountPath $paths }}{{ fail (printf "%s.volumeMounts: something is mounted at %s already" $name .mountPath) }}{{ end -}}
{{- if regexMatch "^/((dev|lib|lib64|opt/earwitness|proc|sys)(/|$)|(bin|boot|etc|home|opt|root|run|sbin|usr|usr/bin|usr/lib|usr/local|var)$)" .mountPath }}{{ fail (printf "%s.volumeMounts: %s would hide what the image or the system keeps there; expected a folder of its own" $name .mountPath) }}{{ end -}}
{{- $paths = append $paths .mountPath -}}
{{- end -}}
{{- $names := list $name -}}
{{- $ports := list 7070 7071 9090 -}}
{{- if eq $name "trainer" }}{{- $ports = append $ports 29400 -}}{{ end -}}
{{- if eq $name "serve" }}{{- $ports = list 8000 -}}{{ end -}}
{{- if $redis }}{{- $ports = list 6379 -}}{{ end -}}
{{- include "ew.checkAmounts" (dict "where" "metrics.redisExporter.resources" "resources" .root.Values.metrics.redisExporter.resources) -}}
{{- if $exporter }}{{- $names = append $names "exporter" }}{{ $ports = append $ports 9121 -}}{{ end -}}
{{- range concat $values.initContainers $values.sidecars -}}
{{- include "ew.checkContainer" (dict "component" $name "container" . "names" $names "volumes" $there "ports" $ports) -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- $claims := list -}}
{{- range $values.gpu.claims -}}
{{- if has .name $claims }}{{ fail (printf "%s.gpu.claims: two are called %q" $name .name) }}{{ end -}}
{{- $claims = append $claims .name -}}
{{- end -}}
{{- $pod := $values.podSecurityContext -}}
{{- $own := $values.securityContext -}}
{{- $user := ternary $own.runAsUser $pod.runAsUser (hasKey $own "runAsUser") -}}
{{- if and (ternary $own.runAsNonRoot $pod.runAsNonRoot (hasKey $own "runAsNonRoot")) (not (kindIs "invalid" $user)) (eq (int $user) 0) -}}
{{- fail (printf "%s.podSecurityContext: runAsUser is 0, and runAsNonRoot forbids it; expected another user, or runAsNonRoot: false" $name) -}}
{{- end -}}
{{- if and $own.privileged (eq (toString $own.allowPrivilegeEscalation) "false") -}}
{{- fail (printf "%s.securityContext: privileged goes only with allowPrivilegeEscalation: true" $name) -}}
{{- end -}}
{{- if and (eq $values.dnsPolicy "None") (not $values.dnsConfig.nameservers) -}}
{{- fail (printf "%s.dnsPolicy is None, which needs dnsConfig.nameservers" $name) -}}
{{- end -}}
{{- end -}}
