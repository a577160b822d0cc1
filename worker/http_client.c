/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP from worker to worker, on libcurl. See http_client.h. */
#include "worker/http_client.h"

#include <curl/curl.h>
#include <strings.h>

#include "worker/base/clock.h"
#include "worker/base/mem.h"

#define CONNECT_TIMEOUT_MS 2000L
#define USER_AGENT         "sluice-worker"

/* One exchange; lives on the caller's stack. */
struct exchange {
    const struct http_client_request *request;
    struct http_client_answer *answer;
    char reason[CURL_ERROR_SIZE];
    bool too_large;
    bool cancelled;
};

void http_client_setup(void)
{
    ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

void http_client_teardown(void)
{
    curl_global_cleanup();
}

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
    struct exchange *exchange = arg;
    size_t length = size * n;
    if (length > exchange->request->max_answer - exchange->answer->body.length) {
        exchange->too_large = true;
        return 0;
    }
    buf_add(&exchange->answer->body, bytes, length);
    return length;
}

static size_t on_header(char *bytes, size_t size, size_t n, void *arg)
{
    struct exchange *exchange = arg;
    size_t length = size * n;
    const char *name = exchange->request->result_header;
    size_t name_length = name ? strlen(name) : 0;
    if (!name || length <= name_length || bytes[name_length] != ':' ||
        strncasecmp(bytes, name, name_length) != 0) {
        return length;
    }
    const char *value = bytes + name_length + 1;
    const char *end = bytes + length;
    while (value < end && (*value == ' ' || *value == '\t')) {
        value++;
    }
    while (end > value && (unsigned char)end[-1] <= ' ') {
        end--;
    }
    (void)snprintf(exchange->answer->header, sizeof(exchange->answer->header), "%.*s",
                   (int)(end - value), value);
    return length;
}

/* curl calls this at least once a second. */
static int on_progress(void *arg, curl_off_t down_total UNUSED, curl_off_t down UNUSED,
                       curl_off_t up_total UNUSED, curl_off_t up UNUSED)
{
    struct exchange *exchange = arg;
    const atomic_bool *cancelled = exchange->request->cancelled;
    exchange->cancelled = cancelled && atomic_load(cancelled);
    return exchange->cancelled ? 1 : 0;
}

static void add_line(struct curl_slist **headers, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*headers, line);
    ASSERT(longer != NULL);
    *headers = longer;
}

static void add_header(struct curl_slist **headers, const char *name, const char *value)
{
    if (!value) {
        return;
    }
    CLEANUP(free_charp) char *line = xasprintf("%s: %s", name, value);
    add_line(headers, line);
}

static struct curl_slist *make_headers(const struct http_client_request *request)
{
    struct curl_slist *headers = NULL;
    add_header(&headers, "Content-Type", request->content_type);
    add_header(&headers, "Authorization", request->authorization);
    add_header(&headers, "Accept", "application/json");
    /* A name with nothing behind the colon takes out what curl would add by itself: the type of a
     * form, and a round trip to ask for leave to send the body. */
    if (!request->content_type) {
        add_line(&headers, "Content-Type:");
    }
    add_line(&headers, "Expect:");
    return headers;
}

