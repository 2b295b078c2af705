{{/* What every service reads. Takes (root, component). */}}
{{- define "ew.environment" -}}
- name: EW_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: OMP_WAIT_POLICY # a thread that waits for others of its process sleeps, instead of spinning on a core of the pod
  value: PASSIVE
- name: EW_TOKEN
  valueFrom: {secretKeyRef: {name: {{ include "ew.authSecret" .root | quote }}, key: token}}
{{- if has .component (list "jobs" "trainer" "rollout" "reward" "reference") }}
{{ include "ew.queueUrl" .root }}
{{- end }}
{{- if has .component (list "trainer" "rollout") }}
{{ include "ew.weightsUrls" .root }}
{{- end }}
{{- end -}}

{{/* Kubernetes puts $(NAME) in place itself, so no password stands in a manifest. */}}
{{- define "ew.redisPassword" -}}
- name: EW_REDIS_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ include "ew.authSecret" . | quote }}, key: redis-password}}
{{- end -}}

{{- define "ew.redisUrl" -}}
{{- $scheme := ternary "rediss" "redis" .root.Values.tls.enabled -}}
{{- $trust := ternary "?ssl_ca_certs=/etc/earwitness/tls/ca.crt" "" .root.Values.tls.enabled -}}
{{ $scheme }}://earwitness:$(EW_REDIS_PASSWORD)@{{ .host }}.{{ .root.Release.Namespace }}.svc:6379/0{{ $trust }}
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
