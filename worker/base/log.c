/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines on stderr. See log.h. */
#include "worker/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <strings.h>
#include <unistd.h>

#include "worker/base/buf.h"
#include "worker/base/clock.h"
#include "worker/base/loggers.h"
#include "worker/base/mem.h"
#include "worker/base/redact.h"
#include "worker/base/utf8.h"

#define MAX_MESSAGE 8192
#define MAX_PAIRS   32

static atomic_int current_format = LOG_FORMAT_TEXT;

static const char *const level_names[] = { "ERROR", "WARN", "INFO", "DEBUG", "TRACE" };

void log_setup(enum log_level level, enum log_format format)
{
    loggers_reset((int)level);
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

/* Characters that end a line or steer a terminal, beyond the ASCII ones: U+0080 to U+009F, and the
 * line and paragraph separators. */
static bool is_unsafe(const char *text, size_t n)
{
    return (n == 2 && memcmp(text, "\xC2\x80", 2) >= 0 && memcmp(text, "\xC2\x9F", 2) <= 0) ||
           (n == 3 &&
            (memcmp(text, "\xE2\x80\xA8", 3) == 0 || memcmp(text, "\xE2\x80\xA9", 3) == 0));
}

static void add_ascii(struct buf *line, unsigned char c, bool json)
{
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

/* Adds text so that it stays within its line, and within its string in JSON. Bytes that are no
 * UTF-8, or that the log's bound has cut, are shown as \xNN. */
static void add_escaped(struct buf *line, const char *text, size_t length, bool json)
{
    size_t n = 0;
    for (size_t i = 0; i < length; i += n) {
        unsigned char c = (unsigned char)text[i];
        n = utf8_character(text + i, length - i);
        if (n == 1) {
            add_ascii(line, c, json);
        } else if (n > 1 && !is_unsafe(text + i, n)) {
            buf_add(line, text + i, n);
        } else {
            n = 1;
            buf_printf(line, json ? "\\\\x%02x" : "\\x%02x", c);
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

/* Adds a member. A name that the line has already gets a "_" behind it: a value from outside that
 * contains pairs must not take the place of a true one. */
static void add_member(struct buf *line, const char *name, size_t name_length, const char *value,
                       size_t length)
{
    struct buf start;
    buf_init(&start);
    buf_add_text(&start, ",\"");
    add_escaped(&start, name, name_length, true);
    buf_add_text(&start, "\":\"");
    while (strstr(buf_text(line), buf_text(&start))) {
        start.length -= 3;
        buf_add_text(&start, "_\":\"");
    }
    buf_add(line, start.data, start.length);
    buf_fini(&start);
    add_escaped(line, value, length, true);
    buf_add_char(line, '"');
}

/* Writes the pairs `a=1 b="x y"` as JSON members; words without '=' become "message", and so does
 * what follows MAX_PAIRS pairs. */
static void add_json_pairs(struct buf *line, const char *pairs)
{
    const char *p = pairs + strspn(pairs, " ");
    for (int n = 0; *p; n++) {
        size_t name = strcspn(p, "= ");
        if (p[name] != '=' || n == MAX_PAIRS) {
            add_member(line, "message", strlen("message"), p, strlen(p));
            return;
        }
        const char *value = p + name + 1;
        const char *end = value_end(value);
        bool quoted = *value == '"' && end > value + 1 && end[-1] == '"';
        add_member(line, p, name, value + quoted, (size_t)(end - value) - (quoted ? 2 : 0));
        p = end + strspn(end, " ");
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
    message[0] = '\0';
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    CLEANUP(free_charp) char *redacted = redact_log(message);
    const char *shown = redacted ? redacted : message;
    char when[40];
    clock_format_iso(clock_wall_ms(), when, sizeof(when));
    struct buf line;
    buf_init(&line);
    if (current_format == LOG_FORMAT_JSON) {
        add_member(&line, "time", strlen("time"), when, strlen(when));
        add_member(&line, "level", strlen("level"), level_names[level], strlen(level_names[level]));
        add_member(&line, "event", strlen("event"), event, strlen(event));
        if (ctx) {
            add_json_pairs(&line, ctx->text);
        }
        add_json_pairs(&line, shown);
        buf_add_text(&line, "}\n");
        line.data[0] = '{'; /* in place of the first comma */
    } else {
        buf_printf(&line, "%s %-5s %s", when, level_names[level], event);
        if (ctx && ctx->text[0]) {
            buf_add_char(&line, ' ');
            add_escaped(&line, ctx->text, strlen(ctx->text), false);
        }
        if (shown[0]) {
            buf_add_char(&line, ' ');
            add_escaped(&line, shown, strlen(shown), false);
        }
        buf_add_char(&line, '\n');
    }
    write_line(&line);
    buf_fini(&line);
    if (redacted) {
        explicit_bzero(message, sizeof(message));
    }
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
