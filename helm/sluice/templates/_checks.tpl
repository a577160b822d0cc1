{{/* What the schema cannot tell: values that do not go together. SPDX-License-Identifier: Apache-2.0 */}}

{{/* A name that is a secret's, and the two that only look like one. */}}
{{- define "sluice.isSecret" -}}
{{- $name := lower . | replace "." "" | replace "-" "" | replace "_" "" -}}
{{- if and (regexMatch "password|passphrase|passwd|secret|token|jaas|credential|keystorekey|keypem|privatekey|apikey|accesskey" $name) (not (regexMatch "restauthpasswordfile$|tokenendpointurl$|(truststore|keystore)password$" $name)) -}}
true
{{- end -}}
{{- end -}}

{{/* The time that a pod gets for its end, and whether it is enough. */}}
{{- define "sluice.graceSeconds" -}}
{{- $properties := include "sluice.properties" . | fromJson -}}
{{- $drain := index $properties "task.shutdown.graceful.timeout.ms" -}}
{{- if not (regexMatch "^[0-9]+$" $drain) -}}
{{- fail (printf "config: task.shutdown.graceful.timeout.ms is %q: give a number of milliseconds" $drain) -}}
{{- end -}}
{{- $least := add .Values.shutdown.preStopSeconds (div (add (int64 $drain) 999) 1000) 2 -}}
{{- $given := .Values.terminationGracePeriodSeconds -}}
{{- if kindIs "invalid" $given -}}
{{- add $least 8 -}}
{{- else if lt (int64 $given) $least -}}
{{- fail (printf "terminationGracePeriodSeconds is %d: at least %d are needed, shutdown.preStopSeconds (%d), task.shutdown.graceful.timeout.ms (%s) and 2 s. Raise it, or lower shutdown.drainSeconds" (int64 $given) $least (int64 .Values.shutdown.preStopSeconds) $drain) -}}
{{- else -}}
{{- int64 $given -}}
{{- end -}}
{{- end -}}

{{- define "sluice.checkKafka" -}}
{{- $kafka := .Values.kafka -}}
{{- if not $kafka.bootstrapServers -}}
{{- fail "kafka.bootstrapServers is empty: give Kafka's address, --set kafka.bootstrapServers=host:9092" -}}
{{- end -}}
{{- $sasl := contains "SASL" $kafka.securityProtocol -}}
{{- if and $sasl (not $kafka.sasl.existingSecret) (not (hasKey .Values.config "sasl.mechanism")) -}}
{{- fail (printf "kafka.securityProtocol is %s: name the secret with user and password in kafka.sasl.existingSecret" $kafka.securityProtocol) -}}
{{- end -}}
{{- if and $sasl $kafka.sasl.existingSecret (not $kafka.sasl.mechanism) -}}
{{- fail "kafka.sasl.mechanism is empty: set it to PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512" -}}
{{- end -}}
{{- if and (not $sasl) $kafka.sasl.existingSecret -}}
{{- fail (printf "kafka.sasl.existingSecret is set, but kafka.securityProtocol is %s: set it to SASL_SSL or SASL_PLAINTEXT" $kafka.securityProtocol) -}}
{{- end -}}
{{- if and (not (contains "SSL" $kafka.securityProtocol)) (or $kafka.tls.caSecret $kafka.tls.certSecret) -}}
{{- fail (printf "kafka.tls is set, but kafka.securityProtocol is %s: set it to SSL or SASL_SSL" $kafka.securityProtocol) -}}
{{- end -}}
{{- end -}}

{{- define "sluice.checkRest" -}}
{{- $tls := .Values.rest.tls -}}
{{- if and (eq .Values.rest.advertise "podName") (ne .Values.kind "StatefulSet") -}}
{{- fail "rest.advertise is podName: pods of a Deployment have no names in DNS; set kind to StatefulSet, or rest.advertise to podIP" -}}
{{- end -}}
{{- if and $tls.enabled (not $tls.existingSecret) -}}
{{- fail "rest.tls.enabled is true: name the secret with the certificate in rest.tls.existingSecret" -}}
{{- end -}}
{{- if and $tls.enabled $tls.verifyWorkers (eq .Values.rest.advertise "podIP") -}}
{{- fail (printf "rest.tls.verifyWorkers is true and rest.advertise is podIP: no certificate names the addresses of pods. Set kind to StatefulSet and rest.advertise to podName with a certificate for *.%s.%s.svc, or rest.tls.verifyWorkers to false: traffic between workers is encrypted then, but not checked" (include "sluice.headless" .) (include "sluice.namespace" .)) -}}
{{- end -}}
{{- if and $tls.enabled (ne $tls.clientAuth "none") (not $tls.caKey) -}}
{{- fail (printf "rest.tls.clientAuth is %s: rest.tls.caKey must name the authorities of the clients' certificates" $tls.clientAuth) -}}
{{- end -}}
{{- if eq (include "sluice.probePort" .) (toString (int .Values.rest.port)) -}}
{{- fail (printf "probes.port and rest.port are both %d: set probes.port to a port of its own" (int .Values.rest.port)) -}}
{{- end -}}
{{- end -}}

