/* SPDX-License-Identifier: Apache-2.0 */
/* TLS properties of the REST interface. See tls_config.h. */
#include "rest/tls_config.h"

#include <strings.h>

#include "worker/base/config_def.h"
#include "worker/base/config_result.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/base/pem.h"
#include "worker/base/whole_file.h"
#include "worker/worker_config.h"

#define CONVERT                                                                                    \
    "convert a JKS or PKCS12 store with \"keytool -importkeystore\" and \"openssl pkcs12 -nodes\""

static bool has_prefix(const struct kvs *props, const char *prefix)
{
    for (size_t i = 0; i < props->n_items; i++) {
        if (strncmp(props->items[i].key, prefix, strlen(prefix)) == 0) {
            return true;
        }
    }
    return false;
}

const char *tls_config_key(const struct tls_config *config, const char *name, char text[80])
{
    (void)snprintf(text, 80, "%sssl.%s", config->prefix, name);
    return text;
}

/* The value of a key, checked by the row of the key without prefix. NULL: not given or empty. */
static enum err read_value(const struct kvs *props, const struct tls_config *config,
                           const char *name, char **ret_value, struct error *reterr)
{
    char key[80];
    char plain[80];
    (void)tls_config_key(config, name, key);
    (void)snprintf(plain, sizeof(plain), "ssl.%s", name);
    const struct config_def *known = config_find(worker_config_table(), plain);
    ASSERT(known != NULL);
    struct config_def row = *known;
    row.name = key;
    const struct config_table table = { &row, 1 };
    struct config_result result;
    config_result_init(&result);
    config_validate(&table, props, &result);
    const struct config_value *value = config_result_find(&result, key);
    enum err err = ERR_OK;
    if (value && value->n_errors > 0) {
        err = error_set(reterr, ERR_INVALID, "%s", value->errors[0]);
    } else {
        char *text = config_text(&table, props, key);
        *ret_value = text && text[0] ? TAKE(text) : NULL;
        free(text);
    }
    config_result_fini(&result);
    return err;
}

void tls_config_warn(const struct kvs *props, const char *prefix)
{
    for (size_t i = 0; i < props->n_items; i++) {
        const char *key = props->items[i].key;
        if (strncmp(key, prefix, strlen(prefix)) == 0 &&
            !config_find(worker_config_table(), key + strlen(prefix))) {
            log_warn(NULL, "CONFIG-UNKNOWN-KEY",
                     "key=\"%s\" mend=\"behind %s stand names that begin with ssl.\"", key, prefix);
        }
    }
}

static enum err read_protocols(const struct kvs *props, struct tls_config *config,
                               struct error *reterr)
{
    CLEANUP(free_charp) char *text = NULL;
    enum err err = read_value(props, config, "enabled.protocols", &text, reterr);
    if (err != ERR_OK) {
        return err;
    }
    struct config_list list;
    config_list_split(text ? text : "TLSv1.2,TLSv1.3", &list);
    for (size_t i = 0; i < list.n_items; i++) {
        config->tls12 |= strcasecmp(list.items[i], "TLSv1.2") == 0;
        config->tls13 |= strcasecmp(list.items[i], "TLSv1.3") == 0;
    }
    config_list_fini(&list);
    return ERR_OK;
}

static enum err read_client_auth(const struct kvs *props, struct tls_config *config,
                                 struct error *reterr)
{
    CLEANUP(free_charp) char *text = NULL;
    enum err err = read_value(props, config, "client.auth", &text, reterr);
    if (err != ERR_OK) {
        return err;
    }
    char key[80];
    config->client_auth = !text || strcasecmp(text, "none") == 0 ? TLS_CLIENT_NONE
                          : strcasecmp(text, "requested") == 0   ? TLS_CLIENT_REQUESTED
                                                                 : TLS_CLIENT_REQUIRED;
    if (config->client_auth != TLS_CLIENT_NONE && !config->truststore_location &&
        !config->truststore_certificates) {
        return error_set(reterr, ERR_INVALID,
                         "Invalid value %s for configuration %s: nothing says whose certificates "
                         "are good: set ssl.truststore.location or ssl.truststore.certificates "
                         "with the same prefix to PEM",
                         text, tls_config_key(config, "client.auth", key));
    }
    return ERR_OK;
}

