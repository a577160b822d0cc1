/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of connectors that exist: a new kind is one line in the list. See connector.h. */
#include <stdlib.h>

#include "worker/class_name.h"
#include "worker/connector.h"
#include "worker/connectors/mqtt_sink/mqtt_sink.h"
#include "worker/connectors/mqtt_source/mqtt_source.h"

static const struct connector_plugin *const plugins[] = {
    &mqtt_sink_plugin,
    &mqtt_source_plugin,
    NULL,
};

const struct connector_plugin *const *connector_plugins(void)
{
    return plugins;
}

static bool has_class(const struct connector_plugin *plugin, const char *class_name)
{
    for (const char *const *name = plugin->class_names; *name; name++) {
        if (class_name_is(*name, class_name, "Connector")) {
            return true;
        }
    }
    return false;
}

const struct connector_plugin *connector_find(const char *class_name)
{
    for (size_t i = 0; plugins[i]; i++) {
        if (has_class(plugins[i], class_name)) {
            return plugins[i];
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
