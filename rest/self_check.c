/* SPDX-License-Identifier: Apache-2.0 */
/* A GET that says whether a worker is well. See self_check.h. */
#include "rest/self_check.h"

#include <strings.h>

#include "rest/listener.h"
#include "rest/tls_config.h"
#include "worker/base/clock.h"
#include "worker/base/mem.h"
#include "worker/http_client.h"
#include "worker/worker_config.h"

#define TIMEOUT_MS    5000U
#define MAX_ANSWER    ((size_t)64 * 1024 * 1024)
#define OWN_PATH      "/health/ready"
#define SHOWN_OF_BODY 200

/* The address at which this machine's clients reach a listener. */
static const char *near_host(const char *host)
{
    if (host[0] == '\0' || strcmp(host, "0.0.0.0") == 0) {
        return "127.0.0.1";
    }
    return strcmp(host, "::") == 0 ? "::1" : host;
}

enum err self_check_url(const struct kvs *props, char *ret_url, size_t size, struct error *reterr)
{
    CLEANUP(free_charp) char *text = worker_config_text(props, "listeners");
    struct listeners listeners;
    enum err err = listeners_parse("listeners", text ? text : "", &listeners, reterr);
    if (err != ERR_OK) {
        return err;
    }
    const struct listener *first = &listeners.items[0];
    if (first->port == 0) {
        return error_set(reterr, ERR_INVALID,
                         "listeners=%s leaves the port open: give the URL to ask", text);
    }
    const char *host = near_host(first->host);
    bool ipv6 = strchr(host, ':') != NULL;
    (void)snprintf(ret_url, size, "%s://%s%s%s:%d%s", first->tls ? "https" : "http",
                   ipv6 ? "[" : "", host, ipv6 ? "]" : "", first->port, OWN_PATH);
    return ERR_OK;
}

static enum err judge(const char *url, const struct http_client_answer *answer,
                      struct error *reterr)
{
    if (answer->code >= 200 && answer->code <= 299) {
        return ERR_OK;
    }
    return error_set(reterr, ERR_UNAVAILABLE, "%s answers %d: %.*s", url, answer->code,
                     SHOWN_OF_BODY, buf_text(&answer->body));
}

static enum err ask(const char *url, const struct http_client_tls *tls, struct error *reterr)
{
    struct http_client_request request = {
        .method = "GET",
        .url = url,
        .deadline_ms = clock_mono_ms() + TIMEOUT_MS,
        .max_answer = MAX_ANSWER,
        .tls = tls,
    };
    struct http_client_answer answer;
    struct error reason = { ERR_OK, "" };
    enum err err = http_client_send(&request, &answer, &reason);
    if (err == ERR_OK) {
        err = judge(url, &answer, reterr);
    } else {
        (void)error_set(reterr, err, "%s does not answer: %s", url, reason.text);
    }
    buf_fini(&answer.body);
    return err;
}

static enum err ask_tls(const struct kvs *props, const char *url, bool own, struct error *reterr)
{
    struct tls_config config;
    enum err err = tls_config_read(props, TLS_LISTENERS, &config, reterr);
    if (err != ERR_OK) {
        return err;
    }
    struct tls_material material = { NULL, NULL, NULL };
    err = tls_material_load(&config, &material, reterr);
    if (err == ERR_OK) {
        struct http_client_tls tls = {
            .authorities = own || !material.trust ? material.chain : material.trust,
            .chain = material.chain,
            .key = material.key,
            .key_password = config.key_password,
            .verify_host = !own && config.verify_host,
        };
        err = ask(url, &tls, reterr);
    }
    tls_material_fini(&material);
    tls_config_fini(&config);
    return err;
}

enum err self_check(const struct kvs *props, const char *url, struct error *reterr)
{
    char own[512];
    bool is_own = url == NULL;
    if (is_own) {
        enum err err = self_check_url(props, own, sizeof(own), reterr);
        if (err != ERR_OK) {
            return err;
        }
        url = own;
    }
    if (strncasecmp(url, "https:", strlen("https:")) == 0) {
        return ask_tls(props, url, is_own, reterr);
    }
    return ask(url, NULL, reterr);
}
