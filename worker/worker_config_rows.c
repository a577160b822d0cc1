/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of the worker's configuration. See worker_config.h. */
#include <ctype.h>
#include <limits.h>
#include <strings.h>
#include <sys/stat.h>

#include "worker/convert.h"
#include "worker/kafka/producer.h"
#include "worker/worker_config.h"

static enum err check_topic(const char *value, struct error *reterr)
{
    if (!kafka_topic_legal(value)) {
        return error_set(reterr, ERR_INVALID,
                         "a Kafka topic name has 1 to 249 letters, digits, '.', '_' or '-'");
    }
    return ERR_OK;
}

/* Whether text is a port, 1 to 65535. */
static bool is_port(const char *text)
{
    int64_t port = 0;
    return isdigit((unsigned char)text[0]) && config_parse_whole(text, &port) && port >= 1 &&
           port <= 65535;
}

static bool is_server(const char *server)
{
    const char *colon = strrchr(server, ':');
    if (!colon || colon == server || server[strcspn(server, " \t/")] != '\0') {
        return false;
    }
    /* An IPv6 address stands in brackets. */
    bool brackets = server[0] == '[' && colon[-1] == ']';
    return is_port(colon + 1) && (brackets || strchr(server, ':') == colon);
}

static enum err check_servers(const char *value, struct error *reterr)
{
    struct config_list servers;
    enum err err = ERR_OK;
    config_list_split(value, &servers);
    for (size_t i = 0; i < servers.n_items && err == ERR_OK; i++) {
        if (!is_server(servers.items[i])) {
            err = error_set(reterr, ERR_INVALID,
                            "'%.200s' is not host:port with a port from 1 to 65535",
                            servers.items[i]);
        }
    }
    config_list_fini(&servers);
    return err;
}

static enum err check_folder(const char *value, struct error *reterr)
{
    struct stat info;
    if (value[0] != '\0' && (stat(value, &info) != 0 || !S_ISDIR(info.st_mode))) {
        return error_set(reterr, ERR_INVALID,
                         "it is no folder that can be read: name the one where the files are, or "
                         "leave it out");
    }
    return ERR_OK;
}

static enum err check_not_zero(const char *value, struct error *reterr)
{
    if (strcmp(value, "0") == 0) {
        return error_set(reterr, ERR_INVALID,
                         "Value must be -1 (the broker's default) or more "
                         "than 0");
    }
    return ERR_OK;
}

static enum err check_pem(const char *value, struct error *reterr)
{
    if (strcasecmp(value, "PEM") != 0) {
        return error_set(reterr, ERR_INVALID,
                         "only PEM can be read without Java; convert the store to PEM, for "
                         "example with keytool and openssl pkcs12");
    }
    return ERR_OK;
}

static enum err check_protocols(const char *value, struct error *reterr)
{
    struct config_list names;
    enum err err = ERR_OK;
    config_list_split(value, &names);
    if (names.n_items == 0) {
        err = error_set(reterr, ERR_INVALID, "name TLSv1.2, TLSv1.3 or both");
    }
    for (size_t i = 0; i < names.n_items && err == ERR_OK; i++) {
        if (strcasecmp(names.items[i], "TLSv1.2") != 0 &&
            strcasecmp(names.items[i], "TLSv1.3") != 0) {
            err = error_set(reterr, ERR_INVALID,
                            "only TLSv1.2 and TLSv1.3 are served; older ones are not safe");
        }
    }
    config_list_fini(&names);
    return err;
}

static enum err check_open_paths(const char *value, struct error *reterr)
{
    struct config_list paths;
    enum err err = ERR_OK;
    config_list_split(value, &paths);
    for (size_t i = 0; i < paths.n_items && err == ERR_OK; i++) {
        if (strcmp(paths.items[i], "/health") != 0 && strcmp(paths.items[i], "/metrics") != 0 &&
            strcmp(paths.items[i], "/") != 0) {
            err = error_set(reterr, ERR_INVALID, "only /, /health and /metrics can be open");
        }
    }
    config_list_fini(&paths);
    return err;
}

#define BASIC_EXTENSION                                                                            \
    "org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension"

