{{/* worker.properties. SPDX-License-Identifier: Apache-2.0 */}}

{{/* What the clients of one kind need for a secured Kafka: list of context, prefix, dict to add to. */}}
{{- define "sluice.addKafka" -}}
{{- $kafka := (index . 0).Values.kafka -}}
{{- $prefix := index . 1 -}}
{{- $into := index . 2 -}}
{{- $_ := set $into (print $prefix "security.protocol") $kafka.securityProtocol -}}
{{- if contains "SASL" $kafka.securityProtocol -}}
{{- with $kafka.sasl.mechanism }}{{ $_ := set $into (print $prefix "sasl.mechanism") . }}{{ end -}}
{{- end -}}
{{- if contains "SSL" $kafka.securityProtocol -}}
{{- if $kafka.tls.caSecret -}}
{{- $_ := set $into (print $prefix "ssl.truststore.type") "PEM" -}}
{{- $_ := set $into (print $prefix "ssl.truststore.location") "/etc/sluice/worker/kafka-ca/ca.crt" -}}
{{- end -}}
{{- if $kafka.tls.certSecret -}}
{{- $_ := set $into (print $prefix "ssl.certificate.location") "/etc/sluice/worker/kafka-tls/tls.crt" -}}
{{- $_ := set $into (print $prefix "ssl.key.location") "/etc/sluice/worker/kafka-tls/tls.key" -}}
{{- end -}}
{{- $_ := set $into (print $prefix "ssl.endpoint.identification.algorithm") (ternary "https" "" $kafka.tls.verifyHostname) -}}
{{- end -}}
{{- end -}}

{{- define "sluice.addRest" -}}
{{- $rest := (index . 0).Values.rest -}}
{{- $into := index . 1 -}}
{{- $_ := set $into "listeners" (printf "%s://:%d" (include "sluice.scheme" (index . 0)) (int $rest.port)) -}}
{{- with include "sluice.probePort" (index . 0) }}{{ $_ := set $into "probe.listeners" (printf "http://:%s" .) }}{{ end -}}
{{- if $rest.tls.enabled -}}
{{- $prefix := "listeners.https.ssl." -}}
{{- $_ := set $into (print $prefix "keystore.type") "PEM" -}}
{{- if $rest.tls.combinedKey -}}
{{- $_ := set $into (print $prefix "keystore.location") "/etc/sluice/worker/rest-tls/combined.pem" -}}
{{- end -}}
{{- if $rest.tls.caKey -}}
{{- $_ := set $into (print $prefix "truststore.type") "PEM" -}}
{{- $_ := set $into (print $prefix "truststore.location") "/etc/sluice/worker/rest-tls/ca.crt" -}}
{{- end -}}
{{- $_ := set $into (print $prefix "client.auth") $rest.tls.clientAuth -}}
{{- $_ := set $into (print $prefix "endpoint.identification.algorithm") (ternary "https" "" $rest.tls.verifyWorkers) -}}
{{- end -}}
{{- if $rest.auth.existingSecret -}}
{{- $_ := set $into "rest.auth.type" "basic" -}}
{{- $_ := set $into "rest.auth.password.file" "/etc/sluice/worker/rest-users/users" -}}
{{- $_ := set $into "rest.auth.open.paths" (ternary "/health,/metrics" "/health" $rest.auth.openMetrics) -}}
{{- end -}}
{{- end -}}

{{/* Connectors may read what lies below /etc/sluice/secrets and nothing else. The folder must be there, so nothing is said where none is mounted. */}}
{{- define "sluice.addProviders" -}}
{{- $values := (index . 0).Values -}}
{{- $into := index . 1 -}}
{{- $names := list -}}
{{- if or $values.mqtt.auth.existingSecret $values.mqtt.tls.existingSecret $values.secretMounts -}}
{{- $names = list "dir" "file" -}}
{{- range $name, $class := dict "dir" "DirectoryConfigProvider" "file" "FileConfigProvider" -}}
{{- $_ := set $into (printf "config.providers.%s.class" $name) $class -}}
{{- $_ := set $into (printf "config.providers.%s.param.allowed.paths" $name) "/etc/sluice/secrets" -}}
{{- end -}}
{{- end -}}
{{- with $values.envProviderPattern -}}
{{- $names = append $names "env" -}}
{{- $_ := set $into "config.providers.env.class" "EnvVarConfigProvider" -}}
{{- $_ := set $into "config.providers.env.param.allowlist.pattern" . -}}
{{- end -}}
{{- with $names }}{{ $_ := set $into "config.providers" (join "," .) }}{{ end -}}
{{- end -}}

{{/* All properties as a JSON object, `config` last, since it wins. */}}
{{- define "sluice.properties" -}}
{{- $all := dict "bootstrap.servers" .Values.kafka.bootstrapServers -}}
{{- $_ := set $all "group.id" (default (include "sluice.fullname" .) .Values.kafka.groupId) -}}
{{- range list "config" "status" "offset" "claims" -}}
{{- $_ := set $all (printf "%s.storage.replication.factor" .) $.Values.internalTopics.replicationFactor -}}
{{- end -}}
{{- $_ := set $all "claims.storage.partitions" .Values.internalTopics.slots -}}
{{- $_ := set $all "task.shutdown.graceful.timeout.ms" (mul .Values.shutdown.drainSeconds 1000) -}}
{{- $_ := set $all "log.level" .Values.log.level -}}
{{- $_ := set $all "log.format" .Values.log.format -}}
{{- if .Values.connectorFiles.enabled -}}
{{- $_ := set $all "connectors.dir" "/etc/sluice/connectors" -}}
{{- $_ := set $all "connectors.dir.prune" .Values.connectorFiles.prune -}}
{{- $_ := set $all "connectors.dir.delete.delay.ms" (mul .Values.connectorFiles.deleteDelaySeconds 1000) -}}
{{- end -}}
{{- include "sluice.addProviders" (list . $all) -}}
{{- include "sluice.addRest" (list . $all) -}}
{{- if ne .Values.kafka.securityProtocol "PLAINTEXT" -}}
{{- range list "" "producer." "consumer." -}}
{{- include "sluice.addKafka" (list $ . $all) -}}
{{- end -}}
{{- end -}}
{{- range $key, $value := .Values.config }}{{ $_ := set $all $key $value }}{{ end -}}
{{- $text := dict -}}
{{- range $key, $value := $all }}{{ $_ := set $text $key (include "sluice.scalar" $value) }}{{ end -}}
{{- toJson $text -}}
{{- end -}}

{{/* A connector as its file has it: all properties are text, also those below `config`. */}}
{{- define "sluice.connector" -}}
{{- $text := dict -}}
{{- range $key, $value := . -}}
{{- if kindIs "map" $value -}}
{{- $_ := set $text $key (include "sluice.connector" $value | fromJson) -}}
{{- else if eq $key "adopt" -}}
{{- $_ := set $text $key $value -}}
{{- else -}}
{{- $_ := set $text $key (include "sluice.scalar" $value) -}}
{{- end -}}
{{- end -}}
{{- toJson $text -}}
{{- end -}}

{{/* The file: backslashes, line ends and a leading blank are escaped as Java does. */}}
{{- define "sluice.propertiesFile" -}}
{{- range $key, $value := include "sluice.properties" . | fromJson }}
{{ $key }}={{ if hasPrefix " " $value }}\{{ end }}{{ $value | replace "\\" "\\\\" | replace "\n" "\\n" | replace "\r" "\\r" | replace "\t" "\\t" }}
{{- end }}
{{- end -}}
