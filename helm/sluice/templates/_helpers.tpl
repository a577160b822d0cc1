{{/* Names, labels and small decisions. SPDX-License-Identifier: Apache-2.0 */}}

{{- define "sluice.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 52 characters: the names of pods and of the other objects are longer. */}}
{{- define "sluice.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "sluice.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "sluice.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "sluice.headless" -}}
{{- include "sluice.fullname" . }}-workers
{{- end -}}

{{- define "sluice.selectorLabels" -}}
app.kubernetes.io/name: {{ include "sluice.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: worker
{{- end -}}

{{/* A pod's labels say no chart version: another chart alone is no reason to replace pods. */}}
{{- define "sluice.podLabels" -}}
{{ include "sluice.selectorLabels" . }}
app.kubernetes.io/version: {{ include "sluice.version" . }}
{{- with merge (dict) .Values.podLabels .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "sluice.version" -}}
{{- .Values.image.tag | default .Chart.AppVersion | replace "+" "_" | replace ":" "_" | trunc 63 | trimSuffix "-" | quote -}}
{{- end -}}

{{- define "sluice.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "sluice.selectorLabels" . }}
app.kubernetes.io/version: {{ include "sluice.version" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The metadata of an object: list of context, ending of its name, and a dict of its own `labels`, `annotations`, and `name` and `namespace` where these are others. */}}
{{- define "sluice.metadata" -}}
{{- $context := index . 0 -}}
{{- $own := dict -}}
{{- if gt (len .) 2 }}{{ $own = index . 2 }}{{ end -}}
name: {{ $own.name | default (print (include "sluice.fullname" $context) (index . 1)) }}
namespace: {{ $own.namespace | default (include "sluice.namespace" $context) }}
labels:
  {{- include "sluice.labels" $context | nindent 2 }}
  {{- with $own.labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) ($own.annotations | default dict) $context.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "sluice.serviceAccountName" -}}
{{- if .Values.serviceAccount.name -}}
{{- .Values.serviceAccount.name -}}
{{- else if .Values.serviceAccount.create -}}
{{- include "sluice.fullname" . -}}
{{- else -}}
default
{{- end -}}
{{- end -}}

{{- define "sluice.image" -}}
{{- $registry := .Values.image.registry | default .Values.global.imageRegistry -}}
{{- if $registry }}{{ trimSuffix "/" $registry }}/{{ end -}}
{{- .Values.image.repository -}}
{{- if .Values.image.digest -}}
@{{ .Values.image.digest }}
{{- else -}}
:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* A scalar as properties have it: numbers without the exponent that values of YAML get. */}}
{{- define "sluice.scalar" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) (lt . 9007199254740992.0) (gt . -9007199254740992.0) -}}
{{- printf "%.0f" . -}}
{{- else -}}
{{- toString . -}}
{{- end -}}
{{- end -}}

{{/* The number of workers is nobody else's: "true" or nothing. */}}
{{- define "sluice.ownsReplicas" -}}
{{- if and (not .Values.autoscaling.enabled) (not .Values.keda.enabled) (not .Values.externalAutoscaler) (not (kindIs "invalid" .Values.replicas)) -}}
true
{{- end -}}
{{- end -}}

{{/* The number of workers to write down; nothing where the field is left out. An upgrade that hands the number over must not take
away a field that is Helm's still, or Kubernetes falls back to one worker: the live number stands there until somebody else has
changed it. After releases of Helm 3, which compares manifests, that is for good. */}}
{{- define "sluice.replicas" -}}
{{- if include "sluice.ownsReplicas" . -}}
{{- .Values.replicas -}}
{{- else -}}
{{- $live := lookup "apps/v1" .Values.kind (include "sluice.namespace" .) (include "sluice.fullname" .) | default dict -}}
{{- $helms := false -}}
{{- range dig "metadata" "managedFields" list $live -}}
{{- if and (hasPrefix "helm" .manager) (or (eq .operation "Update") (hasKey (dig "fieldsV1" "f:spec" dict .) "f:replicas")) -}}
{{- $helms = true -}}
{{- end -}}
{{- end -}}
{{- if $helms }}{{ $live.spec.replicas }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* Most workers that the values allow; 0: not known. */}}
{{- define "sluice.maxWorkers" -}}
{{- if .Values.autoscaling.enabled -}}
{{- int .Values.autoscaling.maxReplicas -}}
{{- else if .Values.keda.enabled -}}
{{- int .Values.keda.maxReplicas -}}
{{- else if include "sluice.ownsReplicas" . -}}
{{- int .Values.replicas -}}
{{- else -}}
0
{{- end -}}
{{- end -}}

{{- define "sluice.hasHeadless" -}}
{{- if or .Values.headlessService.enabled (eq .Values.kind "StatefulSet") -}}
true
{{- end -}}
{{- end -}}

{{- define "sluice.scheme" -}}
{{- ternary "https" "http" .Values.rest.tls.enabled -}}
{{- end -}}

{{/* The port that only probes ask; nothing where they ask the REST port. */}}
{{- define "sluice.probePort" -}}
{{- if not (kindIs "invalid" .Values.probes.port) -}}
{{- int .Values.probes.port -}}
{{- else if and .Values.rest.tls.enabled (eq .Values.rest.tls.clientAuth "required") -}}
8084
{{- end -}}
{{- end -}}

{{/* Names of the secrets that the worker reads when it starts, as a JSON list. */}}
{{- define "sluice.startSecrets" -}}
{{- $names := list -}}
{{- if contains "SASL" .Values.kafka.securityProtocol }}{{ $names = append $names .Values.kafka.sasl.existingSecret }}{{ end -}}
{{- if contains "SSL" .Values.kafka.securityProtocol }}{{ $names = concat $names (list .Values.kafka.tls.caSecret .Values.kafka.tls.certSecret) }}{{ end -}}
{{- if .Values.rest.tls.enabled }}{{ $names = append $names .Values.rest.tls.existingSecret }}{{ end -}}
{{- compact $names | uniq | sortAlpha | toJson -}}
{{- end -}}

{{/* A hash of those secrets' data in the cluster. */}}
{{- define "sluice.secretsHash" -}}
{{- $found := dict -}}
{{- range include "sluice.startSecrets" . | fromJsonArray -}}
{{- $secret := lookup "v1" "Secret" (include "sluice.namespace" $) . -}}
{{- if $secret }}{{ $_ := set $found . $secret.data }}{{ end -}}
{{- end -}}
{{- toJson $found | sha256sum -}}
{{- end -}}
