/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials of the https listeners. See tls.h. */
#include "rest/tls.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "worker/base/clock.h"
#include "worker/base/lock.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/base/ref.h"
#include "worker/base/whole_file.h"

enum {
    FILE_KEYSTORE,
    FILE_TRUSTSTORE,
    N_FILES
};

/* Credentials of one version of the files; immutable. */
struct tls_identity {
    struct ref ref;
    gnutls_certificate_credentials_t credentials;
    int64_t expires_ms; /* wall clock; of the first certificate */
};

struct tls {
    struct tls_config config;
    gnutls_priority_t priority;
    struct lock lock;
    struct tls_identity *current;      /* under lock */
    struct file_stamp stamps[N_FILES]; /* under lock: versions looked at last */
    bool loading;                      /* under lock: a thread reads the files */
    uint64_t again_ms; /* under lock: when to read them again though they are as before */
};

static void identity_free(struct tls_identity *identity)
{
    gnutls_certificate_free_credentials(identity->credentials);
    free(identity);
}

void tls_end(struct tls_identity *identity)
{
    if (identity && ref_drop(&identity->ref)) {
        identity_free(identity);
    }
}

static gnutls_datum_t datum_of(char *text)
{
    return (gnutls_datum_t){ .data = (unsigned char *)text, .size = (unsigned)strlen(text) };
}

/* What is not there at all, which GnuTLS tells in words that nobody understands. */
static enum err check_blocks(const struct tls_config *config, const struct tls_material *material,
                             struct error *reterr)
{
    static const struct {
        const char *block;
        const char *what;
        const char *name;
    } blocks[] = {
        { "PRIVATE KEY-----", "a private key", "keystore.key" },
        { "CERTIFICATE-----", "a certificate", "keystore.certificate.chain" },
    };
    for (size_t i = 0; i < N_ELEMENTS(blocks); i++) {
        char key[80];
        const char *text = i == 0 ? material->key : material->chain;
        const char *path = config->keystore_location;
        if (!strstr(text, blocks[i].block)) {
            return error_set(
                reterr, ERR_INVALID,
                "Invalid value %s for configuration %s: there is no PEM block of %s "
                "in it: add \"-----BEGIN %s\" and what follows",
                path ? path : "(not shown)",
                tls_config_key(config, path ? "keystore.location" : blocks[i].name, key),
                blocks[i].what, blocks[i].block);
        }
    }
    return ERR_OK;
}

/* Why key and chain cannot be used; the key that is blamed is the one to look at. */
static enum err blame(const struct tls_config *config, int code, struct error *reterr)
{
    char key[80];
    const char *store = config->keystore_location ? "keystore.location" : "keystore.key";
    const char *shown = config->keystore_location ? config->keystore_location : "(not shown)";
    switch (code) {
    case GNUTLS_E_CERTIFICATE_KEY_MISMATCH:
        return error_set(
            reterr, ERR_INVALID,
            "Invalid value %s for configuration %s: the private key does not belong to "
            "the certificate: give the key and the chain that were issued together, "
            "the worker's own certificate first",
            shown, tls_config_key(config, store, key));
    case GNUTLS_E_DECRYPTION_FAILED:
    case GNUTLS_E_INVALID_PASSWORD:
        return error_set(reterr, ERR_INVALID,
                         "Invalid value for configuration %s: the private key cannot be decrypted "
                         "with it: correct the password",
                         tls_config_key(config, "key.password", key));
    default:
        return error_set(reterr, ERR_INVALID,
                         "Invalid value %s for configuration %s: %s It must hold a private key and "
                         "the certificate chain in PEM form",
                         shown, tls_config_key(config, store, key), gnutls_strerror(code));
    }
}

static void note_expiry(struct tls_identity *identity)
{
    gnutls_x509_crt_t *chain = NULL;
    unsigned n = 0;
    if (gnutls_certificate_get_x509_crt(identity->credentials, 0, &chain, &n) != 0) {
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        if (i == 0) {
            identity->expires_ms = (int64_t)gnutls_x509_crt_get_expiration_time(chain[i]) * 1000;
        }
        gnutls_x509_crt_deinit(chain[i]);
    }
    gnutls_free(chain);
}

