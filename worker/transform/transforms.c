/* SPDX-License-Identifier: Apache-2.0 */
/* The transforms that exist. See worker/transform.h. */
#include <string.h>

#include "worker/class_name.h"
#include "worker/transform/kinds.h"

#define ROOM "org.apache.kafka.connect.transforms."
#define BOTH(name, kind)                                                                           \
    { ROOM name "$Key", TRANSFORM_KEY, &(kind) },                                                  \
    {                                                                                              \
        ROOM name "$Value", TRANSFORM_VALUE, &(kind)                                               \
    }
#define WHOLE(name, kind)                                                                          \
    {                                                                                              \
        ROOM name, TRANSFORM_RECORD, &(kind)                                                       \
    }

/* In the order in which Connect lists them: by full name. */
static const struct transform_plugin plugins[] = {
    BOTH("Cast", cast_kind),
    WHOLE("DropHeaders", drop_headers_kind),
    BOTH("ExtractField", extract_field_kind),
    WHOLE("Filter", filter_kind),
    BOTH("Flatten", flatten_kind),
    BOTH("HeaderFrom", header_from_kind),
    BOTH("HoistField", hoist_field_kind),
    BOTH("InsertField", insert_field_kind),
    WHOLE("InsertHeader", insert_header_kind),
    BOTH("MaskField", mask_field_kind),
    WHOLE("RegexRouter", regex_router_kind),
    BOTH("ReplaceField", replace_field_kind),
    BOTH("SetSchemaMetadata", set_schema_metadata_kind),
    BOTH("TimestampConverter", timestamp_converter_kind),
    WHOLE("TimestampRouter", timestamp_router_kind),
    WHOLE("ValueToKey", value_to_key_kind),
    { .class_name = NULL },
};

const struct transform_plugin *transform_plugins(void)
{
    return plugins;
}

/* Connect makes no short names for inner classes. */
static bool is_named(const struct transform_plugin *plugin, const char *class_name)
{
    if (plugin->side != TRANSFORM_RECORD) {
        return strcmp(plugin->class_name, class_name) == 0;
    }
    return class_name_is(plugin->class_name, class_name, "Transformation");
}

const struct transform_plugin *transform_find(const char *class_name)
{
    for (const struct transform_plugin *plugin = plugins; plugin->class_name; plugin++) {
        if (is_named(plugin, class_name)) {
            return plugin;
        }
    }
    return NULL;
}