static enum err check_extensions(const char *value, struct error *reterr)
{
    if (strstr(value, BASIC_EXTENSION)) {
        return error_set(reterr, ERR_INVALID,
                         "no Java class is loaded here: for basic authentication remove this line, "
                         "set rest.auth.type=basic, and write users and hashes into the file of "
                         "rest.auth.password.file");
    }
    if (value[strspn(value, " ,")] != '\0') {
        return error_set(reterr, ERR_INVALID,
                         "no Java class is loaded here: remove the line; basic authentication is "
                         "rest.auth.type");
    }
    return ERR_OK;
}

static enum err check_converter(const char *value, struct error *reterr)
{
    const struct converter_plugin *plugin = converter_find(value);
    if (!plugin || !plugin->data) {
        return error_set(reterr, ERR_INVALID, "Class %s %s", value,
                         plugin ? "does not implement the Converter interface"
                                : "could not be found.");
    }
    return ERR_OK;
}

static enum err check_header_converter(const char *value, struct error *reterr)
{
    const struct converter_plugin *plugin = converter_find(value);
    if (!plugin || !plugin->header) {
        return error_set(reterr, ERR_INVALID, "Class %s %s", value,
                         plugin ? "does not implement the HeaderConverter interface"
                                : "could not be found.");
    }
    return ERR_OK;
}

static const char *const security_protocols[] = { "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL",
                                                  NULL };
static const char *const exactly_once[] = { "disabled", NULL };
static const char *const log_levels[] = { "ERROR", "WARN", "INFO", "DEBUG", "TRACE", NULL };
static const char *const log_formats[] = { "text", "json", NULL };
static const char *const client_auths[] = { "none", "requested", "required", NULL };
static const char *const auth_types[] = { "none", "basic", NULL };
static const char *const override_policies[] = { "All", "None", "Principal", NULL };

#define TOPIC_NAME(key, what)                                                                      \
    {                                                                                              \
        .name = key, .type = CONFIG_STRING, .check = check_topic, .importance = CONFIG_HIGH,       \
        .order = -1, .doc = what                                                                   \
    }
#define REPLICATION(key, what)                                                                     \
    {                                                                                              \
        .name = key, .type = CONFIG_SHORT, .default_value = "3", .has_min = true, .min = -1,       \
        .check = check_not_zero, .importance = CONFIG_LOW, .order = -1, .doc = what                \
    }
#define PARTITIONS(key, number, what)                                                              \
    {                                                                                              \
        .name = key, .type = CONFIG_INT, .default_value = number, .has_min = true, .min = -1,      \
        .has_max = true, .max = 10000, .check = check_not_zero, .importance = CONFIG_LOW,          \
        .order = -1, .doc = what                                                                   \
    }
#define MILLISECONDS(key, number, low, high, what)                                                 \
    {                                                                                              \
        .name = key, .type = CONFIG_INT, .default_value = number, .has_min = true, .min = low,     \
        .has_max = true, .max = high, .importance = CONFIG_MEDIUM, .order = -1, .doc = what        \
    }
#define TEXT(key, standard, what)                                                                  \
    {                                                                                              \
        .name = key, .type = CONFIG_STRING, .default_value = standard, .order = -1,                \
        .importance = CONFIG_LOW, .doc = what                                                      \
    }
#define ACCEPTED(key)                                                                              \
    {                                                                                              \
        .name = key, .type = CONFIG_STRING, .order = -1, .importance = CONFIG_LOW,                 \
        .doc = "Taken from Kafka Connect's configuration and without effect here."                 \
    }

