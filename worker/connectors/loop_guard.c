/* SPDX-License-Identifier: Apache-2.0 */
/* See loop_guard.h. */
#include "worker/connectors/loop_guard.h"

#include "worker/base/mem.h"

static int compare(const void *a, const void *b)
{
    const char *const *left = a;
    const char *const *right = b;
    return strcmp(*left, *right);
}

static uint64_t addresses_domain(const struct mqtt_uris *uris)
{
    char **names = xcalloc(uris->n_items + 1, sizeof(*names));
    struct buf text;
    buf_init(&text);
    for (size_t i = 0; i < uris->n_items; i++) {
        names[i] = xasprintf("%s:%d", uris->items[i].host, uris->items[i].port);
    }
    qsort(names, uris->n_items, sizeof(*names), compare);
    for (size_t i = 0; i < uris->n_items; i++) {
        buf_printf(&text, "%s%s", i > 0 ? "," : "", names[i]);
        free(names[i]);
    }
    uint64_t domain = trail_domain("mqtt", buf_text(&text));
    buf_fini(&text);
    free(names);
    return domain;
}

void loop_guard_read(const struct config_table *table, const struct kvs *config,
                     const struct mqtt_uris *uris, const struct kvs *worker_props,
                     struct loop_guard *ret_guard)
{
    CLEANUP(free_charp) char *name = config_text(table, config, "mqtt.loop.broker");
    const char *cluster = kvs_get(worker_props, "bootstrap.servers");
    *ret_guard = (struct loop_guard){
        .on = config_bool(table, config, "mqtt.loop.protection"),
        .mqtt = name && name[0] ? trail_domain("mqtt", name) : addresses_domain(uris),
        .kafka = trail_domain("kafka", cluster ? cluster : ""),
    };
}
