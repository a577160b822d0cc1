/* SPDX-License-Identifier: Apache-2.0 */
/* Types of bodies and their JSON schemas. See schema.h. */
#include "rest/schema.h"

#include <stdbool.h>

#include "worker/base/macros.h"
#include "worker/base/mem.h"

/* A member of an object; "?" behind the name: it may be missing; "*": all that are not listed,
 * which otherwise there must not be. */
struct field {
    const char *name;
    const char *type;
    const char *doc; /* NULL: the name says it */
};

#define MAX_FIELDS 11

struct object {
    const char *name;
    const char *doc;
    struct field fields[MAX_FIELDS]; /* ended by a NULL name unless full */
};

#define RUN_STATES     "UNASSIGNED|RUNNING|PAUSED|STOPPED|FAILED|RESTARTING"
#define CONNECTOR_TYPE "source|sink|unknown"
#define REASONS        "placed|balance|failover|leaving|joined|left"
#define LEVELS         "OFF|FATAL|ERROR|WARN|INFO|DEBUG|TRACE|ALL"

static const struct object objects[] = {
    { "ErrorMessage",
      "Every answer that is no success.",
      { { "error_code", "integer", "The same as the status code." },
        { "message", "string?", "What is wrong and how to mend it." } } },
    { "ServerInfo",
      "The interface's version and the Kafka cluster behind it.",
      { { "version", "string", "Version of Kafka Connect's interface that is served." },
        { "commit", "string", "Version of this program." },
        { "kafka_cluster_id", "string?", "Null until Kafka has been reached." } } },
    { "WorkerStatus",
      "Health of one worker.",
      { { "status", "healthy|starting|unhealthy", NULL }, { "message", "string", NULL } } },
    { "Probe",
      "Answer to a probe; the code says it all.",
      { { "status", "up|down", NULL }, { "message", "string", NULL } } },
    { "ConnectorFile",
      "One file of connectors.dir.",
      { { "file", "string", NULL },
        { "connector", "string", "The connector that it describes." },
        { "state", "applied|pending|invalid|conflict",
          "conflict: a connector of this name is there that no file has made." },
        { "message?", "string", "What is wrong and how to mend it." } } },
    { "ConnectorFiles",
      "The files of connectors.dir as this worker has them, and what has become of them.",
      { { "state", "off|unreadable|waiting|pending|applied",
          "waiting: nothing is done until all workers have the same files." },
        { "message", "string", NULL },
        { "folder?", "string", NULL },
        { "digest?", "string", "Equal for equal files." },
        { "files?", "[ConnectorFile]", NULL },
        { "leaving?", "[string]", "Connectors whose file is gone." } } },
    { "ConnectorConfig",
      "Keys and values; numbers and booleans are taken as strings.",
      { { "connector.class", "string", "One of GET /connector-plugins." },
        { "*", "scalar", NULL } } },
    { "CreateConnectorRequest",
      "A connector to be.",
      { { "name", "label",
          "A number or boolean is taken as a string; blanks at its ends are dropped." },
        { "config", "ConnectorConfig", NULL },
        { "initial_state?", "RUNNING|PAUSED|STOPPED?", "RUNNING when missing." } } },
    { "ConnectorTaskId",
      "Names one task.",
      { { "connector", "string", NULL }, { "task", "integer", NULL } } },
    { "ConnectorInfo",
      "Config and tasks of a connector.",
      { { "name", "string", NULL },
        { "config", "{string?}", "As it is stored; secrets are masked." },
        { "tasks", "[ConnectorTaskId]", NULL },
        { "type", CONNECTOR_TYPE, NULL } } },
    { "ConnectorState",
      "State of a connector without its tasks.",
      { { "state", RUN_STATES, NULL },
        { "worker_id", "string", "host:port of the worker that runs it." },
        { "version", "string?", "Version of the connector's class." },
        { "trace?", "string", "Why it has failed." } } },
    { "TaskState",
      "State of a task.",
      { { "id", "integer", NULL },
        { "state", RUN_STATES, NULL },
        { "worker_id", "string", "host:port of the worker that runs it." },
        { "version", "string?", "Version of the connector's class." },
        { "trace?", "string", "Why it has failed." } } },
    { "ConnectorStateInfo",
      "State of a connector and of its tasks.",
      { { "name", "string", NULL },
        { "connector", "ConnectorState", NULL },
        { "tasks", "[TaskState]", NULL },
        { "type", CONNECTOR_TYPE, NULL } } },
    { "ExpandedConnector",
      "What the expand parameters asked for.",
      { { "status?", "ConnectorStateInfo", NULL }, { "info?", "ConnectorInfo", NULL } } },
    { "TaskInfo",
      "A task and its config.",
      { { "id", "ConnectorTaskId", NULL },
        { "config", "{string?}", "Made from the connector's; secrets are masked." } } },
    { "PluginInfo",
      "A class that configs may name.",
      { { "class", "string", NULL },
        { "type", "source|sink|transformation|predicate|converter|header_converter", NULL },
        { "version", "string", NULL } } },
    { "ConfigKeyInfo",
      "Definition of a configuration key.",
      { { "name", "string", NULL },
        { "type", "BOOLEAN|STRING|INT|SHORT|LONG|DOUBLE|LIST|CLASS|PASSWORD", NULL },
        { "required", "boolean", NULL },
        { "default_value", "string?", NULL },
        { "importance", "HIGH|MEDIUM|LOW", NULL },
        { "documentation", "string", NULL },
        { "group", "string?", NULL },
        { "width", "NONE|SHORT|MEDIUM|LONG", NULL },
        { "display_name", "string", NULL },
        { "dependents", "[string]", NULL },
        { "order", "integer", "Place in its group." } } },
    { "ConfigValueInfo",
      "What was given for a key, and what is wrong with it.",
      { { "name", "string", NULL },
        { "value", "string?", NULL },
        { "recommended_values", "[string]", NULL },
        { "errors", "[string]", NULL },
        { "visible", "boolean", NULL } } },
    { "ConfigInfo",
      "A key and its value.",
      { { "definition", "ConfigKeyInfo?", NULL }, { "value", "ConfigValueInfo", NULL } } },
    { "ConfigInfos",
      "Result of a validation.",
      { { "name", "string", "The class as it was given." },
        { "error_count", "integer", NULL },
        { "groups", "[string]", NULL },
        { "configs", "[ConfigInfo]", NULL } } },
    { "ConnectorOffset",
      "An offset of one partition.",
      { { "partition", "{any}?", NULL }, { "offset", "{any}?", "Null in a PATCH: forget it." } } },
    { "ConnectorOffsets", "Offsets of a connector.", { { "offsets", "[ConnectorOffset]", NULL } } },
    { "Message", "What was done.", { { "message", "string", NULL } } },
    { "ActiveTopics",
      "Kafka topics that a connector has used.",
      { { "topics", "[string]", NULL } } },
    { "LoggerLevel",
      "Level of a logger.",
      { { "level", LEVELS, NULL },
        { "last_modified", "integer?", "Milliseconds since 1970; null: never." } } },
    { "ClusterWorker",
      "A worker of the cluster.",
      { { "worker_id", "string", "host:port as advertised." },
        { "url", "string", "Its REST interface." },
        { "instance", "string", "Which process; a new one after each start." },
        { "state", "UP|LEAVING|DEAD", "DEAD: its process is gone, its session not over yet." },
        { "leader", "boolean", NULL },
        { "slots", "[integer]", "Partitions of the claims topic that it holds." },
        { "tasks", "integer", "How many sit in its slots." },
        { "load", "number", "The same, a task of the average rate counting 1." },
        { "rate", "integer", "Messages per second of its tasks, as last reported." } } },
    { "ClusterTask",
      "Where a task sits.",
      { { "id", "integer", NULL },
        { "slot", "integer?", "Null: nowhere yet." },
        { "worker_id", "string?", "Who holds that slot; null: nobody is known to." },
        { "reason", REASONS "?", "Why it was put into that slot." },
        { "rate", "integer?", "Messages per second, as last reported; null: not known." } } },
    { "ClusterConnector",
      "Where the tasks of a connector sit.",
      { { "connector", "string", NULL }, { "tasks", "[ClusterTask]", NULL } } },
    { "ClusterMove",
      "A task that has changed its worker.",
      { { "time", "integer", "Milliseconds since 1970." },
        { "connector", "string", NULL },
        { "task", "integer", NULL },
        { "from", "string?", "Worker; null: it sat nowhere." },
        { "to", "string", "Worker." },
        { "slot", "integer", "That it sits in since." },
        { "reason", REASONS, NULL } } },
    { "ClusterInfo",
      "The cluster as one worker sees it.",
      { { "group_id", "string", NULL },
        { "worker_id", "string", "The worker that answers." },
        { "leader", "string?", "Worker that leads; null: nobody is known to." },
        { "generation", "integer", "Grows with each change of the group." },
        { "slots", "integer", "How many there are." },
        { "workers", "[ClusterWorker]", NULL },
        { "placement", "[ClusterConnector]", "Of connectors that are not stopped." },
        { "moves", "[ClusterMove]", "The newest first, since this worker started." } } },
    { "SetLoggerLevelRequest",
      "The level that a logger is to have.",
      { { "level", "string", "In any case: OFF, FATAL, ERROR, WARN, INFO, DEBUG, TRACE, ALL." } } },
};