static enum err set_trust(const struct tls_config *config, struct tls_identity *identity,
                          struct tls_material *material, struct error *reterr)
{
    if (config->client_auth == TLS_CLIENT_NONE) {
        return ERR_OK;
    }
    char key[80];
    gnutls_datum_t trust = datum_of(material->trust);
    int n =
        gnutls_certificate_set_x509_trust_mem(identity->credentials, &trust, GNUTLS_X509_FMT_PEM);
    if (n > 0) {
        return ERR_OK;
    }
    bool file = config->truststore_location != NULL;
    return error_set(
        reterr, ERR_INVALID,
        "Invalid value %s for configuration %s: %s: it must hold the certificates of "
        "the authorities in PEM form",
        file ? config->truststore_location : "(not shown)",
        tls_config_key(config, file ? "truststore.location" : "truststore.certificates", key),
        n < 0 ? gnutls_strerror(n) : "no certificate in it");
}

static enum err make_identity(const struct tls_config *config, struct tls_material *material,
                              struct tls_identity **ret_identity, struct error *reterr)
{
    char key[80];
    if (!material->chain) {
        return error_set(reterr, ERR_INVALID,
                         "Missing configuration %s: an https listener needs a private key and a "
                         "certificate chain: give the path of a PEM file with both",
                         tls_config_key(config, "keystore.location", key));
    }
    enum err err = check_blocks(config, material, reterr);
    if (err != ERR_OK) {
        return err;
    }
    struct tls_identity *identity = xcalloc(1, sizeof(*identity));
    ref_init(&identity->ref);
    ASSERT(gnutls_certificate_allocate_credentials(&identity->credentials) == 0);
    gnutls_datum_t chain = datum_of(material->chain);
    gnutls_datum_t private_key = datum_of(material->key);
    int code = gnutls_certificate_set_x509_key_mem2(identity->credentials, &chain, &private_key,
                                                    GNUTLS_X509_FMT_PEM, config->key_password, 0);
    err = code < 0 ? blame(config, code, reterr) : set_trust(config, identity, material, reterr);
    if (err != ERR_OK) {
        identity_free(identity);
        return err;
    }
    note_expiry(identity);
    *ret_identity = identity;
    return ERR_OK;
}

static enum err load(const struct tls_config *config, struct tls_identity **ret_identity,
                     struct error *reterr)
{
    struct tls_material material;
    enum err err = tls_material_load(config, &material, reterr);
    if (err != ERR_OK) {
        return err;
    }
    err = make_identity(config, &material, ret_identity, reterr);
    tls_material_fini(&material);
    return err;
}

static void log_identity(const struct tls *tls, const struct tls_identity *identity)
{
    char expires[40];
    clock_format_iso(identity->expires_ms, expires, sizeof(expires));
    enum log_level level = identity->expires_ms < clock_wall_ms() ? LOG_WARN : LOG_INFO;
    log_at(level, NULL, "REST-TLS-CERTIFICATE", "keys=\"%sssl.*\" expires=%s%s", tls->config.prefix,
           expires, level == LOG_WARN ? " mend=\"it has expired: renew it\"" : "");
}

static void look(const struct tls_config *config, struct file_stamp stamps[N_FILES])
{
    const char *const paths[N_FILES] = { config->keystore_location, config->truststore_location };
    for (size_t i = 0; i < N_FILES; i++) {
        stamps[i] = paths[i] ? file_stamp_of(paths[i]) : (struct file_stamp){ .size = 0 };
    }
}

enum err tls_check(const struct kvs *props, const char *prefix, struct error *reterr)
{
    struct tls *tls = NULL;
    enum err err = tls_new(props, prefix, &tls, reterr);
    tls_free(tls);
    return err;
}

enum err tls_new(const struct kvs *props, const char *prefix, struct tls **ret_tls,
                 struct error *reterr)
{
    struct tls *tls = xcalloc(1, sizeof(*tls));
    lock_init(&tls->lock, LOCK_RANK_REST);
    CLEANUP(free_charp) char *priority = NULL;
    enum err err = tls_config_read(props, prefix, &tls->config, reterr);
    err = err == ERR_OK ? tls_priority(&tls->config, &priority, reterr) : err;
    if (err == ERR_OK && gnutls_priority_init(&tls->priority, priority, NULL) != 0) {
        char key[80];
        err = error_set(reterr, ERR_INVALID,
                        "Invalid value for configuration %s: these suites do not go together: "
                        "remove the line",
                        tls_config_key(&tls->config, "cipher.suites", key));
    }
    if (err == ERR_OK) {
        look(&tls->config, tls->stamps);
        err = load(&tls->config, &tls->current, reterr);
    }
    tls->again_ms = UINT64_MAX;
    if (err != ERR_OK) {
        tls_free(tls);
        return err;
    }
    *ret_tls = tls;
    return ERR_OK;
}

