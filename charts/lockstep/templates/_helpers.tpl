{{- define "lockstep.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- with .Values.extraLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "lockstep.selector" -}}
app.kubernetes.io/name: lockstep
app.kubernetes.io/component: controller
{{- end }}

{{- define "lockstep.image" -}}
{{- $name := printf "%s/%s" (trimSuffix "/" .Values.image.registry) .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{ $name }}@{{ .Values.image.digest }}
{{- else -}}
{{ $name }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- /* Prints an object of files/ with the chart's labels, in the namespace of the installation. Takes root and object. */ -}}
{{- define "lockstep.object" -}}
{{- $root := .root }}
{{- $o := .object }}
{{- $_ := set $o.metadata "labels" (merge (fromYaml (include "lockstep.labels" $root)) ($o.metadata.labels | default dict)) }}
{{- if $o.metadata.namespace }}{{ $_ := set $o.metadata "namespace" $root.Release.Namespace }}{{ end }}
{{- range $o.subjects }}{{ $_ := set . "namespace" $root.Release.Namespace }}{{ end }}
---
{{ toYaml $o }}
{{- end }}

{{- /* Prints every object of a file of files/. Takes root and path. */ -}}
{{- define "lockstep.file" -}}
{{- $root := .root }}
{{- range splitList "\n---\n" (.root.Files.Get .path) }}
{{- include "lockstep.object" (dict "root" $root "object" (fromYaml .)) }}
{{ end }}
{{- end }}