static cJSON *typed(const char *type)
{
    cJSON *schema = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(schema, "type", type);
    return schema;
}

static cJSON *scalar(void)
{
    static const char *const types[] = { "string", "number", "boolean" };
    cJSON *schema = cJSON_CreateObject();
    (void)cJSON_AddItemToObject(schema, "type", cJSON_CreateStringArray(types, N_ELEMENTS(types)));
    return schema;
}

/* No control characters; at the ends of a label, which is trimmed, they may stand. */
#define TEXT_PATTERN  "^[^\\u0000-\\u001f\\u007f]*$"
#define LABEL_PATTERN "^[\\u0000-\\u0020]*[^\\u0000-\\u001f\\u007f]*[\\u0000-\\u0020]*$"

/* Bounds a schema's strings; takes and returns it. */
static cJSON *matching(cJSON *schema, const char *pattern)
{
    (void)cJSON_AddStringToObject(schema, "pattern", pattern);
    return schema;
}

static cJSON *enumeration(const char *names)
{
    cJSON *schema = typed("string");
    cJSON *list = cJSON_AddArrayToObject(schema, "enum");
    while (*names) {
        size_t length = strcspn(names, "|");
        CLEANUP(free_charp) char *name = xstrndup(names, length);
        (void)cJSON_AddItemToArray(list, cJSON_CreateString(name));
        names += length + (names[length] == '|');
    }
    return schema;
}

