{{/* What every service reads, as YAML of a list. It stands in the pod itself, so that a change replaces exactly the pods
     that read it. Takes (root, component, values). */}}
{{- define "ew.environment" -}}
- name: EW_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: EW_TOKEN
  valueFrom: {secretKeyRef: {name: {{ include "ew.authSecret" .root | quote }}, key: token}}
{{- if ne .component "recogniser" }}
{{ include "ew.queueUrl" .root }}
{{- end }}
{{- if and (eq .component "reward") .root.Values.recogniser.replicas }}
- name: EW_RECOGNISER
  value: {{ printf "%s-recogniser.%s.svc:7070" (include "ew.fullname" .root) .root.Release.Namespace | quote }}
{{- end }}
{{- if has .component (list "trainer" "rollout" "serve") }}
{{ include "ew.weightsUrls" .root }}
{{- end }}
{{- range $name, $value := include "ew.config" . | fromYaml }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end -}}

{{- define "ew.config" -}}
EW_LOG_LEVEL: {{ default .root.Values.logLevel .values.logLevel | quote }}
EW_LISTEN: {{ printf "%s:7070" .root.Values.listenHost | quote }}
EW_HEALTH_PORT: "7071"
EW_METRICS_PORT: "9090"
EW_CLAIM_IDLE_MS: {{ int .root.Values.claimIdleMilliseconds | quote }}
{{- if .root.Values.tls.enabled }}
EW_TLS_CERT: /etc/earwitness/tls/tls.crt
EW_TLS_KEY: /etc/earwitness/tls/tls.key
EW_TLS_CA: /etc/earwitness/tls/ca.crt
{{- end }}
# A thread that waits for others of its process sleeps, instead of spinning on a core of the pod.
OMP_WAIT_POLICY: PASSIVE
PYTHONUNBUFFERED: "1"
# A folder `services` on the shared volume must not be taken for ours.
PYTHONSAFEPATH: "1"
# The root file system is read-only: whatever libraries keep goes to the scratch volume.
HOME: /tmp
XDG_CACHE_HOME: /tmp/cache
MPLCONFIGDIR: /tmp/matplotlib
NUMBA_CACHE_DIR: /tmp/numba
TORCHINDUCTOR_CACHE_DIR: /tmp/inductor
TRITON_CACHE_DIR: /tmp/triton
VLLM_CACHE_ROOT: /tmp/vllm
{{- end -}}

{{/* Programs put it into their URLs themselves: whatever it holds, no manifest, URL or log shows it. */}}
{{- define "ew.redisPassword" -}}
- name: EW_REDIS_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ include "ew.authSecret" . | quote }}, key: redis-password}}
{{- end -}}

{{- define "ew.redisUrl" -}}
{{- $scheme := ternary "rediss" "redis" .root.Values.tls.enabled -}}
{{- $trust := ternary "?ssl_ca_certs=/etc/earwitness/tls/ca.crt" "" .root.Values.tls.enabled -}}
{{ $scheme }}://earwitness@{{ .host }}.{{ .root.Release.Namespace }}.svc:6379/0{{ $trust }}
{{- end -}}

{{- define "ew.queueUrl" -}}
{{- if .Values.queue.enabled -}}
{{ include "ew.redisPassword" . }}
- name: EW_QUEUE_URL
  value: {{ include "ew.redisUrl" (dict "root" . "host" (printf "%s-queue" (include "ew.fullname" .))) | quote }}
{{- else -}}
- name: EW_QUEUE_URL
  valueFrom:
    secretKeyRef:
      name: {{ required "externalRedis.queue.existingSecret is needed while queue.enabled is false" .Values.externalRedis.queue.existingSecret | quote }}
      key: {{ .Values.externalRedis.queue.key | quote }}
{{- end -}}
{{- end -}}

{{- define "ew.weightsUrls" -}}
{{- if .Values.weights.enabled -}}
{{- if not .Values.queue.enabled }}{{ include "ew.redisPassword" . }}{{ printf "\n" }}{{ end -}}
{{- $name := printf "%s-weights" (include "ew.fullname" .) -}}
{{- $urls := list -}}
{{- range $shard := until (int .Values.weights.shards) -}}
{{- $urls = append $urls (include "ew.redisUrl" (dict "root" $ "host" (printf "%s-%d.%s" $name $shard $name))) -}}
{{- end -}}
- name: EW_WEIGHTS_URLS
  value: {{ join "," $urls | quote }}
{{- else -}}
- name: EW_WEIGHTS_URLS
  valueFrom:
    secretKeyRef:
      name: {{ required "externalRedis.weights.existingSecret is needed while weights.enabled is false" .Values.externalRedis.weights.existingSecret | quote }}
      key: {{ .Values.externalRedis.weights.key | quote }}
{{- end }}
{{- with .Values.weights.anchorsUri }}
- name: EW_WEIGHTS_ANCHORS
  value: {{ . | quote }}
{{- end -}}
{{- end -}}

{{/* YAML of the chart's variables and a person's: of two with one name the person's stands, in the chart's place, since
     Kubernetes takes a name only once. Takes (own: YAML of a list, more: list). */}}
{{- define "ew.variables" -}}
{{- $given := dict -}}
{{- range .more -}}
{{- $variable := deepCopy . -}}
{{- if hasKey . "value" -}}{{- $_ := set $variable "value" (include "ew.string" .value) -}}{{- end -}}
{{- $_ := set $given .name $variable -}}
{{- end -}}
{{- $out := list -}}
{{- $names := list -}}
{{- range concat (fromYamlArray .own) .more -}}
{{- if not (has .name $names) -}}
{{- $names = append $names .name -}}
{{- $out = append $out (get $given .name | default .) -}}
{{- end -}}
{{- end -}}
{{- toYaml $out -}}
{{- end -}}

{{/* YAML of containers beside a component's own, with their variables as strings. Takes a list. */}}
{{- define "ew.containers" -}}
{{- $out := list -}}
{{- range . -}}
{{- $container := deepCopy . -}}
{{- with .env }}{{- $_ := set $container "env" (include "ew.variables" (dict "own" "[]" "more" .) | fromYamlArray) -}}{{ end -}}
{{- $out = append $out $container -}}
{{- end -}}
{{- toYaml $out -}}
{{- end -}}
