{{/* The pod, the same in Deployment and StatefulSet. SPDX-License-Identifier: Apache-2.0 */}}

{{/* Probe of a kind: list of context and name. */}}
{{- define "sluice.probe" -}}
{{- $context := index . 0 -}}
{{- $probe := index $context.Values.probes (index . 1) -}}
{{- if $probe.enabled }}
{{ index . 1 }}Probe:
  httpGet:
    path: {{ $probe.path }}
    {{- if include "sluice.probePort" $context }}
    port: probes
    scheme: HTTP
    {{- else }}
    port: rest
    scheme: {{ include "sluice.scheme" $context | upper }}
    {{- end }}
  periodSeconds: {{ $probe.periodSeconds }}
  timeoutSeconds: {{ $probe.timeoutSeconds }}
  failureThreshold: {{ $probe.failureThreshold }}
{{- end }}
{{- end -}}

{{/* A variable from a secret: list of name, secret, key. */}}
{{- define "sluice.secretEnv" -}}
- name: {{ index . 0 }}
  valueFrom:
    secretKeyRef:
      name: {{ index . 1 }}
      key: {{ index . 2 }}
{{- end -}}

{{- define "sluice.env" -}}
{{- if eq .Values.kind "StatefulSet" }}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- end }}
{{- if eq .Values.rest.advertise "podName" }}
- name: CONNECT_REST_ADVERTISED_HOST_NAME
  value: $(POD_NAME).{{ include "sluice.headless" . }}.{{ include "sluice.namespace" . }}.svc
{{- else }}
- name: CONNECT_REST_ADVERTISED_HOST_NAME
  valueFrom:
    fieldRef:
      fieldPath: status.podIP
{{- end }}
{{- if and (eq .Values.kind "StatefulSet") .Values.staticMembership }}
- name: CONNECT_GROUP_INSTANCE_ID
  value: $(POD_NAME).{{ include "sluice.namespace" . }}
{{- end }}
{{- $sasl := .Values.kafka.sasl }}
{{- if and $sasl.existingSecret (contains "SASL" .Values.kafka.securityProtocol) }}
{{- range list "" "PRODUCER_" "CONSUMER_" }}
{{ include "sluice.secretEnv" (list (printf "CONNECT_%sSASL_USERNAME" .) $sasl.existingSecret $sasl.usernameKey) }}
{{ include "sluice.secretEnv" (list (printf "CONNECT_%sSASL_PASSWORD" .) $sasl.existingSecret $sasl.passwordKey) }}
{{- end }}
{{- end }}
{{- $tls := .Values.rest.tls }}
{{- if and $tls.enabled (not $tls.combinedKey) }}
{{ include "sluice.secretEnv" (list "CONNECT_LISTENERS_HTTPS_SSL_KEYSTORE_CERTIFICATE_CHAIN" $tls.existingSecret $tls.certKey) }}
{{ include "sluice.secretEnv" (list "CONNECT_LISTENERS_HTTPS_SSL_KEYSTORE_KEY" $tls.existingSecret $tls.keyKey) }}
{{- end }}
{{- with .Values.env }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The secrets that become folders, as a JSON list of name, folder, secret, and files by key. */}}
{{- define "sluice.folders" -}}
{{- $v := .Values -}}
{{- $all := list -}}
{{- if contains "SSL" $v.kafka.securityProtocol -}}
{{- with $v.kafka.tls.caSecret }}{{ $all = append $all (dict "name" "kafka-ca" "of" "worker" "secret" . "files" (dict "ca.crt" $v.kafka.tls.caKey)) }}{{ end -}}
{{- with $v.kafka.tls.certSecret }}{{ $all = append $all (dict "name" "kafka-tls" "of" "worker" "secret" . "files" (dict "tls.crt" $v.kafka.tls.certKey "tls.key" $v.kafka.tls.keyKey)) }}{{ end -}}
{{- end -}}
{{- if and $v.rest.tls.enabled (or $v.rest.tls.combinedKey $v.rest.tls.caKey) -}}
{{- $all = append $all (dict "name" "rest-tls" "of" "worker" "secret" $v.rest.tls.existingSecret "files" (dict "combined.pem" $v.rest.tls.combinedKey "ca.crt" $v.rest.tls.caKey)) -}}
{{- end -}}
{{- with $v.rest.auth.existingSecret }}{{ $all = append $all (dict "name" "rest-users" "of" "worker" "secret" . "files" (dict "users" $v.rest.auth.key)) }}{{ end -}}
{{- with $v.mqtt.auth }}{{ if .existingSecret }}{{ $all = append $all (dict "name" "mqtt" "of" "secrets" "secret" .existingSecret "files" (dict "username" .usernameKey "password" .passwordKey)) }}{{ end }}{{ end -}}
{{- with $v.mqtt.tls }}{{ if .existingSecret }}{{ $all = append $all (dict "name" "mqtt-tls" "of" "secrets" "secret" .existingSecret "files" (dict "ca.crt" .caKey "tls.crt" .certKey "tls.key" .keyKey)) }}{{ end }}{{ end -}}
{{- toJson $all -}}
{{- end -}}

