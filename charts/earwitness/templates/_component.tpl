{{/* Objects that each component has beside its workload: service account and disruption budget.
     Takes (root, component, values). */}}
{{- define "ew.besides" -}}
{{- if .values.serviceAccount.create }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "ew.metadata" (dict "root" .root "component" .component "name" (include "ew.serviceAccountName" .) "annotations" .values.serviceAccount.annotations) | nindent 2 }}
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
