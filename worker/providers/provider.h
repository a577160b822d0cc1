/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the room: one kind of provider is one row, one configured provider one struct provider.
 */
#pragma once

#include "worker/base/config_def.h"
#include "worker/base/err.h"
#include "worker/base/kvs.h"
#include "worker/base/regex.h"

struct provider {
    char *name;
    const struct provider_plugin *plugin;
    struct config_list allowed; /* param.allowed.paths; none: every path */
    struct regex *pattern;      /* param.allowlist.pattern; NULL: everything */
};

/* What is wanted of one place, and what was found there. */
struct lookup {
    const struct provider *provider;
    char *path;
    struct config_list keys;
    struct kvs values;        /* of the keys that exist */
    struct config_list files; /* that were read */
};

struct provider_plugin {
    const char *class_name; /* Kafka's; the name behind the last dot means it too */
    bool reads_files;
    /* Fills values and files. ERR_IO with Kafka Connect's text when something that exists cannot
     * be read. What is missing or not allowed is no error: it is left out, and logged if the
     * operator has to mend it. */
    enum err (*get)(struct lookup *lookup, struct error *reterr);
};

extern const struct provider_plugin file_provider;
extern const struct provider_plugin directory_provider;
extern const struct provider_plugin env_var_provider;

/* lookup_add_file notes a path that was read. */
void lookup_add_file(struct lookup *lookup, const char *path);

/* A placeholder in a text; the parts point into it. */
struct placeholder {
    const char *start; /* of "${" */
    const char *end;   /* behind "}" */
    const char *provider;
    size_t provider_length;
    const char *path;
    size_t path_length;
    const char *key;
    size_t key_length;
};

/* placeholder_next finds the first placeholder at or behind text, as the expression
 * \$\{([^}]*?):(([^}]*?):)?([^}]*?)\} does; false if there is none. */
bool placeholder_next(const char *text, struct placeholder *ret_placeholder);