static void set_options(CURL *curl, struct exchange *exchange)
{
    const struct http_client_request *request = exchange->request;
    uint64_t now = clock_mono_ms();
    long left = request->deadline_ms > now ? (long)(request->deadline_ms - now) : 1L;
    (void)curl_easy_setopt(curl, CURLOPT_URL, request->url);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    /* Else curl takes segments of dots out, and the other worker reads another path. */
    (void)curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(curl, CURLOPT_USERAGENT, USER_AGENT);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, left);
    (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, exchange->reason);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, exchange);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, exchange);
    (void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    (void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, exchange);
    (void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    if (request->body) {
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
    }
}

static struct curl_blob blob_of(const char *text)
{
    return (struct curl_blob){ .data = xstrdup(text), .len = strlen(text) };
}

/* curl copies nothing here: `blobs` (3 of them) are the caller's to release after the exchange. Not
 * CURLE_OK: curl would trust or show something else than is asked for. */
static CURLcode set_tls(CURL *curl, const struct http_client_tls *tls, struct curl_blob *blobs)
{
    const struct {
        CURLoption option;
        const char *text;
    } texts[] = {
        { CURLOPT_CAINFO_BLOB, tls->authorities },
        { CURLOPT_SSLCERT_BLOB, tls->chain },
        { CURLOPT_SSLKEY_BLOB, tls->key },
    };
    CURLcode code = CURLE_OK;
    for (size_t i = 0; code == CURLE_OK && i < N_ELEMENTS(texts); i++) {
        if (texts[i].text) {
            blobs[i] = blob_of(texts[i].text);
            code = curl_easy_setopt(curl, texts[i].option, &blobs[i]);
        }
    }
    /* The system's directory of authorities would be trusted besides. */
    if (code == CURLE_OK && tls->authorities) {
        code = curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
    }
    if (tls->key_password) {
        (void)curl_easy_setopt(curl, CURLOPT_KEYPASSWD, tls->key_password);
    }
    (void)curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    (void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, tls->verify_host ? 2L : 0L);
    return code;
}

static void wipe(struct curl_blob *blobs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (blobs[i].data) {
            explicit_bzero(blobs[i].data, blobs[i].len);
        }
        free(blobs[i].data);
    }
}

/* Certificates that one side does not take: no retry will mend that. */
static bool is_distrust(CURLcode code)
{
    return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CERTPROBLEM ||
           code == CURLE_SSL_CACERT_BADFILE || code == CURLE_SSL_ISSUER_ERROR ||
           code == CURLE_SSL_CLIENTCERT;
}

/* Whether the failure came before the request could leave this host. */
static bool never_sent(CURL *curl, CURLcode code)
{
    if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
        code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL) {
        return true;
    }
    curl_off_t connected_us = 0;
    (void)curl_easy_getinfo(curl, CURLINFO_CONNECT_TIME_T, &connected_us);
    return connected_us == 0 || code == CURLE_SSL_CONNECT_ERROR;
}

static enum err classify(CURL *curl, CURLcode code, const struct exchange *exchange,
                         struct error *reterr)
{
    const char *reason = exchange->reason[0] ? exchange->reason : curl_easy_strerror(code);
    if (is_distrust(code)) {
        return error_set(reterr, ERR_UNAUTHORIZED, "%s", reason);
    }
    if (never_sent(curl, code)) {
        return error_set(reterr, ERR_UNAVAILABLE, "%s", reason);
    }
    if (exchange->cancelled) {
        return error_set(reterr, ERR_CLOSED, "cancelled");
    }
    if (exchange->too_large) {
        return error_set(reterr, ERR_TOO_LARGE, "the answer has more than %zu bytes",
                         exchange->request->max_answer);
    }
    return error_set(reterr, code == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_IO, "%s", reason);
}

enum err http_client_send(const struct http_client_request *request,
                          struct http_client_answer *ret_answer, struct error *reterr)
{
    *ret_answer = (struct http_client_answer){ .code = 0 };
    buf_init(&ret_answer->body);
    CURL *curl = curl_easy_init();
    if (!curl) {
        return error_set(reterr, ERR_UNAVAILABLE, "no HTTP client handle");
    }
    struct exchange exchange = { .request = request, .answer = ret_answer };
    struct curl_slist *headers = make_headers(request);
    set_options(curl, &exchange);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    struct curl_blob blobs[3] = { { .data = NULL } };
    CURLcode code = request->tls ? set_tls(curl, request->tls, blobs) : CURLE_OK;
    code = code == CURLE_OK ? curl_easy_perform(curl) : code;
    enum err err = ERR_OK;
    if (code == CURLE_OK) {
        long status = 0;
        (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        ret_answer->code = (int)status;
    } else {
        err = classify(curl, code, &exchange, reterr);
    }
    curl_easy_cleanup(curl);
    wipe(blobs, N_ELEMENTS(blobs));
    curl_slist_free_all(headers);
    return err;
}