static cJSON *reference(const char *name)
{
    for (size_t i = 0; i < N_ELEMENTS(objects); i++) {
        if (strcmp(objects[i].name, name) == 0) {
            CLEANUP(free_charp) char *path = xasprintf("#/components/schemas/%s", name);
            cJSON *schema = cJSON_CreateObject();
            (void)cJSON_AddStringToObject(schema, "$ref", path);
            return schema;
        }
    }
    return NULL;
}

static cJSON *word(const char *name)
{
    static const char *const plain[] = { "string", "integer", "number", "boolean" };
    for (size_t i = 0; i < N_ELEMENTS(plain); i++) {
        if (strcmp(plain[i], name) == 0) {
            return typed(name);
        }
    }
    if (strcmp(name, "any") == 0) {
        return cJSON_CreateObject();
    }
    if (strcmp(name, "scalar") == 0) {
        return scalar();
    }
    if (strcmp(name, "text") == 0) {
        return matching(typed("string"), TEXT_PATTERN);
    }
    if (strcmp(name, "label") == 0) {
        return matching(scalar(), LABEL_PATTERN);
    }
    return strchr(name, '|') ? enumeration(name) : reference(name);
}

/* A list or an object: `text` is what stands between the brackets. */
static cJSON *container(const char *text, bool list)
{
    cJSON *inner = schema_of(text);
    if (!inner) {
        return NULL;
    }
    cJSON *schema = typed(list ? "array" : "object");
    (void)cJSON_AddItemToObject(schema, list ? "items" : "additionalProperties", inner);
    return schema;
}

