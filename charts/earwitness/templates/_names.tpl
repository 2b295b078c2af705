{{/* Prefix of every name; room is left for the longest suffix. */}}
{{- define "ew.fullname" -}}
{{- default .Release.Name .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* The immutable subset of the labels, for selectors. Takes (root, component). */}}
{{- define "ew.selectorLabels" -}}
app.kubernetes.io/name: earwitness
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Labels of an object. Takes (root, component). */}}
{{- define "ew.labels" -}}
{{ include "ew.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: earwitness
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name (.root.Chart.Version | replace "+" "_") }}
{{- end -}}

{{/* Name, namespace and labels of an object. Takes (root, component[, suffix]). */}}
{{- define "ew.metadata" -}}
name: {{ include "ew.fullname" .root }}-{{ default .component .suffix }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "ew.labels" . | nindent 2 }}
{{- end -}}

{{/* YAML of a map under which another is laid: maps are merged, everything else (false, 0, "" and lists too) replaces.
     Takes (under, over). sprig's merge functions would not let false replace true. */}}
{{- define "ew.merge" -}}
{{- $out := deepCopy .under -}}
{{- range $key, $value := .over -}}
{{- $old := get $out $key -}}
{{- if and (kindIs "map" $value) (kindIs "map" $old) -}}
{{- $_ := set $out $key (include "ew.merge" (dict "under" $old "over" $value) | fromYaml) -}}
{{- else -}}
{{- $_ := set $out $key $value -}}
{{- end -}}
{{- end -}}
{{- toYaml $out -}}
{{- end -}}

{{/* YAML of a component's values: `defaults` and what the component says. Takes (root, component). */}}
{{- define "ew.values" -}}
{{- include "ew.merge" (dict "under" .root.Values.defaults "over" (get .root.Values .component)) -}}
{{- end -}}

{{- define "ew.image" -}}
{{- $image := .values.image -}}
{{- with $image.registry }}{{ . }}/{{ end -}}
{{ $image.repository }}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ default .root.Chart.AppVersion $image.tag }}{{ end -}}
{{- end -}}

{{- define "ew.serviceAccountName" -}}
{{- default (ternary (printf "%s-%s" (include "ew.fullname" .root) .component) "default" .values.serviceAccount.create) .values.serviceAccount.name -}}
{{- end -}}

{{- define "ew.authSecret" -}}
{{- default (printf "%s-auth" (include "ew.fullname" .)) .Values.auth.existingSecret -}}
{{- end -}}

{{- define "ew.tlsSecret" -}}
{{- default (printf "%s-tls" (include "ew.fullname" .)) .Values.tls.existingSecret -}}
{{- end -}}

{{- define "ew.claim" -}}
{{- default (printf "%s-data" (include "ew.fullname" .)) .Values.storage.existingClaim -}}
{{- end -}}

{{/* host:port of the trainer's rank 0, on its first pod. */}}
{{- define "ew.trainerHost" -}}
{{ include "ew.fullname" . }}-trainer-0.{{ include "ew.fullname" . }}-trainer.{{ .Release.Namespace }}.svc
{{- end -}}
