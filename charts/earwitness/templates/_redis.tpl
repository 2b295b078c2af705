{{/* Configuration of a Redis (or Valkey). Takes root, role (queue or weights), values. */}}
{{- define "ew.redisConf" -}}
{{- if .root.Values.tls.enabled -}}
port 0
tls-port 6379
tls-cert-file /etc/earwitness/tls/tls.crt
tls-key-file /etc/earwitness/tls/tls.key
tls-ca-cert-file /etc/earwitness/tls/ca.crt
tls-auth-clients no
{{ else -}}
port 6379
{{ end -}}
aclfile /tmp/users.acl
dir {{ ternary "/var/lib/redis" "/tmp" (eq .role "queue") }}
save ""
maxmemory {{ .values.maxMemory }}
# An evicted task or chunk would be lost in silence; a refused write is loud.
maxmemory-policy noeviction
{{ if eq .role "queue" -}}
appendonly yes
appendfsync {{ .values.appendFsync }}
{{- else -}}
appendonly no
# An old version's gigabytes are freed in the background.
lazyfree-lazy-user-del yes
io-threads {{ int .values.ioThreads }}
{{- end }}
{{- end -}}

{{/* Starts the server. Of the password, which comes from the environment, only the digest is written down: a file of
     users takes no blank, and an error of the server repeats its line. The only user may touch only our keys and may run
     neither admin nor dangerous commands. Nobody can be the default user, which is off,
     but it keeps its rights: with them Redis reads back the transactions in its append-only file, and without them it
     leaves out every write of a script, silently. */}}
{{- define "ew.redisStart" -}}
set -eu
umask 077
digest=$(printf %s "$EW_REDIS_PASSWORD" | sha256sum)
printf 'user default off ~ew:* &ew:* +@all\nuser earwitness on #%s ~ew:* resetchannels &ew:* +@all -@admin -@dangerous +info\n' "${digest%% *}" >/tmp/users.acl
unset EW_REDIS_PASSWORD REDISCLI_AUTH
exec valkey-server /etc/redis/redis.conf
{{- end -}}

{{/* PING as our user: also fails while the append-only file is being read. */}}
{{- define "ew.redisPing" -}}
{{- $tls := ternary "--tls --cacert /etc/earwitness/tls/ca.crt --sni localhost" "" .Values.tls.enabled -}}
test "$(valkey-cli --user earwitness --no-auth-warning {{ $tls }} ping)" = PONG
{{- end -}}

{{/* YAML of the exporter's container. It asks INFO and no command that our user may not run. Takes root, values. */}}
{{- define "ew.redisExporter" -}}
{{- $tls := .root.Values.tls.enabled -}}
name: exporter
image: {{ .root.Values.metrics.redisExporter.image | quote }}
args: [--config-command=-, --exclude-latency-histogram-metrics, --web.listen-address=:9121]
ports: [{name: metrics, containerPort: 9121, protocol: TCP}]
env:
  - {name: REDIS_ADDR, value: {{ ternary "rediss://localhost:6379" "redis://localhost:6379" $tls }}}
  - {name: REDIS_USER, value: earwitness}
  - name: REDIS_PASSWORD
    valueFrom: {secretKeyRef: {name: {{ include "ew.authSecret" .root | quote }}, key: redis-password}}
  {{- if $tls }}
  - {name: REDIS_EXPORTER_TLS_CA_CERT_FILE, value: /etc/earwitness/tls/ca.crt}
  {{- end }}
readinessProbe: {httpGet: {path: /health, port: metrics}}
livenessProbe: {httpGet: {path: /health, port: metrics}}
startupProbe: {httpGet: {path: /health, port: metrics}, failureThreshold: 30, periodSeconds: 2}
resources:
  {{- toYaml .root.Values.metrics.redisExporter.resources | nindent 2 }}
securityContext:
  {{- toYaml .values.securityContext | nindent 2 }}
{{- if $tls }}
volumeMounts:
  - {name: tls, mountPath: /etc/earwitness/tls, readOnly: true}
{{- end }}
{{- end -}}

{{/* ConfigMap, Service and StatefulSet of a Redis. Takes root, component (queue or weights), replicas. */}}
{{- define "ew.redis" -}}
{{- $values := include "ew.values" . | fromYaml -}}
{{- $redis := dict "root" .root "component" .component "values" $values -}}
{{- $config := printf "%s\n%s" (include "ew.redisConf" (merge (dict "role" .component) $redis)) (include "ew.redisStart" .root) -}}
apiVersion: v1
kind: ConfigMap
metadata:
  {{- include "ew.metadata" $redis | nindent 2 }}
data:
  redis.conf: |
    {{- include "ew.redisConf" (merge (dict "role" .component) $redis) | nindent 4 }}
  start.sh: |
    {{- include "ew.redisStart" .root | nindent 4 }}
---
apiVersion: v1
kind: Service
metadata:
  {{- include "ew.metadata" $redis | nindent 2 }}
spec:
  {{- if eq .component "weights" }}
  # Gives each shard a name.
  clusterIP: None
  {{- else }}
  type: ClusterIP
  {{- end }}
  selector:
    {{- include "ew.selectorLabels" $redis | nindent 4 }}
  ports:
    - {name: redis, port: 6379, targetPort: redis, protocol: TCP}
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  {{- include "ew.metadata" $redis | nindent 2 }}
spec:
  serviceName: {{ include "ew.fullname" .root }}-{{ .component }}
  replicas: {{ .replicas }}
  revisionHistoryLimit: 3
  podManagementPolicy: Parallel
  selector:
    matchLabels:
      {{- include "ew.selectorLabels" $redis | nindent 6 }}
  template:
    {{- $env := printf "%s\n- name: REDISCLI_AUTH\n  valueFrom: {secretKeyRef: {name: %q, key: redis-password}}" (include "ew.redisPassword" .root) (include "ew.authSecret" .root) }}
    {{- $mounts := "- {name: config, mountPath: /etc/redis, readOnly: true}" }}
    {{- if eq .component "queue" }}
    {{- $mounts = printf "%s\n- {name: queue, mountPath: /var/lib/redis}" $mounts }}
    {{- end }}
    {{- $beside := list }}
    {{- if .root.Values.metrics.redisExporter.enabled }}
    {{- $beside = list (include "ew.redisExporter" $redis | fromYaml) }}
    {{- end }}
    {{- include "ew.pod" (merge (dict
          "beside" $beside
          "command" (list "sh" "/etc/redis/start.sh")
          "ports" (dict "redis" 6379)
          "env" $env
          "annotations" (dict "checksum/redis" (sha256sum $config))
          "probe" (dict "exec" (dict "command" (list "sh" "-c" (include "ew.redisPing" .root))))
          "mounts" $mounts
          "volumes" (printf "- name: config\n  configMap: {name: %s-%s}" (include "ew.fullname" .root) .component)) $redis) | nindent 4 }}
  {{- if eq .component "queue" }}
  volumeClaimTemplates:
    - metadata:
        name: queue
        labels:
          {{- include "ew.selectorLabels" $redis | nindent 10 }}
      spec:
        accessModes: [ReadWriteOnce]
        {{- with $values.persistence.storageClassName }}
        storageClassName: {{ . | quote }}
        {{- end }}
        resources:
          requests: {storage: {{ $values.persistence.size | quote }}}
  {{- end }}
{{- include "ew.besides" $redis }}
{{- end -}}