static enum err read_texts(const struct kvs *props, struct tls_config *config, struct error *reterr)
{
    CLEANUP(free_charp) char *keystore_type = NULL;
    CLEANUP(free_charp) char *truststore_type = NULL;
    const struct {
        const char *name;
        char **place;
    } texts[] = {
        { "keystore.type", &keystore_type },
        { "truststore.type", &truststore_type },
        { "keystore.location", &config->keystore_location },
        { "keystore.key", &config->keystore_key },
        { "keystore.certificate.chain", &config->keystore_chain },
        { "key.password", &config->key_password },
        { "truststore.location", &config->truststore_location },
        { "truststore.certificates", &config->truststore_certificates },
        { "cipher.suites", &config->cipher_suites },
    };
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        enum err err = read_value(props, config, texts[i].name, texts[i].place, reterr);
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

/* An empty algorithm switches the check off; an absent one means https, as in Connect. */
static bool reads_host(const struct kvs *props, const struct tls_config *config)
{
    char key[80];
    const char *given =
        kvs_get(props, tls_config_key(config, "endpoint.identification.algorithm", key));
    return !given || given[strspn(given, " \t")] != '\0';
}

enum err tls_config_read(const struct kvs *props, const char *prefix, struct tls_config *ret_config,
                         struct error *reterr)
{
    struct tls_config config = { .prefix = "" };
    if (has_prefix(props, prefix)) {
        (void)snprintf(config.prefix, sizeof(config.prefix), "%s", prefix);
    }
    config.verify_host = reads_host(props, &config);
    enum err err = read_texts(props, &config, reterr);
    err = err == ERR_OK ? read_protocols(props, &config, reterr) : err;
    err = err == ERR_OK ? read_client_auth(props, &config, reterr) : err;
    if (err != ERR_OK) {
        tls_config_fini(&config);
        return err;
    }
    *ret_config = config;
    return ERR_OK;
}

void tls_config_fini(struct tls_config *config)
{
    free(config->keystore_location);
    text_wipep(&config->keystore_key);
    free(config->keystore_chain);
    text_wipep(&config->key_password);
    free(config->truststore_location);
    free(config->truststore_certificates);
    free(config->cipher_suites);
    *config = (struct tls_config){ .prefix = "" };
}

/* A PEM text given in place, or in a file; at most one of both is there. */
struct source {
    const char *inline_name;
    const char *inline_text;
    const char *file_name;
    const char *path;
    const char *what; /* it must hold */
};

static enum err load_file(const struct tls_config *config, const struct source *source,
                          char **ret_text, struct error *reterr)
{
    char key[80];
    struct error reason = { ERR_OK, "" };
    struct buf content;
    buf_init(&content);
    enum err err = whole_file_read(source->path, TLS_MAX_FILE, &content, NULL, &reason);
    char *text = err == ERR_OK ? pem_tidy(buf_text(&content)) : NULL;
    buf_wipe(&content);
    (void)tls_config_key(config, source->file_name, key);
    if (err != ERR_OK) {
        return error_set(reterr, err,
                         "Invalid value %s for configuration %s: %s: give a readable PEM file "
                         "with %s",
                         source->path, key, reason.text, source->what);
    }
    if (!text) {
        return error_set(reterr, ERR_INVALID,
                         "Invalid value %s for configuration %s: no PEM block "
                         "(-----BEGIN ...-----) in the file: it must hold %s; " CONVERT,
                         source->path, key, source->what);
    }
    *ret_text = text;
    return ERR_OK;
}

static enum err load_source(const struct tls_config *config, const struct source *source,
                            char **ret_text, struct error *reterr)
{
    char key[80];
    if (source->path) {
        return load_file(config, source, ret_text, reterr);
    }
    if (!source->inline_text) {
        *ret_text = NULL;
        return ERR_OK;
    }
    char *text = pem_tidy(source->inline_text);
    if (!text) {
        return error_set(reterr, ERR_INVALID,
                         "Invalid value for configuration %s: no PEM block (-----BEGIN ...----- to "
                         "-----END ...-----) in it: give %s as PEM text",
                         tls_config_key(config, source->inline_name, key), source->what);
    }
    *ret_text = text;
    return ERR_OK;
}

static enum err check_pairs(const struct tls_config *config, struct error *reterr)
{
    char key[80];
    char other[80];
    if (config->keystore_location && (config->keystore_key || config->keystore_chain)) {
        return error_set(reterr, ERR_INVALID,
                         "Invalid value %s for configuration %s: key and chain are given as PEM "
                         "text too: remove one of both",
                         config->keystore_location,
                         tls_config_key(config, "keystore.location", key));
    }
    if (!config->keystore_key != !config->keystore_chain) {
        return error_set(
            reterr, ERR_INVALID, "Missing configuration %s: it goes with %s",
            tls_config_key(
                config, config->keystore_key ? "keystore.certificate.chain" : "keystore.key", key),
            tls_config_key(config,
                           config->keystore_key ? "keystore.key" : "keystore.certificate.chain",
                           other));
    }
    if (config->truststore_location && config->truststore_certificates) {
        return error_set(reterr, ERR_INVALID,
                         "Invalid value %s for configuration %s: the certificates are given as PEM "
                         "text too: remove one of both",
                         config->truststore_location,
                         tls_config_key(config, "truststore.location", key));
    }
    return ERR_OK;
}

enum err tls_material_load(const struct tls_config *config, struct tls_material *ret_material,
                           struct error *reterr)
{
    const char *both = "the private key and the certificate chain";
    const struct source chain = { "keystore.certificate.chain", config->keystore_chain,
                                  "keystore.location", config->keystore_location, both };
    const struct source key = { "keystore.key", config->keystore_key, NULL, NULL,
                                "the private key" };
    const struct source trust = { "truststore.certificates", config->truststore_certificates,
                                  "truststore.location", config->truststore_location,
                                  "the certificates of the authorities" };
    struct tls_material material = { NULL, NULL, NULL };
    enum err err = check_pairs(config, reterr);
    err = err == ERR_OK ? load_source(config, &chain, &material.chain, reterr) : err;
    err = err == ERR_OK ? load_source(config, &key, &material.key, reterr) : err;
    err = err == ERR_OK ? load_source(config, &trust, &material.trust, reterr) : err;
    if (err != ERR_OK) {
        tls_material_fini(&material);
        return err;
    }
    if (material.chain && !material.key) {
        material.key = xstrdup(material.chain);
    }
    *ret_material = material;
    return ERR_OK;
}

void tls_material_fini(struct tls_material *material)
{
    text_wipep(&material->chain);
    text_wipep(&material->key);
    text_wipep(&material->trust);
    *material = (struct tls_material){ NULL, NULL, NULL };
}