/* Lets null in, in the shortest way that the schema allows; takes it. */
static cJSON *nullable(cJSON *schema)
{
    cJSON *type = cJSON_GetObjectItemCaseSensitive(schema, "type");
    cJSON *names = cJSON_GetObjectItemCaseSensitive(schema, "enum");
    if (!schema || !schema->child) {
        return schema;
    }
    if (!type) {
        cJSON *either = cJSON_CreateObject();
        cJSON *list = cJSON_AddArrayToObject(either, "anyOf");
        (void)cJSON_AddItemToArray(list, schema);
        (void)cJSON_AddItemToArray(list, typed("null"));
        return either;
    }
    cJSON *types = cJSON_IsArray(type) ? cJSON_Duplicate(type, true) : cJSON_CreateArray();
    if (cJSON_IsString(type)) {
        (void)cJSON_AddItemToArray(types, cJSON_CreateString(type->valuestring));
    }
    (void)cJSON_AddItemToArray(types, cJSON_CreateString("null"));
    (void)cJSON_ReplaceItemInObjectCaseSensitive(schema, "type", types);
    if (names) {
        (void)cJSON_AddItemToArray(names, cJSON_CreateNull());
    }
    return schema;
}

cJSON *schema_of(const char *type)
{
    size_t length = strlen(type);
    if (length < 2) {
        return NULL;
    }
    CLEANUP(free_charp) char *inner = NULL;
    if (type[length - 1] == '?') {
        inner = xstrndup(type, length - 1);
        return nullable(schema_of(inner));
    }
    inner = xstrndup(type + 1, length - 2);
    if (type[0] == '[' && type[length - 1] == ']') {
        return container(inner, true);
    }
    if (type[0] == '{' && type[length - 1] == '}') {
        return container(inner, false);
    }
    return word(type);
}

static void add_field(cJSON *properties, cJSON *required, const struct field *field)
{
    size_t length = strcspn(field->name, "?");
    CLEANUP(free_charp) char *name = xstrndup(field->name, length);
    cJSON *schema = schema_of(field->type);
    ASSERT(schema);
    if (field->doc) {
        (void)cJSON_AddStringToObject(schema, "description", field->doc);
    }
    (void)cJSON_AddItemToObject(properties, name, schema);
    if (field->name[length] == '\0') {
        (void)cJSON_AddItemToArray(required, cJSON_CreateString(name));
    }
}

static cJSON *object_schema(const struct object *object)
{
    cJSON *schema = typed("object");
    (void)cJSON_AddStringToObject(schema, "description", object->doc);
    cJSON *properties = cJSON_AddObjectToObject(schema, "properties");
    cJSON *required = cJSON_CreateArray();
    cJSON *others = NULL;
    for (size_t i = 0; i < MAX_FIELDS && object->fields[i].name; i++) {
        if (strcmp(object->fields[i].name, "*") == 0) {
            others = schema_of(object->fields[i].type);
        } else {
            add_field(properties, required, &object->fields[i]);
        }
    }
    others = others ? others : cJSON_CreateFalse();
    if (required->child) {
        (void)cJSON_AddItemToObject(schema, "required", required);
    } else {
        cJSON_Delete(required);
    }
    (void)cJSON_AddItemToObject(schema, "additionalProperties", others);
    return schema;
}

cJSON *schema_components(void)
{
    cJSON *schemas = cJSON_CreateObject();
    for (size_t i = 0; i < N_ELEMENTS(objects); i++) {
        (void)cJSON_AddItemToObject(schemas, objects[i].name, object_schema(&objects[i]));
    }
    return schemas;
}
