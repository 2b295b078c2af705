{{/* The pod template of every component. Takes root, component, values (merged), and of what differs:
     command    list
     ports      map of name -> number
     env        YAML list, to which the values' own is added
     mounts, volumes   YAML lists, before the values' own
     probe      the action of all probes; without it gRPC on the health port
     ready      that of the readiness probe, if it is another
     beside     list of containers, before the values' sidecars
     artifacts  true: mounts the shared volume and works there
     apiToken   true: mounts a token of the Kubernetes API
     labels, annotations, podGroup, schedulerName   of the trainer's gang
     A change of it replaces the pods, so nothing stands here that changes without them: no version of the chart. */}}
{{- define "ew.pod" -}}
{{- $values := .values -}}
metadata:
  labels:
    {{- include "ew.selectorLabels" . | nindent 4 }}
    {{- if or (hasKey .ports "metrics") .beside }}
    earwitness.io/metrics: "true"
    {{- end }}
    {{- with merge (dict) (default (dict) .labels) $values.podLabels .root.Values.commonLabels }}
    {{- include "ew.strings" . | nindent 4 }}
    {{- end }}
  {{- with merge (dict) (default (dict) .annotations) $values.podAnnotations .root.Values.commonAnnotations }}
  annotations:
    {{- include "ew.strings" . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "ew.serviceAccountName" . | quote }}
  automountServiceAccountToken: {{ eq (toString .apiToken) "true" }}
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ int $values.terminationGracePeriodSeconds }}
  {{- include "ew.placement" . | nindent 2 }}
  {{- with .podGroup }}
  schedulingGroup: {podGroupName: {{ . | quote }}}
  {{- end }}
  {{- if $values.hostNetwork }}
  hostNetwork: true
  {{- end }}
  {{- if $values.hostIPC }}
  hostIPC: true
  {{- end }}
  {{- with default (ternary "ClusterFirstWithHostNet" "" $values.hostNetwork) $values.dnsPolicy }}
  dnsPolicy: {{ . | quote }}
  {{- end }}
  {{- with $values.dnsConfig }}
  dnsConfig:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.gpu.claims }}
  resourceClaims:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.initContainers }}
  initContainers:
    {{- include "ew.containers" . | nindent 4 }}
  {{- end }}
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
      {{- with $values.envFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      env:
        {{- include "ew.variables" (dict "own" .env "more" $values.env) | nindent 8 }}
      {{- range $probe, $service := dict "startup" "" "readiness" .component "liveness" "" }}
      {{ $probe }}Probe:
        {{- toYaml (get $values.probes $probe) | nindent 8 }}
        {{- if and $.ready (eq $probe "readiness") }}
        {{- toYaml $.ready | nindent 8 }}
        {{- else if $.probe }}
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
        {{- include "ew.resources" $values | nindent 8 }}
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
    {{- with concat (default list .beside) $values.sidecars }}
    {{- include "ew.containers" . | nindent 4 }}
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

{{/* What a pod's spec says of who may pull its image, where it may run and as whom. Takes root, component, values and,
     for the gang, schedulerName. */}}
{{- define "ew.placement" -}}
{{- $values := .values -}}
securityContext:
  {{- toYaml $values.podSecurityContext | nindent 2 }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with default $values.schedulerName .schedulerName }}
schedulerName: {{ . | quote }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with $values.runtimeClassName }}
runtimeClassName: {{ . | quote }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- include "ew.strings" . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if $values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- $own := dict "labelSelector" (dict "matchLabels" (include "ew.selectorLabels" . | fromYaml)) }}
  {{- range $values.topologySpreadConstraints }}
  - {{ toYaml (merge (deepCopy .) $own) | nindent 4 | trim }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* YAML of a container's resources with its GPUs: as an extended resource, or as claims of dynamic resource allocation.
     Takes a component's values. */}}
{{- define "ew.resources" -}}
{{- $resources := dict -}}
{{- range $kind := list "requests" "limits" -}}
{{- $amounts := dict -}}
{{- range $name, $amount := get $.resources $kind | default dict -}}
{{- $_ := set $amounts $name (include "ew.string" $amount) -}}
{{- end -}}
{{- if $.gpu.count -}}{{- $_ := set $amounts $.gpu.resource (int $.gpu.count) -}}{{- end -}}
{{- if $amounts -}}{{- $_ := set $resources $kind $amounts -}}{{- end -}}
{{- end -}}
{{- $claims := .resources.claims | default list -}}
{{- range .gpu.claims -}}{{- $claims = append $claims (dict "name" .name) -}}{{- end -}}
{{- if $claims -}}{{- $_ := set $resources "claims" $claims -}}{{- end -}}
{{- toYaml $resources -}}
{{- end -}}
