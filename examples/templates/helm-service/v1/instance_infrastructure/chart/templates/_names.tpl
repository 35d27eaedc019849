{{/* What selects the pods: it never changes. */}}
{{- define "selector" -}}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* A name of Protium as the value of a label: at most 63 characters, the last one a letter or a digit. */}}
{{- define "label" -}}
{{ . | trunc 63 | regexFind "^.*[0-9A-Za-z]" | quote }}
{{- end }}

{{- define "labels" -}}
{{ include "selector" . }}
app.kubernetes.io/name: {{ include "label" .Values.service.name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
protium/environment: {{ include "label" .Values.environment.name }}
protium/service-instance: {{ include "label" .Values.service_instance.name }}
{{- end }}
