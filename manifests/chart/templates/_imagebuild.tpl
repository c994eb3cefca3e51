{{- /* Made by hack/generate. Changes here are lost. */ -}}
{{- define "imagebuild.builder" -}}
{{- $image := dig "builder" "image" .Values.builder.image .Values.config -}}
{{- required "builder.image is missing: name the image of the builder" $image -}}
{{- end -}}
{{- define "imagebuild.config" -}}
{{- toYaml (merge (dict "builder" (dict "image" (include "imagebuild.builder" .))) .Values.config) -}}
{{- end -}}
