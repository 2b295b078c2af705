{{/* What a schema cannot say: values that contradict each other, and upgrades that Kubernetes forbids, are refused before
     anything is made, with a sentence. */}}

{{/* A Kubernetes quantity, or a Redis size, as a number of its base unit. */}}
{{- define "ew.amount" -}}
{{- $text := include "ew.string" . -}}
{{- $number := regexFind "^[0-9.]+" $text -}}
{{- $units := dict "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18 "mb" 1048576.0 "gb" 1073741824.0
      "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 "Pi" 1125899906842624.0 "Ei" 1152921504606846976.0 -}}
{{- mulf (float64 $number) (get $units (trimPrefix $number $text) | default 1.0) -}}
{{- end -}}

{{/* Fails unless a < b (or a <= b). Takes a, b (quantities), equal, say. */}}
{{- define "ew.below" -}}
{{- $a := include "ew.amount" .a | float64 -}}
{{- $b := include "ew.amount" .b | float64 -}}
{{- if or (gt $a $b) (and (eq $a $b) (not .equal)) }}{{ fail .say }}{{ end -}}
{{- end -}}

{{/* Values of one component. Takes root, component, values. */}}
{{- define "ew.checkComponent" -}}
{{- $name := .component -}}
{{- $values := .values -}}
{{- $limits := $values.resources.limits | default dict -}}
{{- $requests := $values.resources.requests | default dict -}}
{{- if le (int $values.terminationGracePeriodSeconds) (int $values.preStopSeconds) -}}
{{- fail (printf "%s.terminationGracePeriodSeconds (%d) must be above preStopSeconds (%d): the pod would be killed before it is told to end" $name (int $values.terminationGracePeriodSeconds) (int $values.preStopSeconds)) -}}
{{- end -}}
{{- with $values.probes.startup -}}
{{- $seconds := mul .periodSeconds .failureThreshold -}}
{{- if lt (int $seconds) 30 -}}
{{- fail (printf "%s.probes.startup gives up after %d s (periodSeconds * failureThreshold), before a program has begun; expected 30 or more" $name (int $seconds)) -}}
{{- end -}}
{{- end -}}
{{- range $kind, $amounts := dict "limits" $limits "requests" $requests -}}
{{- with get $amounts "memory" -}}
{{- include "ew.below" (dict "a" "16Mi" "b" . "equal" true "say" (printf "%s.resources.%s.memory: %s without a unit are bytes, too few for any program; expected 512Mi or the like" $name $kind (include "ew.string" .))) -}}
{{- end -}}
{{- end -}}
{{- range $kind, $amounts := dict "limits" $limits "requests" $requests -}}
{{- with get $amounts "cpu" -}}
{{- include "ew.below" (dict "a" . "b" "4096" "say" (printf "%s.resources.%s.cpu: %s are more cores than any node has; expected 2, 500m or the like" $name $kind (include "ew.string" .))) -}}
{{- end -}}
{{- end -}}
{{- with get $limits "memory" -}}
{{- if $values.shmSize -}}
{{- include "ew.below" (dict "a" $values.shmSize "b" . "say" (printf "%s.shmSize (%s) must be below resources.limits.memory (%s), of which it is a part" $name $values.shmSize (include "ew.string" .))) -}}
{{- end -}}
{{- if hasKey $values "maxMemory" -}}
{{- include "ew.below" (dict "a" $values.maxMemory "b" . "say" (printf "%s.maxMemory (%s) must be below resources.limits.memory (%s), or the server is killed before it refuses a write" $name $values.maxMemory (include "ew.string" .))) -}}
{{- end -}}
{{- end -}}
{{- if and $values.gpu.count $values.gpu.claims -}}
{{- fail (printf "%s.gpu has both count and claims; expected one of the two" $name) -}}
{{- end -}}
{{- end -}}

{{/* Values that belong together. Takes the root. */}}
{{- define "ew.checkValues" -}}
{{- $root := . -}}
{{- $accounts := list -}}
{{- range $name := without (include "ew.components" . | fromYamlArray) "client" -}}
{{- $values := include "ew.values" (dict "root" $root "component" $name) | fromYaml -}}
{{- include "ew.checkComponent" (dict "root" $root "component" $name "values" $values) -}}
{{- include "ew.checkPod" (dict "root" $root "component" $name "values" $values) -}}
{{- if $values.serviceAccount.create -}}
{{- $account := include "ew.serviceAccountName" (dict "root" $root "component" $name "values" $values) -}}
{{- if has $account $accounts }}{{ fail (printf "%s.serviceAccount: %q would be made twice; expected a name of its own, or create: false for one that is there" $name $account) }}{{ end -}}
{{- $accounts = append $accounts $account -}}
{{- end -}}
{{- $gpus := int $values.gpu.count -}}
{{- if and (gt $gpus 1) (contains "/mig-" $values.gpu.resource) -}}
{{- fail (printf "%s.gpu: slices of GPUs cannot work together; expected a count of 1 with %s" $name $values.gpu.resource) -}}
{{- end -}}
{{- if and (eq $name "trainer") $gpus (ne $gpus (int $values.ranksPerNode)) -}}
{{- fail (printf "trainer.gpu.count (%d) and trainer.ranksPerNode (%d) differ; expected one process for each GPU" $gpus (int $values.ranksPerNode)) -}}
{{- end -}}
{{- if and (eq $name "recogniser") (not (or $values.tagger $values.transcriber)) -}}
{{- fail (printf "recogniser.replicas is %d, and no model is named; expected recogniser.tagger or recogniser.transcriber" (int $values.replicas)) -}}
{{- end -}}
{{- if eq $name "rollout" -}}
{{- if and $gpus (ne $gpus (int $values.tensorParallel)) -}}
{{- fail (printf "rollout.gpu.count (%d) and rollout.tensorParallel (%d) differ; expected as many GPUs as share each layer" $gpus (int $values.tensorParallel)) -}}
{{- end -}}
{{- if le (int $values.terminationGracePeriodSeconds) (int (add $values.graceSeconds $values.preStopSeconds)) -}}
{{- fail "rollout.terminationGracePeriodSeconds must be above graceSeconds + preStopSeconds, or groups are cut off instead of handed back" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with .Values.rollout.autoscaling -}}
{{- if ne .provider "none" -}}
{{- if gt (int .minReplicas) (int .maxReplicas) -}}
{{- fail (printf "rollout.autoscaling.minReplicas (%d) is above maxReplicas (%d)" (int .minReplicas) (int .maxReplicas)) -}}
{{- end -}}
{{- if and (eq .provider "hpa") (eq (int .minReplicas) 0) -}}
{{- fail "rollout.autoscaling.minReplicas is 0, which only keda can do; expected 1 or more with hpa" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range .Values.networkPolicy.extraEgress -}}
{{- range .ports -}}
{{- if and .endPort (kindIs "float64" .port) (lt (int .endPort) (int .port)) -}}
{{- fail (printf "networkPolicy.extraEgress: endPort (%d) is below port (%d)" (int .endPort) (int .port)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if regexMatch "^/((bin|boot|dev|etc|lib|lib64|opt/earwitness|proc|sbin|sys|tmp|usr)(/|$)|(opt|run|var)$)" .Values.storage.mountPath -}}
{{- fail (printf "storage.mountPath %s would hide what the image or the system keeps there; expected a folder of its own, /data for example" .Values.storage.mountPath) -}}
{{- end -}}
{{- end -}}

{{/* What is there already and cannot become what the values say. Takes the root. Without a cluster nothing is there. */}}
{{- define "ew.checkPresent" -}}
{{- $name := include "ew.fullname" . -}}
{{- $ns := .Release.Namespace -}}
{{- range dig "items" list (lookup "apps/v1" "Deployment" $ns "") -}}
{{- $labels := .metadata.labels | default dict -}}
{{- if and (eq (get $labels "app.kubernetes.io/name") "earwitness") (eq (get $labels "app.kubernetes.io/instance") $.Release.Name) (eq (get $labels "app.kubernetes.io/component") "jobs") (ne .metadata.name (printf "%s-jobs" $name)) -}}
{{- fail (printf "fullnameOverride: the names of release %s begin with %q; with %q it would start again on empty volumes. Set fullnameOverride to %q, or install another release" $.Release.Name (trimSuffix "-jobs" .metadata.name) $name (trimSuffix "-jobs" .metadata.name)) -}}
{{- end -}}
{{- end -}}
{{- $way := "docs/kubernetes.md, \"Changes that Kubernetes forbids\", has the way" -}}
{{- if .Values.queue.enabled -}}
{{- $wanted := .Values.queue.persistence -}}
{{- range dig "spec" "volumeClaimTemplates" list (lookup "apps/v1" "StatefulSet" $ns (printf "%s-queue" $name)) -}}
{{- $size := .spec.resources.requests.storage -}}
{{- if ne (include "ew.amount" $size) (include "ew.amount" $wanted.size) -}}
{{- fail (printf "queue.persistence.size cannot change from %s to %s: Kubernetes does not let a StatefulSet change its claims; %s" $size $wanted.size $way) -}}
{{- end -}}
{{- if ne (.spec.storageClassName | default "") $wanted.storageClassName -}}
{{- fail (printf "queue.persistence.storageClassName cannot change from %q to %q: Kubernetes does not let a StatefulSet change its claims; %s" (.spec.storageClassName | default "") $wanted.storageClassName $way) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if not .Values.storage.existingClaim -}}
{{- $wanted := .Values.storage -}}
{{- with get (lookup "v1" "PersistentVolumeClaim" $ns (printf "%s-data" $name)) "spec" -}}
{{- $size := .resources.requests.storage -}}
{{- include "ew.below" (dict "a" $size "b" $wanted.size "equal" true "say" (printf "storage.size cannot shrink from %s to %s; %s" $size $wanted.size $way)) -}}
{{- if and $wanted.storageClassName (ne (.storageClassName | default "") $wanted.storageClassName) -}}
{{- fail (printf "storage.storageClassName cannot change from %q to %q for the claim that is there; %s" (.storageClassName | default "") $wanted.storageClassName $way) -}}
{{- end -}}
{{- if ne (toJson (sortAlpha .accessModes)) (toJson (sortAlpha $wanted.accessModes)) -}}
{{- fail (printf "storage.accessModes cannot change from %s to %s for the claim that is there; %s" (join ", " .accessModes) (join ", " $wanted.accessModes) $way) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
