/* SPDX-License-Identifier: Apache-2.0 */
/* Connector kinds for tests; takes the place of worker/connectors.c. See plugins.h. */
#include "plugins.h"

#include <stdlib.h>

#include "worker/class_name.h"
#include "worker/connector.h"

static const struct config_def source_rows[] = {
    { .name = "url",
      .type = CONFIG_STRING,
      .required = true,
      .importance = CONFIG_HIGH,
      .group = "Test",
      .order = 1,
      .width = CONFIG_WIDTH_LONG,
      .display_name = "URL",
      .doc = "Where to read." },
    { .name = "password",
      .type = CONFIG_PASSWORD,
      .importance = CONFIG_MEDIUM,
      .group = "Test",
      .order = 2,
      .doc = "Secret of the reader." },
    { .name = "level",
      .type = CONFIG_INT,
      .default_value = "3",
      .has_min = true,
      .min = 1,
      .importance = CONFIG_LOW,
      .group = "Test",
      .order = 3,
      .doc = "Some number." },
};

static const char *const source_names[] = { TEST_SOURCE, "TestSource", NULL };
static const char *const sink_names[] = { "test.TestSinkConnector", NULL };

static const struct connector_plugin source = {
    .class_names = source_names,
    .type = CONNECTOR_SOURCE,
    .version = TEST_VERSION,
    .table = CONFIG_TABLE(source_rows),
};

static const struct connector_plugin sink = {
    .class_names = sink_names,
    .type = CONNECTOR_SINK,
    .version = TEST_VERSION,
    .table = { source_rows, 1 },
};

static const struct connector_plugin *const plugins[] = { &source, &sink, NULL };

const struct connector_plugin *const *connector_plugins(void)
{
    return plugins;
}

const struct connector_plugin *connector_find(const char *class_name)
{
    for (size_t i = 0; plugins[i]; i++) {
        for (const char *const *name = plugins[i]->class_names; *name; name++) {
            if (class_name_is(*name, class_name, "Connector")) {
                return plugins[i];
            }
        }
    }
    return NULL;
}

const char *connector_type_name(enum connector_type type)
{
    return type == CONNECTOR_SOURCE ? "source" : "sink";
}

void connector_configs_free(struct kvs *configs, size_t n_configs)
{
    for (size_t i = 0; i < n_configs; i++) {
        kvs_fini(&configs[i]);
    }
    free(configs);
}
