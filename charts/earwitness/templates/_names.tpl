{{/* Prefix of every name. Some are names of Services, which begin with a letter and hold no dot, and the longest ending
     needs room: what Kubernetes would refuse in the middle of an install is refused before it. Nothing is cut, or two
     releases could come to one name. */}}
{{- define "ew.fullname" -}}
{{- $name := default .Release.Name .Values.fullnameOverride -}}
{{- $what := ternary "fullnameOverride" "the release's name" (not (empty .Values.fullnameOverride)) -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name) -}}
{{- fail (printf "%s %q cannot begin the names of Services; expected a lower-case letter, then lower-case letters, digits and hyphens: set fullnameOverride" $what $name) -}}
{{- end -}}
{{- if gt (len $name) 40 -}}
{{- fail (printf "%s %q has %d characters and leaves no room for the endings of names; expected at most 40: set fullnameOverride" $what $name (len $name)) -}}
{{- end -}}
{{- if not (regexMatch "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$" .Release.Namespace) -}}
{{- fail (printf "the namespace %q is no name of one; expected lower-case letters, digits and hyphens, at most 63" .Release.Namespace) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{/* A number or a boolean as the string that a person wrote; numbers of values are floats, which keep 15 digits. */}}
{{- define "ew.string" -}}
{{- if and (kindIs "float64" .) (gt . 1e15) }}{{ fail (printf "%.0f has more digits than a number keeps; expected it in quotes" .) }}{{ end -}}
{{- if kindIs "float64" . -}}{{- if eq . (floor .) }}{{ printf "%.0f" . }}{{ else }}{{ . }}{{ end -}}{{- else -}}{{ . }}{{- end -}}
{{- end -}}

{{/* YAML of a map whose values are strings, as labels and annotations are. */}}
{{- define "ew.strings" -}}
{{- $out := dict -}}
{{- range $key, $value := . -}}
{{- $_ := set $out $key (include "ew.string" $value) -}}
{{- end -}}
{{- toYaml $out -}}
{{- end -}}

{{/* The immutable subset of the labels, for selectors. Takes (root, component). */}}
{{- define "ew.selectorLabels" -}}
app.kubernetes.io/name: earwitness
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Labels of an object. Takes (root, component). */}}
{{- define "ew.labels" -}}
{{ include "ew.selectorLabels" . }}
{{- with .root.Values.commonLabels }}
{{ include "ew.strings" . }}
{{- end }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: earwitness
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name (.root.Chart.Version | replace "+" "_") }}
{{- end -}}

{{/* Name, namespace, labels and annotations of an object. Takes (root, component) and of what differs: name, or suffix
     (its ending, the component's name otherwise), labels, annotations. */}}
{{- define "ew.metadata" -}}
name: {{ default (printf "%s-%s" (include "ew.fullname" .root) (default .component .suffix)) .name | quote }}
namespace: {{ .root.Release.Namespace | quote }}
labels:
  {{- include "ew.labels" . | nindent 2 }}
  {{- with .labels }}
  {{- include "ew.strings" . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (default (dict) .annotations) .root.Values.commonAnnotations }}
annotations:
  {{- include "ew.strings" . | nindent 2 }}
{{- end }}
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
