/* SPDX-License-Identifier: Apache-2.0 */
/* The access log. See access_log.h. */
#include "rest/access_log.h"

#include "rest/router.h"
#include "rest/target.h"
#include "worker/base/log.h"

static bool in_route(const struct route *route, const char *name)
{
    for (size_t i = 0; i < ROUTE_MAX_QUERY && route->query[i].name; i++) {
        if (strcmp(route->query[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Of the query only what the interface knows is logged: the rest may be anything. */
static bool is_known(const char *name)
{
    for (const struct route_table *const *table = routes_all(); *table; table++) {
        for (size_t i = 0; i < (*table)->n_rows; i++) {
            if (in_route(&(*table)->rows[i], name)) {
                return true;
            }
        }
    }
    return strcmp(name, "forward") == 0;
}

static void add_query(struct buf *line, const struct target *target)
{
    char mark = '?';
    for (size_t i = 0; i < target->n_query; i++) {
        if (is_known(target->query[i].name)) {
            buf_printf(line, "%c%s=", mark, target->query[i].name);
            percent_encode(line, target->query[i].value);
            mark = '&';
        }
    }
}

static void add_path(struct buf *line, const char *text)
{
    struct target target;
    if (target_parse(text, &target, NULL) != ERR_OK) {
        buf_add_text(line, "(unreadable)");
        return;
    }
    buf_add_text(line, target.n_segments == 0 ? "/" : "");
    for (size_t i = 0; i < target.n_segments; i++) {
        buf_add_char(line, '/');
        percent_encode(line, target.segments[i]);
    }
    add_query(line, &target);
    target_fini(&target);
}

/* Changes are news; looking is not, and probes and scrapers look all the time. Nor is what anybody
 * could fill the log with. */
static enum log_level access_level(const struct http_request *request,
                                   const struct http_response *response)
{
    bool reads = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0 ||
                 strcmp(request->method, "OPTIONS") == 0;
    bool turned_away = request->refused != 0 || response->code == 401 || response->code == 405 ||
                       response->code == 503;
    return reads || turned_away ? LOG_DEBUG : LOG_INFO;
}

void access_log_write(const struct http_request *request, const struct http_response *response,
                      uint64_t took_us)
{
    enum log_level level = access_level(request, response);
    if (!log_passes(LOGGER_rest_access, level)) {
        return;
    }
    struct buf path;
    struct buf method;
    struct buf user;
    buf_init(&path);
    buf_init(&method);
    buf_init(&user);
    add_path(&path, request->target);
    percent_encode(&method, request->method);
    percent_encode(&user, response->user);
    log_write(level, NULL, "REST-ACCESS",
              "client=%s user=%s method=%.20s path=%.300s code=%d bytes=%zu ms=%.1f",
              request->client, user.length > 0 ? buf_text(&user) : "-", buf_text(&method),
              buf_text(&path), response->code, response->body_length, (double)took_us / 1000.0);
    buf_fini(&path);
    buf_fini(&method);
    buf_fini(&user);
}