{{- define "sluice.volumes" -}}
- name: config
  configMap:
    name: {{ include "sluice.fullname" . }}
{{- if .Values.connectorFiles.enabled }}
- name: connectors
  configMap:
    name: {{ include "sluice.fullname" . }}-connectors
{{- end }}
{{- range include "sluice.folders" . | fromJsonArray }}
- name: {{ .name }}
  secret:
    secretName: {{ .secret }}
    defaultMode: 0440
    items:
      {{- range $file, $key := .files }}
      {{- if $key }}
      - key: {{ $key }}
        path: {{ $file }}
      {{- end }}
      {{- end }}
{{- end }}
{{- range .Values.secretMounts }}
- name: secret-{{ .name }}
  secret:
    secretName: {{ .secretName }}
    defaultMode: 0440
    {{- with .optional }}
    optional: {{ . }}
    {{- end }}
    {{- with .items }}
    items:
      {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "sluice.mounts" -}}
- name: config
  mountPath: /etc/sluice/config
  readOnly: true
{{- if .Values.connectorFiles.enabled }}
- name: connectors
  mountPath: /etc/sluice/connectors
  readOnly: true
{{- end }}
{{- range include "sluice.folders" . | fromJsonArray }}
- name: {{ .name }}
  mountPath: /etc/sluice/{{ .of }}/{{ .name }}
  readOnly: true
{{- end }}
{{- range .Values.secretMounts }}
- name: secret-{{ .name }}
  mountPath: /etc/sluice/secrets/{{ .name }}
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "sluice.container" -}}
name: worker
image: {{ include "sluice.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: [/etc/sluice/config/worker.properties]
{{- with .Values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  - name: rest
    containerPort: {{ .Values.rest.port }}
    protocol: TCP
  {{- with include "sluice.probePort" . }}
  - name: probes
    containerPort: {{ . }}
    protocol: TCP
  {{- end }}
env:
  {{- include "sluice.env" . | trim | nindent 2 }}
{{- with .Values.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- include "sluice.probe" (list . "startup") }}
{{- include "sluice.probe" (list . "liveness") }}
{{- include "sluice.probe" (list . "readiness") }}
{{- if gt (int .Values.shutdown.preStopSeconds) 0 }}
lifecycle:
  preStop:
    sleep:
      seconds: {{ .Values.shutdown.preStopSeconds }}
{{- end }}
{{- with .Values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  {{- include "sluice.mounts" . | nindent 2 }}
{{- end -}}

{{/* Over zones and nodes as far as it goes; in a Deployment only pods of one revision count. */}}
{{- define "sluice.spread" -}}
{{- $spread := .Values.topologySpreadConstraints -}}
{{- if kindIs "invalid" $spread -}}
{{- $spread = list -}}
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" -}}
{{- $one := dict "topologyKey" . "maxSkew" 1 "whenUnsatisfiable" "ScheduleAnyway" -}}
{{- if eq $.Values.kind "Deployment" }}{{ $_ := set $one "matchLabelKeys" (list "pod-template-hash") }}{{ end -}}
{{- $spread = append $spread $one -}}
{{- end -}}
{{- end -}}
{{- range $spread }}
- {{ toYaml (merge (dict "labelSelector" (dict "matchLabels" (include "sluice.selectorLabels" $ | fromYaml))) .) | nindent 2 | trim }}
{{- end }}
{{- end -}}

{{- define "sluice.podTemplate" -}}
metadata:
  labels:
    {{- include "sluice.podLabels" . | nindent 4 }}
  annotations:
    checksum/config: {{ include "sluice.propertiesFile" . | sha256sum }}
    {{- if .Values.rollOnSecrets }}
    checksum/secrets: {{ include "sluice.secretsHash" . }}
    {{- end }}
    kubectl.kubernetes.io/default-container: worker
    {{- with merge (dict) .Values.podAnnotations .Values.commonAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "sluice.serviceAccountName" . }}
  automountServiceAccountToken: {{ .Values.serviceAccount.automount }}
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ include "sluice.graceSeconds" . }}
  {{- with concat .Values.image.pullSecrets .Values.global.imagePullSecrets | uniq }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  {{- with .Values.podSecurityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- range $field := list "priorityClassName" "runtimeClassName" "schedulerName" "dnsPolicy" }}
  {{- with index $.Values $field }}
  {{ $field }}: {{ . }}
  {{- end }}
  {{- end }}
  {{- range $field := list "dnsConfig" "hostAliases" "nodeSelector" "affinity" "tolerations" "initContainers" }}
  {{- with index $.Values $field }}
  {{ $field }}:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  {{- with include "sluice.spread" . }}
  topologySpreadConstraints:
    {{- trim . | nindent 4 }}
  {{- end }}
  containers:
    - {{ include "sluice.container" . | nindent 6 | trim }}
    {{- with .Values.sidecars }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    {{- include "sluice.volumes" . | nindent 4 }}
{{- end -}}
