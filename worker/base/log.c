/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines on stderr. See log.h. */
#include "worker/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <strings.h>
#include <unistd.h>

#include "worker/base/buf.h"
#include "worker/base/clock.h"

#define MAX_MESSAGE 8192

static atomic_int current_level = LOG_INFO;
static atomic_int current_format = LOG_FORMAT_TEXT;

static const char *const level_names[] = { "ERROR", "WARN", "INFO", "DEBUG", "TRACE" };

void log_setup(enum log_level level, enum log_format format)
{
    current_level = (int)level;
    current_format = (int)format;
}

bool log_level_parse(const char *name, enum log_level *ret_level)
{
    for (unsigned i = 0; i < N_ELEMENTS(level_names); i++) {
        if (strcasecmp(name, level_names[i]) == 0) {
            *ret_level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

bool log_enabled(enum log_level level)
{
    return (int)level <= current_level;
}

static void add_escaped(struct buf *line, const char *text, size_t length, bool json)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '\n') {
            buf_add_text(line, "\\n");
        } else if (c == '\t') {
            buf_add_text(line, "\\t");
        } else if (c < 0x20 || c == 0x7F) {
            buf_printf(line, json ? "\\u%04x" : "\\x%02x", c);
        } else if (json && (c == '"' || c == '\\')) {
            buf_add_char(line, '\\');
            buf_add_char(line, (char)c);
        } else {
            buf_add_char(line, (char)c);
        }
    }
}

/* End of the value that starts at text: behind its closing quote, or at the next space. */
static const char *value_end(const char *text)
{
    if (*text != '"') {
        return text + strcspn(text, " ");
    }
    for (const char *p = text + 1; *p; p++) {
        if (*p == '"' && (p[1] == ' ' || p[1] == '\0')) {
            return p + 1;
        }
    }
    return text + strlen(text);
}

/* Writes the pairs `a=1 b="x y"` as JSON members; words without '=' become "message". */
static void add_json_pairs(struct buf *line, const char *pairs)
{
    const char *p = pairs;
    while (*p) {
        p += strspn(p, " ");
        size_t key = strcspn(p, "= ");
        if (p[key] != '=') {
            if (*p) {
                buf_add_text(line, ",\"message\":\"");
                add_escaped(line, p, strlen(p), true);
                buf_add_char(line, '"');
            }
            return;
        }
        const char *value = p + key + 1;
        const char *end = value_end(value);
        bool quoted = *value == '"' && end > value + 1;
        buf_add_text(line, ",\"");
        add_escaped(line, p, key, true);
        buf_add_text(line, "\":\"");
        add_escaped(line, quoted ? value + 1 : value, (size_t)(end - value) - (quoted ? 2 : 0),
                    true);
        buf_add_char(line, '"');
        p = end;
    }
}

static void write_line(const struct buf *line)
{
    const char *p = line->data;
    size_t left = line->length;
    while (left > 0) {
        ssize_t n = write(STDERR_FILENO, p, left);
        if (n < 0 && errno != EINTR) {
            return;
        }
        if (n > 0) {
            p += n;
            left -= (size_t)n;
        }
    }
}

void log_write(enum log_level level, const struct log_ctx *ctx, const char *event,
               const char *format, ...)
{
    char message[MAX_MESSAGE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    char when[40];
    clock_format_iso(clock_wall_ms(), when, sizeof(when));
    struct buf line;
    buf_init(&line);
    if (current_format == LOG_FORMAT_JSON) {
        buf_printf(&line, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\"", when,
                   level_names[level], event);
        if (ctx) {
            add_json_pairs(&line, ctx->text);
        }
        add_json_pairs(&line, message);
        buf_add_text(&line, "}\n");
    } else {
        buf_printf(&line, "%s %-5s %s", when, level_names[level], event);
        if (ctx && ctx->text[0]) {
            buf_add_char(&line, ' ');
            add_escaped(&line, ctx->text, strlen(ctx->text), false);
        }
        if (message[0]) {
            buf_add_char(&line, ' ');
            add_escaped(&line, message, strlen(message), false);
        }
        buf_add_char(&line, '\n');
    }
    write_line(&line);
    buf_fini(&line);
}

bool log_limit_pass(struct log_limit *limit, uint64_t interval_ms, unsigned *ret_suppressed)
{
    uint64_t now = clock_mono_ms();
    uint64_t next = limit->next_ms;
    if (now < next || !atomic_compare_exchange_strong(&limit->next_ms, &next, now + interval_ms)) {
        limit->n_suppressed++;
        return false;
    }
    *ret_suppressed = atomic_exchange(&limit->n_suppressed, 0);
    return true;
}
