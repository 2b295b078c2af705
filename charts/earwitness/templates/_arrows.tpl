{{/* Who may connect to whom: YAML of a map, component -> port -> callers. The only place where this stands; ingress and
     egress rules both come from it. Takes the root. */}}
{{- define "ew.arrows" -}}
jobs: {7070: [client]}
# The ranks of a gang talk to each other on ports that NCCL, Gloo and torchrun choose.
trainer: {7070: [jobs], 0: [trainer]}
{{- if .Values.recogniser.replicas }}
recogniser: {7070: [reward]}
{{- end }}
{{- if .Values.serve.replicas }}
serve: {8000: [client]}
{{- end }}
{{- if .Values.queue.enabled }}
queue: {6379: [jobs, trainer, rollout, reward, reference, serve]}
{{- end }}
{{- if .Values.weights.enabled }}
weights: {6379: [trainer, rollout, serve]}
{{- end }}
{{- end -}}

{{/* YAML list of the components. Takes the root. */}}
{{- define "ew.components" -}}
- jobs
- trainer
- rollout
- reward
- reference
{{- if .Values.recogniser.replicas }}
- recogniser
{{- end }}
{{- if .Values.serve.replicas }}
- serve
{{- end }}
{{- if .Values.queue.enabled }}
- queue
{{- end }}
{{- if .Values.weights.enabled }}
- weights
{{- end }}
- client
{{- end -}}

{{/* "true" if the jobs service talks to the Kubernetes API. Takes the root. */}}
{{- define "ew.asksKubernetes" -}}
{{- or .Values.jobs.events (eq "true" (include "ew.setsFirstSize" .)) -}}
{{- end -}}

{{/* "true" if the jobs service sets the first number of rollout workers. Takes the root. */}}
{{- define "ew.setsFirstSize" -}}
{{- and (gt (int .Values.rollout.initialReplicas) 1) (eq .Values.rollout.autoscaling.provider "none") -}}
{{- end -}}
