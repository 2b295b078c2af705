{{/* The pod template of every component. Takes root, component, values (merged), and of what differs:
     command    list
     ports      map of name -> number
     env        YAML list, before the values' own
     mounts, volumes   YAML lists, before the values' own
     probes     map of startup, readiness, liveness -> YAML of the action; without it gRPC on the health port
     artifacts  true: mounts the shared volume and works there
     labels, annotations, podGroup, schedulerName   of the trainer's gang */}}
{{- define "ew.pod" -}}
{{- $values := .values -}}
metadata:
  labels:
    {{- include "ew.labels" . | nindent 4 }}
    {{- if hasKey .ports "metrics" }}
    earwitness.io/metrics: "true"
    {{- end }}
    {{- with merge (dict) (default (dict) .labels) $values.podLabels }}
    {{- include "ew.strings" . | nindent 4 }}
    {{- end }}
  annotations:
    checksum/config: {{ include "ew.config" .root | sha256sum | quote }}
    {{- with merge (dict) (default (dict) .annotations) $values.podAnnotations }}
    {{- include "ew.strings" . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "ew.serviceAccountName" . | quote }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ int $values.terminationGracePeriodSeconds }}
  {{- with .root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with default $values.schedulerName .schedulerName }}
  schedulerName: {{ . | quote }}
  {{- end }}
  {{- with .podGroup }}
  schedulingGroup: {podGroupName: {{ . | quote }}}
  {{- end }}
  {{- with $values.priorityClassName }}
  priorityClassName: {{ . | quote }}
  {{- end }}
  {{- with $values.runtimeClassName }}
  runtimeClassName: {{ . | quote }}
  {{- end }}
  {{- with $values.nodeSelector }}
  nodeSelector:
    {{- include "ew.strings" . | nindent 4 }}
  {{- end }}
  {{- with $values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if $values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- $own := dict "labelSelector" (dict "matchLabels" (include "ew.selectorLabels" . | fromYaml)) }}
    {{- range $values.topologySpreadConstraints }}
    - {{ toYaml (merge (deepCopy .) $own) | nindent 6 | trim }}
    {{- end }}
  {{- end }}
  securityContext:
    {{- toYaml $values.podSecurityContext | nindent 4 }}
  containers:
    - name: {{ .component }}
      image: {{ include "ew.image" . | quote }}
      imagePullPolicy: {{ $values.image.pullPolicy | quote }}
      command: {{ toJson .command }}
      {{- if .artifacts }}
      workingDir: {{ .root.Values.storage.mountPath | quote }}
      {{- end }}
      ports:
        {{- range $name, $number := .ports }}
        - {name: {{ $name }}, containerPort: {{ $number }}, protocol: TCP}
        {{- end }}
      envFrom:
        - configMapRef: {name: {{ include "ew.fullname" .root }}-config}
        {{- with $values.envFrom }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      env:
        {{- .env | nindent 8 }}
        {{- with $values.env }}
        {{- include "ew.variables" . | nindent 8 }}
        {{- end }}
      {{- range $probe, $service := dict "startup" "" "readiness" .component "liveness" "" }}
      {{ $probe }}Probe:
        {{- toYaml (get $values.probes $probe) | nindent 8 }}
        {{- if $.probe }}
        {{- toYaml $.probe | nindent 8 }}
        {{- else }}
        grpc: {port: 7071, service: {{ $service | quote }}}
        {{- end }}
      {{- end }}
      {{- with int $values.preStopSeconds }}
      lifecycle:
        preStop: {sleep: {seconds: {{ . }}}}
      {{- end }}
      resources:
        {{- $resources := deepCopy $values.resources }}
        {{- if $values.gpu.count }}
        {{- range $kind := list "requests" "limits" }}
        {{- $amounts := get $resources $kind | default dict }}
        {{- $resources = set $resources $kind (set $amounts $values.gpu.resource (int $values.gpu.count)) }}
        {{- end }}
        {{- end }}
        {{- toYaml $resources | nindent 8 }}
      securityContext:
        {{- toYaml $values.securityContext | nindent 8 }}
      volumeMounts:
        - {name: scratch, mountPath: /tmp}
        {{- if .artifacts }}
        - {name: data, mountPath: {{ .root.Values.storage.mountPath | quote }}}
        {{- end }}
        {{- if .root.Values.tls.enabled }}
        - {name: tls, mountPath: /etc/earwitness/tls, readOnly: true}
        {{- end }}
        {{- if $values.shmSize }}
        - {name: shm, mountPath: /dev/shm}
        {{- end }}
        {{- with .mounts }}
        {{- . | nindent 8 }}
        {{- end }}
        {{- with $values.volumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: scratch
      emptyDir: {sizeLimit: {{ $values.scratchSize | quote }}}
    {{- if .artifacts }}
    - name: data
      persistentVolumeClaim: {claimName: {{ include "ew.claim" .root | quote }}}
    {{- end }}
    {{- if .root.Values.tls.enabled }}
    - name: tls
      secret: {secretName: {{ include "ew.tlsSecret" .root | quote }}, defaultMode: 0440}
    {{- end }}
    {{- with $values.shmSize }}
    - name: shm
      emptyDir: {medium: Memory, sizeLimit: {{ . | quote }}}
    {{- end }}
    {{- with .volumes }}
    {{- . | nindent 4 }}
    {{- end }}
    {{- with $values.volumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}