{{- define "sluice.checkScaling" -}}
{{- if and .Values.autoscaling.enabled .Values.keda.enabled -}}
{{- fail "autoscaling.enabled and keda.enabled are both true: only one can own the number of workers" -}}
{{- end -}}
{{- range list "autoscaling" "keda" -}}
{{- $scaler := index $.Values . -}}
{{- if and $scaler.enabled (gt (int $scaler.minReplicas) (int $scaler.maxReplicas)) -}}
{{- fail (printf "%s.minReplicas is %d, more than %s.maxReplicas, %d" . (int $scaler.minReplicas) . (int $scaler.maxReplicas)) -}}
{{- end -}}
{{- end -}}
{{- $most := include "sluice.maxWorkers" . | int -}}
{{- if gt $most (int .Values.internalTopics.slots) -}}
{{- fail (printf "there may be %d workers, but internalTopics.slots is %d: a worker without a slot has nothing to do. Raise it before the first start" $most (int .Values.internalTopics.slots)) -}}
{{- end -}}
{{- end -}}

{{- define "sluice.checkSecrets" -}}
{{- range $key, $value := .Values.config -}}
{{- if and (include "sluice.isSecret" $key) (not (contains "${" (toString $value))) -}}
{{- fail (printf "config: %s is a secret, and config maps are no place for one. Put it into a secret and that into env, for instance as CONNECT_%s" $key (upper $key | replace "_" "__" | replace "-" "___" | replace "." "_")) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.connectors (not .Values.connectorFiles.enabled) -}}
{{- fail "connectors are given, but connectorFiles.enabled is false: nothing would come of them" -}}
{{- end -}}
{{- range $name, $connector := .Values.connectors -}}
{{- range $key, $value := $connector.config | default $connector -}}
{{- if and (include "sluice.isSecret" $key) (not (contains "${" (toString $value))) -}}
{{- fail (printf "connectors.%s: %s is a secret, and config maps are no place for one. Put it into a secret, name that in mqtt.auth.existingSecret or secretMounts, and write ${dir:/etc/sluice/secrets/<name>:<key>} here" $name $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "sluice.checkKeda" -}}
{{- $keda := .Values.keda -}}
{{- if and $keda.enabled (not (or $keda.kafkaLag.enabled $keda.prometheus.enabled $keda.metricsApi.enabled $keda.triggers)) -}}
{{- fail "keda.enabled is true, but there is no trigger: enable keda.kafkaLag, keda.metricsApi or keda.prometheus, or give keda.triggers" -}}
{{- end -}}
{{- if and $keda.enabled $keda.kafkaLag.enabled (not $keda.kafkaLag.connector) -}}
{{- fail "keda.kafkaLag.connector is empty: name the sink connector" -}}
{{- end -}}
{{- if and $keda.enabled $keda.prometheus.enabled (not $keda.prometheus.serverAddress) -}}
{{- fail "keda.prometheus.serverAddress is empty: give Prometheus' address, http://host:port" -}}
{{- end -}}
{{- $hpa := .Values.autoscaling -}}
{{- if and $hpa.enabled (not (or $hpa.targetCPUUtilizationPercentage $hpa.targetMemoryUtilizationPercentage $hpa.metrics)) -}}
{{- fail "autoscaling.enabled is true, but it has no metric: set autoscaling.targetCPUUtilizationPercentage or autoscaling.metrics" -}}
{{- end -}}
{{- end -}}

{{- define "sluice.checkNetwork" -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.parentRefs is empty: name the gateway" -}}
{{- end -}}
{{- if and .Values.metrics.serviceMonitor.enabled .Values.metrics.podMonitor.enabled -}}
{{- fail "metrics.serviceMonitor and metrics.podMonitor are both enabled: every worker would be read twice" -}}
{{- end -}}
{{- $closed := and .Values.rest.auth.existingSecret (not .Values.rest.auth.openMetrics) -}}
{{- range list "serviceMonitor" "podMonitor" -}}
{{- $monitor := index $.Values.metrics . -}}
{{- if and $monitor.enabled $closed (not $monitor.basicAuth) -}}
{{- fail (printf "metrics.%s.enabled is true and rest.auth.openMetrics false: name user and password in metrics.%s.basicAuth" . .) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "sluice.check" -}}
{{- include "sluice.checkKeda" . -}}
{{- include "sluice.checkNetwork" . -}}
{{- include "sluice.checkKafka" . -}}
{{- include "sluice.checkRest" . -}}
{{- include "sluice.checkScaling" . -}}
{{- include "sluice.checkSecrets" . -}}
{{- end -}}
