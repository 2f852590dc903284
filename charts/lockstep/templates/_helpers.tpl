{{- /* Prints the labels of an object. Its own and the chart's stand over what values give. Takes root, own, and values besides extraLabels. */ -}}
{{- define "lockstep.labels" -}}
{{- $chart := dict
  "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_")
  "app.kubernetes.io/managed-by" .root.Release.Service
  "app.kubernetes.io/instance" .root.Release.Name }}
{{- toYaml (merge (dict) (.own | default dict) $chart (.values | default dict) .root.Values.extraLabels) }}
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
{{- $_ := set $o.metadata "labels" (fromYaml (include "lockstep.labels" (dict "root" $root "own" $o.metadata.labels))) }}
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