static const struct config_def rows[] = {
    { .name = "bootstrap.servers",
      .type = CONFIG_LIST,
      .required = true,
      .non_empty = true,
      .check = check_servers,
      .importance = CONFIG_HIGH,
      .order = -1,
      .doc = "Kafka brokers to start from, host:port, separated by commas." },
    { .name = "group.id",
      .type = CONFIG_STRING,
      .required = true,
      .non_empty = true,
      .importance = CONFIG_HIGH,
      .order = -1,
      .doc = "Name of the worker cluster: workers with the same name share the work. It is the "
             "consumer group of the claims topic." },
    TOPIC_NAME("config.storage.topic",
               "Compacted topic of connector configs. Default: `<group.id>-configs`."),
    REPLICATION("config.storage.replication.factor",
                "Replicas of that topic when it is created; -1: the broker's default."),
    TOPIC_NAME("status.storage.topic",
               "Compacted topic of connector and task states. Default: `<group.id>-status`."),
    REPLICATION("status.storage.replication.factor",
                "Replicas of that topic when it is created; -1: the broker's default."),
    PARTITIONS("status.storage.partitions", "5", "Partitions of that topic when it is created."),
    TOPIC_NAME("offset.storage.topic",
               "Compacted topic of source offsets. Default: `<group.id>-offsets`."),
    REPLICATION("offset.storage.replication.factor",
                "Replicas of that topic when it is created; -1: the broker's default."),
    PARTITIONS("offset.storage.partitions", "25", "Partitions of that topic when it is created."),
    TOPIC_NAME("claims.storage.topic",
               "Topic whose partitions are the slots that workers claim; it carries no data. "
               "Default: `<group.id>-claims`."),
    REPLICATION("claims.storage.replication.factor",
                "Replicas of that topic when it is created; -1: the broker's default."),
    PARTITIONS("claims.storage.partitions", "64",
               "Slots of the cluster: at least as many as workers will ever run. Fixed once the "
               "topic exists."),
    { .name = "listeners",
      .type = CONFIG_LIST,
      .default_value = "http://:8083",
      .non_empty = true,
      .importance = CONFIG_LOW,
      .order = -1,
      .doc = "Addresses of the REST API, `http://host:port` or `https://host:port`, separated by "
             "commas; an empty host listens on all interfaces, port 0 takes any free one. https "
             "takes key and chain from the `ssl.` keys, or from those with `listeners.https.` "
             "before `ssl.`, which stand in place of all of them." },
    { .name = "admin.listeners",
      .type = CONFIG_LIST,
      .importance = CONFIG_LOW,
      .order = -1,
      .doc = "Addresses as in `listeners` that serve the paths below `/admin` and nothing else. "
             "Not set: `listeners` serve them; empty: they are not served. For https: `ssl.` keys, "
             "or those with `admin.listeners.https.` before `ssl.`." },
    { .name = "probe.listeners",
      .type = CONFIG_LIST,
      .importance = CONFIG_LOW,
      .order = -1,
      .doc = "Addresses as in `listeners`, http only, that serve `/health/startup`, `/health/live` "
             "and `/health/ready` and nothing else: for who probes where `listeners` ask for a "
             "client's certificate, or must be answered when all of `rest.max.connections` are "
             "taken: these have connections of their own. `listeners` serve these paths as "
             "well." },
    TEXT("access.control.allow.origin", "",
         "Origins whose pages may call the REST API (CORS), separated by commas; `*` in one stands "
         "for anything. Empty: no CORS headers."),
    TEXT("access.control.allow.methods", "",
         "Methods for such pages, separated by commas. Empty: GET, POST, HEAD."),
    TEXT("response.http.headers.config", "",
         "Headers for every answer: entries `[action] [name]:[value]` separated by commas, in "
         "double quotes where a value has commas. Actions: `set`, `add`, `setDate`, `addDate`; a "
         "date's value is a number of milliseconds from now."),
    { .name = "rest.auth.type",
      .type = CONFIG_STRING,
      .default_value = "none",
      .values = auth_types,
      .compare = CONFIG_ANY_CASE,
      .importance = CONFIG_MEDIUM,
      .order = -1,
      .doc = "`basic`: REST requests need a user and password of `rest.auth.password.file`." },
    TEXT("rest.auth.password.file", NULL,
         "Path of a file with a line `user:hash` or `user:hash:role` for each user: a bcrypt or "
         "yescrypt hash; role `admin` (also without a role) or `read-only`. Read again when it "
         "changes. The same users on all workers: requests are passed on with their credentials."),
    { .name = "rest.auth.open.paths",
      .type = CONFIG_LIST,
      .default_value = "/health",
      .check = check_open_paths,
      .importance = CONFIG_LOW,
      .order = -1,
      .doc = "Paths that are served without a password, for probes and scrapers: of `/`, "
             "`/health`, `/metrics`." },
    { .name = "rest.extension.classes",
      .type = CONFIG_LIST,
      .default_value = "",
      .check = check_extensions,
      .importance = CONFIG_LOW,
      .order = -1,
      .doc = "Kafka Connect's Java extensions cannot be loaded: anything but an empty value is "
             "refused. Basic authentication is `rest.auth.type`." },
    TEXT("rest.advertised.host.name", NULL,
         "Host name under which other workers reach this one; also the first part of worker_id. "
         "Default: the listener's host, else this machine's name."),
    { .name = "rest.advertised.port",
      .type = CONFIG_INT,
      .has_min = true,
      .min = 1,
      .has_max = true,
      .max = 65535,
      .order = -1,
      .importance = CONFIG_LOW,
      .doc = "Port under which other workers reach this one. Default: the listener's." },
    { .name = "rest.advertised.listener",
      .type = CONFIG_STRING,
      .order = -1,
      .importance = CONFIG_LOW,
      .doc = "Protocol that other workers use, `http` or `https`, the scheme of an entry of "
             "`listeners`. Default: `http` if there is one, else `https`." },
    MILLISECONDS("rest.request.timeout.ms", "90000", 1000, 600000,
                 "Longest time that a REST request waits for the cluster."),
    MILLISECONDS("rest.idle.timeout.ms", "30000", 1000, 600000,
                 "A REST connection on which nothing happens is closed after this time."),
    { .name = "rest.config.masking",
      .type = CONFIG_BOOLEAN,
      .default_value = "true",
      .order = -1,
      .importance = CONFIG_LOW,
      .doc =
          "`false` shows secrets of connector configs as they are stored, for tools that compare "
          "what they wrote with what they read. Placeholders of config providers are never "
          "resolved, and traces and logs stay masked." },
    { .name = "config.providers",
      .type = CONFIG_LIST,
      .default_value = "",
      .order = -1,
      .importance = CONFIG_LOW,
      .doc =
          "Names of config providers, for instance `file,dir,env`: `${file:/path:key}`, "
          "`${dir:/path:file}` and `${env:NAME}` in connector configs and in this file stand for "
          "what they find. Each has a class, "
          "`config.providers.<name>.class`=`FileConfigProvider`, `DirectoryConfigProvider` or "
          "`EnvVarConfigProvider`, and limits that should be set: "
          "`config.providers.<name>.param.allowed.paths` (a list of folders or files) and "
          "`config.providers.<name>.param.allowlist.pattern` (an expression that the whole name "
          "of a variable matches)." },
    { .name = "rest.max.connections",
      .type = CONFIG_INT,
      .default_value = "256",
      .has_min = true,
      .min = 4,
      .has_max = true,
      .max = 4096,
      .order = -1,
      .importance = CONFIG_LOW,
      .doc = "REST connections that may be open at once." },
    MILLISECONDS("session.timeout.ms", "6000", 1000, 1800000,
                 "A worker that Kafka has not heard of for this long has lost its slots."),
    MILLISECONDS("heartbeat.interval.ms", "500", 100, 600000,
                 "Time between heartbeats; at most a third of session.timeout.ms."),
    MILLISECONDS("rebalance.timeout.ms", "60000", 1000, INT_MAX,
                 "Longest time a worker may take to hand slots over."),
    MILLISECONDS("rebalance.settle.ms", "3000", 0, 600000,
                 "How long loads of workers may differ by more than one task before tasks are "
                 "moved."),
    { .name = "failover.fast.enable",
      .type = CONFIG_BOOLEAN,
      .default_value = "true",
      .order = -1,
      .importance = CONFIG_LOW,
      .doc = "Whether workers watch each other's REST ports: the tasks of a worker whose port was "
             "lost and refuses connections are moved at once, not after session.timeout.ms." },
    TEXT(
        "group.instance.id", NULL,
        "Static member name (KIP-345), another one for each worker: a worker that comes back after "
        "it was killed takes the place of its earlier life at once, which else is in the group "
        "until session.timeout.ms is over. One that is asked to end leaves the group."),
    MILLISECONDS("task.shutdown.graceful.timeout.ms", "5000", 0, 600000,
                 "Time that tasks have, all together, to drain when they stop."),
    MILLISECONDS("offset.flush.interval.ms", "60000", 1, INT_MAX,
                 "Interval of offset commits of sinks."),
    MILLISECONDS("offset.flush.timeout.ms", "5000", 1, INT_MAX,
                 "Longest time that a commit of offsets may take."),
    { .name = "key.converter",
      .type = CONFIG_CLASS,
      .default_value = "org.apache.kafka.connect.storage.StringConverter",
      .check = check_converter,
      .order = -1,
      .importance = CONFIG_HIGH,
      .doc = "Converter of record keys for connectors that set none." },
    { .name = "value.converter",
      .type = CONFIG_CLASS,
      .default_value = "org.apache.kafka.connect.converters.ByteArrayConverter",
      .check = check_converter,
      .order = -1,
      .importance = CONFIG_HIGH,
      .doc = "Converter of record values for connectors that set none." },
    { .name = "header.converter",
      .type = CONFIG_CLASS,
      .default_value = "org.apache.kafka.connect.storage.SimpleHeaderConverter",
      .check = check_header_converter,
      .order = -1,
      .importance = CONFIG_LOW,
      .doc = "Converter of record headers for connectors that set none." },
    { .name = "security.protocol",
      .type = CONFIG_STRING,
      .default_value = "PLAINTEXT",
      .values = security_protocols,
      .compare = CONFIG_ANY_CASE,
      .order = -1,
      .importance = CONFIG_MEDIUM,
      .doc = "How the worker's own clients reach Kafka. Clients of connectors take theirs from "
             "`producer.` and `consumer.`." },
    TEXT("sasl.mechanism", NULL,
         "SASL mechanism: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, "
         "OAUTHBEARER."),
    { .name = "sasl.jaas.config",
      .type = CONFIG_PASSWORD,
      .order = -1,
      .importance = CONFIG_MEDIUM,
      .doc = "JAAS line with the user name and password, as Java clients read it." },
    { .name = "ssl.truststore.type",
      .type = CONFIG_STRING,
      .check = check_pem,
      .order = -1,
      .importance = CONFIG_LOW,
      .doc = "`PEM`. Java's JKS and PKCS12 stores are refused: convert them to PEM." },
    TEXT("ssl.truststore.location", NULL,
         "PEM file of the authorities that certificates are "
         "checked against: Kafka's, other workers', and those of https clients."),
    TEXT("ssl.truststore.certificates", NULL, "The same as PEM text in the value."),
    { .name = "ssl.keystore.type",
      .type = CONFIG_STRING,
      .check = check_pem,
      .order = -1,
      .importance = CONFIG_LOW,
      .doc = "`PEM`." },
    TEXT("ssl.keystore.location", NULL,
         "PEM file with a certificate chain and its private key: for the worker's connections to "
         "Kafka and, unless `listeners.https.` keys are there, for https listeners."),
    TEXT("ssl.keystore.certificate.chain", NULL, "The chain as PEM text in the value."),
    { .name = "ssl.keystore.key",
      .type = CONFIG_PASSWORD,
      .order = -1,
      .importance = CONFIG_LOW,
      .doc = "The private key as PEM text in the value." },
    { .name = "ssl.key.password",
      .type = CONFIG_PASSWORD,
      .order = -1,
      .importance = CONFIG_LOW,
      .doc = "Password of the private key." },
    { .name = "ssl.keystore.password",
      .type = CONFIG_PASSWORD,
      .order = -1,
      .importance = CONFIG_LOW,
      .doc = "Not needed for PEM." },
    { .name = "ssl.truststore.password",
      .type = CONFIG_PASSWORD,
      .order = -1,
      .importance = CONFIG_LOW,
      .doc = "Not needed for PEM." },
    TEXT("ssl.endpoint.identification.algorithm", NULL,
         "`https` checks that the certificate of Kafka, or of another worker, names the host; "
         "empty switches it off."),
    { .name = "ssl.client.auth",
      .type = CONFIG_STRING,
      .default_value = "none",
      .values = client_auths,
      .compare = CONFIG_ANY_CASE,
      .order = -1,
      .importance = CONFIG_LOW,
      .doc = "Certificates of clients of https listeners: `none`, `requested` (checked if one "
             "comes), `required`. They must end at an authority of the truststore." },
    { .name = "ssl.enabled.protocols",
      .type = CONFIG_LIST,
      .default_value = "TLSv1.2,TLSv1.3",
      .check = check_protocols,
      .order = -1,
      .importance = CONFIG_MEDIUM,
      .doc = "Versions of TLS for https listeners: `TLSv1.2`, `TLSv1.3`." },
    TEXT("ssl.cipher.suites", NULL,
         "Cipher suites, as Java or OpenSSL names them, separated by commas. Default: the TLS "
         "library's. Without a prefix it also goes to the Kafka clients, which know OpenSSL's "
         "names."),
    TEXT("client.id", NULL, "Prefix of the client ids of the worker's own clients."),
    { .name = "connector.client.config.override.policy",
      .type = CONFIG_STRING,
      .default_value = "All",
      .values = override_policies,
      .compare = CONFIG_ANY_CASE,
      .order = -1,
      .importance = CONFIG_LOW,
      .doc = "Which `producer.override.` keys connectors may set: `All`, `None`, or `Principal` "
             "(only security.protocol, sasl.jaas.config, sasl.mechanism)." },
    { .name = "connectors.dir",
      .type = CONFIG_STRING,
      .default_value = "",
      .check = check_folder,
      .order = -1,
      .importance = CONFIG_LOW,
      .doc = "Folder with files `<connector>.json`, as a mounted ConfigMap: the leader makes, "
             "changes and deletes connectors so that they are as the files say, and REST leaves "
             "those alone. Empty: connectors are managed by REST only." },
    { .name = "connectors.dir.delete.delay.ms",
      .type = CONFIG_INT,
      .default_value = "10000",
      .has_min = true,
      .min = 0,
      .order = -1,
      .importance = CONFIG_LOW,
      .doc = "How long a file must be gone, on all workers, before its connector is deleted: that "
             "ends MQTT sessions, and somebody may be just copying files." },
    { .name = "connectors.dir.prune",
      .type = CONFIG_BOOLEAN,
      .default_value = "true",
      .order = -1,
      .importance = CONFIG_LOW,
      .doc = "Whether a connector whose file is gone is deleted; otherwise it stays and is managed "
             "by REST from then on." },
    { .name = "topic.tracking.enable",
      .type = CONFIG_BOOLEAN,
      .default_value = "true",
      .order = -1,
      .importance = CONFIG_LOW,
      .doc = "Whether the Kafka topics that each connector uses are recorded, for "
             "GET /connectors/{connector}/topics." },
    { .name = "topic.tracking.allow.reset",
      .type = CONFIG_BOOLEAN,
      .default_value = "true",
      .order = -1,
      .importance = CONFIG_LOW,
      .doc = "Whether PUT /connectors/{connector}/topics/reset may clear that record." },
    { .name = "log.level",
      .type = CONFIG_STRING,
      .default_value = "INFO",
      .values = log_levels,
      .compare = CONFIG_ANY_CASE,
      .order = -1,
      .importance = CONFIG_LOW,
      .doc = "Lines of this level and above are written to stderr." },
    { .name = "log.format",
      .type = CONFIG_STRING,
      .default_value = "text",
      .values = log_formats,
      .compare = CONFIG_ANY_CASE,
      .order = -1,
      .importance = CONFIG_LOW,
      .doc = "`text` or `json`, one line per event." },
    { .name = "topic.creation.enable",
      .type = CONFIG_BOOLEAN,
      .default_value = "true",
      .order = -1,
      .importance = CONFIG_LOW,
      .doc = "Whether source connectors make missing topics by their `topic.creation.*` rules." },
    { .name = "exactly.once.source.support",
      .type = CONFIG_STRING,
      .default_value = "disabled",
      .values = exactly_once,
      .compare = CONFIG_ANY_CASE,
      .order = -1,
      .importance = CONFIG_LOW,
      .doc = "Delivery is at least once: only `disabled`." },
    ACCEPTED("plugin.path"),
    ACCEPTED("plugin.discovery"),
    ACCEPTED("connect.protocol"),
    ACCEPTED("scheduled.rebalance.max.delay.ms"),
    ACCEPTED("worker.sync.timeout.ms"),
    ACCEPTED("worker.unsync.backoff.ms"),
    ACCEPTED("inter.worker.key.generation.algorithm"),
    ACCEPTED("inter.worker.key.size"),
    ACCEPTED("inter.worker.key.ttl.ms"),
    ACCEPTED("inter.worker.signature.algorithm"),
    ACCEPTED("inter.worker.verification.algorithms"),
    ACCEPTED("internal.key.converter"),
    ACCEPTED("internal.value.converter"),
    ACCEPTED("auto.include.jmx.reporter"),
    ACCEPTED("metric.reporters"),
};

static const struct config_table table = CONFIG_TABLE(rows);

const struct config_table *worker_config_table(void)
{
    return &table;
}