void tls_free(struct tls *tls)
{
    if (!tls) {
        return;
    }
    tls_end(tls->current);
    if (tls->priority) {
        gnutls_priority_deinit(tls->priority);
    }
    lock_fini(&tls->lock);
    tls_config_fini(&tls->config);
    free(tls);
}

void tls_log(const struct tls *tls)
{
    log_identity(tls, tls->current);
}

/* Whether the files differ from what was looked at last, or that could not be read and it is time
 * to try again; then the caller has to load them. */
static bool must_load(struct tls *tls)
{
    struct file_stamp now[N_FILES];
    look(&tls->config, now);
    lock_take(&tls->lock);
    bool changed = clock_mono_ms() >= tls->again_ms;
    for (size_t i = 0; i < N_FILES; i++) {
        changed |= !file_stamp_equal(&now[i], &tls->stamps[i]);
    }
    bool mine = changed && !tls->loading;
    if (mine) {
        tls->loading = true;
        memcpy(tls->stamps, now, sizeof(now));
    }
    lock_drop(&tls->lock);
    return mine;
}

static void reload(struct tls *tls)
{
    struct error error = { ERR_OK, "" };
    struct tls_identity *made = NULL;
    enum err err = load(&tls->config, &made, &error);
    if (err == ERR_OK) {
        log_identity(tls, made);
    } else {
        log_error(NULL, "REST-TLS-RELOAD-FAILED", "text=\"%s\" kept=\"the old certificate\"",
                  error.text);
    }
    lock_take(&tls->lock);
    struct tls_identity *old = err == ERR_OK ? tls->current : NULL;
    if (err == ERR_OK) {
        tls->current = made;
    }
    tls->again_ms = err == ERR_IO ? clock_mono_ms() + FILE_AGAIN_MS : UINT64_MAX;
    tls->loading = false;
    lock_drop(&tls->lock);
    tls_end(old);
}

/* The alert tells the client why; microhttpd would only close. */
static int refuse_client(gnutls_session_t session, gnutls_alert_description_t alert)
{
    (void)gnutls_alert_send(session, GNUTLS_AL_FATAL, alert);
    return -1;
}

/* The chain of a client must end at a trusted authority and be meant for clients. */
static int verify_chain(gnutls_session_t session)
{
    static char purpose[] = GNUTLS_KP_TLS_WWW_CLIENT;
    gnutls_typed_vdata_st data = { .type = GNUTLS_DT_KEY_PURPOSE_OID,
                                   .data = (unsigned char *)purpose };
    unsigned status = 0;
    int code = gnutls_certificate_verify_peers(session, &data, 1, &status);
    return code < 0 || status != 0 ? refuse_client(session, GNUTLS_A_BAD_CERTIFICATE) : 0;
}

static bool has_certificate(gnutls_session_t session)
{
    unsigned n = 0;
    return gnutls_certificate_get_peers(session, &n) && n > 0;
}

/* GnuTLS calls it in the handshake, also when the client sent no certificate. */
static int verify_required(gnutls_session_t session)
{
    return has_certificate(session) ? verify_chain(session)
                                    : refuse_client(session, GNUTLS_A_CERTIFICATE_REQUIRED);
}

static int verify_requested(gnutls_session_t session)
{
    return has_certificate(session) ? verify_chain(session) : 0;
}

struct tls_identity *tls_begin(struct tls *tls, void *session)
{
    static gnutls_certificate_verify_function *const verifiers[] = { NULL, verify_requested,
                                                                     verify_required };
    if (must_load(tls)) {
        reload(tls);
    }
    lock_take(&tls->lock);
    struct tls_identity *identity = tls->current;
    ref_take(&identity->ref);
    lock_drop(&tls->lock);
    if (verifiers[tls->config.client_auth]) {
        gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
        gnutls_session_set_verify_function(session, verifiers[tls->config.client_auth]);
    }
    /* Should one of these fail, the session has no certificate and its handshake fails. */
    if (gnutls_priority_set(session, tls->priority) == 0) {
        (void)gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, identity->credentials);
    }
    return identity;
}

/* NOLINTNEXTLINE(readability-function-size): the signature is GnuTLS'. */
static int no_certificate(gnutls_session_t session UNUSED, const gnutls_datum_t *names UNUSED,
                          int n_names UNUSED, const gnutls_pk_algorithm_t *algorithms UNUSED,
                          int n_algorithms UNUSED, gnutls_pcert_st **chain UNUSED,
                          unsigned *n_chain UNUSED, gnutls_privkey_t *key UNUSED)
{
    return -1;
}

tls_hook_fn *tls_no_certificate(void)
{
    return (tls_hook_fn *)no_certificate;
}
