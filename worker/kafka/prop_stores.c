/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Java's trust and key stores. PEM stores, inline or as a file, become librdkafka's certificate and
 * key properties; a PKCS12 key store is one that librdkafka reads itself; the rest is refused with
 * the way out. See prop_convert.h.
 */
#include <strings.h>

#include "worker/base/buf.h"
#include "worker/base/mem.h"
#include "worker/base/pem.h"
#include "worker/kafka/prop_convert.h"

enum store_type {
    STORE_PEM,
    STORE_PKCS12,
    STORE_JKS,
    STORE_UNKNOWN
};

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text);
    size_t end_length = strlen(end);
    return length >= end_length && strcasecmp(text + length - end_length, end) == 0;
}

/* Without a type, Java assumes JKS; a file's name may tell better. */
static enum store_type type_of(const char *type, const char *location, bool has_inline)
{
    static const char *const pem_ends[] = { ".pem", ".crt", ".cer", ".key" };
    if (type && type[0]) {
        return strcasecmp(type, "PEM") == 0      ? STORE_PEM
               : strcasecmp(type, "PKCS12") == 0 ? STORE_PKCS12
               : strcasecmp(type, "JKS") == 0    ? STORE_JKS
                                                 : STORE_UNKNOWN;
    }
    if (has_inline) {
        return STORE_PEM;
    }
    for (size_t i = 0; i < N_ELEMENTS(pem_ends); i++) {
        if (ends_with(location, pem_ends[i])) {
            return STORE_PEM;
        }
    }
    return ends_with(location, ".p12") || ends_with(location, ".pfx") ? STORE_PKCS12 : STORE_JKS;
}

static enum err set_inline(struct prop_build *build, const char *name, const char *target,
                           struct error *reterr)
{
    CLEANUP(free_charp) char *pem = pem_tidy(kvs_get(&build->given, name));
    if (!pem) {
        return prop_build_refuse(
            build, name, "no PEM block found (-----BEGIN ...----- to -----END ...-----)", reterr);
    }
    kvs_set(build->out, target, pem);
    return ERR_OK;
}

static enum err convert_trust(struct prop_build *build, struct error *reterr)
{
    const struct kvs *given = &build->given;
    const char *location = kvs_get(given, "ssl.truststore.location");
    bool has_inline = kvs_get(given, "ssl.truststore.certificates") != NULL;
    if (!has_inline && (!location || !location[0])) {
        return ERR_OK;
    }
    const char *type = kvs_get(given, "ssl.truststore.type");
    if (type_of(type, location, has_inline) != STORE_PEM) {
        return prop_build_refuse(build, type ? "ssl.truststore.type" : "ssl.truststore.location",
                                 "only PEM trust stores can be read; convert it with \"keytool "
                                 "-exportcert -rfc -keystore <store> -alias <ca> -file ca.pem\" "
                                 "and set ssl.truststore.type=PEM",
                                 reterr);
    }
    if (has_inline) {
        return set_inline(build, "ssl.truststore.certificates", "ssl.ca.pem", reterr);
    }
    kvs_set(build->out, "ssl.ca.location", location);
    return ERR_OK;
}

static enum err convert_inline_key(struct prop_build *build, struct error *reterr)
{
    static const char *const parts[][2] = {
        { "ssl.keystore.certificate.chain", "ssl.certificate.pem" },
        { "ssl.keystore.key", "ssl.key.pem" },
    };
    for (size_t i = 0; i < N_ELEMENTS(parts); i++) {
        if (!kvs_get(&build->given, parts[i][0])) {
            return prop_build_refuse(build, parts[i][0],
                                     "ssl.keystore.certificate.chain and ssl.keystore.key go "
                                     "together",
                                     reterr);
        }
        enum err err = set_inline(build, parts[i][0], parts[i][1], reterr);
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

static enum err convert_key(struct prop_build *build, struct error *reterr)
{
    const struct kvs *given = &build->given;
    const char *location = kvs_get(given, "ssl.keystore.location");
    const char *type = kvs_get(given, "ssl.keystore.type");
    bool has_inline = kvs_get(given, "ssl.keystore.certificate.chain") != NULL ||
                      kvs_get(given, "ssl.keystore.key") != NULL;
    if (!has_inline && (!location || !location[0])) {
        return ERR_OK;
    }
    switch (type_of(type, location, has_inline)) {
    case STORE_PEM:
        if (has_inline) {
            return convert_inline_key(build, reterr);
        }
        /* One file holds the key and its chain. */
        kvs_set(build->out, "ssl.certificate.location", location);
        kvs_set(build->out, "ssl.key.location", location);
        return ERR_OK;
    case STORE_PKCS12:
        kvs_set(build->out, "ssl.keystore.location", location);
        if (kvs_get(given, "ssl.keystore.password")) {
            kvs_set(build->out, "ssl.keystore.password", kvs_get(given, "ssl.keystore.password"));
        }
        return ERR_OK;
    case STORE_JKS:
    case STORE_UNKNOWN:
        break;
    }
    return prop_build_refuse(build, type ? "ssl.keystore.type" : "ssl.keystore.location",
                             "only PEM and PKCS12 key stores can be read; convert it with "
                             "\"keytool -importkeystore -srckeystore <store> -destkeystore "
                             "store.p12 -deststoretype PKCS12\" and set ssl.keystore.type=PKCS12",
                             reterr);
}

/* As in Java, stores are not looked at unless TLS is spoken; at the worker's top level they may
 * belong to the REST listener. */
static bool speaks_tls(const struct prop_build *build)
{
    const char *protocol = kvs_get(&build->given, "security.protocol");
    return protocol && ends_with(protocol, "SSL");
}

enum err prop_convert_stores(struct prop_build *build, struct error *reterr)
{
    if (!speaks_tls(build)) {
        return ERR_OK;
    }
    enum err err = convert_trust(build, reterr);
    return err == ERR_OK ? convert_key(build, reterr) : err;
}
