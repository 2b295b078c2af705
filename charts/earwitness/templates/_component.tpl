{{/* Objects that each component has beside its workload: service account and disruption budget.
     Takes (root, component, values). */}}
{{- define "ew.besides" -}}
{{- if .values.serviceAccount.create }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "ew.serviceAccountName" . | quote }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels:
    {{- include "ew.labels" . | nindent 4 }}
  {{- with .values.serviceAccount.annotations }}
  annotations:
    {{- include "ew.strings" . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end }}
{{- if .values.podDisruptionBudget.enabled }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "ew.metadata" . | nindent 2 }}
spec:
  maxUnavailable: {{ toJson .values.podDisruptionBudget.maxUnavailable }}
  # A pod that does not work does not hold up a drain.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "ew.selectorLabels" . | nindent 6 }}
{{- end }}
{{- end -}}
