{{- define "calve.name" -}}
{{- if contains "calve" .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-calve" .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "calve.labels" -}}
app.kubernetes.io/name: calve
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "calve.selector" -}}
app.kubernetes.io/name: calve
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "calve.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "calve.name" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}
