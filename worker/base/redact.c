/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Redaction. The published secrets are one array for the process, each with a count of its
 * publishers, under a lock of the highest rank: it is taken for a scan of a log line, and nothing
 * is called under it. While nothing is published a line costs one atomic load.
 */
#include "worker/base/redact.h"

#include <ctype.h>
#include <stdatomic.h>
#include <stdint.h>

#include "worker/base/buf.h"
#include "worker/base/lock.h"
#include "worker/base/mem.h"

void redactions_init(struct redactions *set)
{
    *set = (struct redactions){ .items = NULL };
}

static void redaction_fini(struct redaction *item)
{
    secret_free(item->secret);
    free(item->shown);
}

void redactions_fini(struct redactions *set)
{
    for (size_t i = 0; i < set->n_items; i++) {
        redaction_fini(&set->items[i]);
    }
    free(set->items);
    redactions_init(set);
}

static bool has(const struct redactions *set, const char *secret, size_t length)
{
    for (size_t i = 0; i < set->n_items; i++) {
        const struct redaction *item = &set->items[i];
        if (item->length == length && memcmp(item->secret, secret, length) == 0) {
            return true;
        }
    }
    return false;
}

void redactions_add(struct redactions *set, const char *secret, const char *shown)
{
    while (isspace((unsigned char)*secret)) {
        secret++;
    }
    size_t length = strlen(secret);
    while (length > 0 && isspace((unsigned char)secret[length - 1])) {
        length--;
    }
    if (length == 0 || has(set, secret, length)) {
        return;
    }
    size_t n_bytes = length + strlen(shown);
    if (set->n_items == REDACT_MAX || n_bytes > REDACT_MAX_BYTES - set->n_bytes) {
        set->overflow = true;
        return;
    }
    set->n_bytes += n_bytes;
    if (set->n_items == set->size) {
        set->size = set->size ? set->size * 2 : 8;
        set->items = xrealloc(set->items, set->size * sizeof(*set->items));
    }
    set->items[set->n_items++] = (struct redaction){
        .secret = xmemdup(secret, length),
        .length = length,
        .shown = xstrdup(shown),
    };
}

void redactions_copy(struct redactions *to, const struct redactions *from)
{
    for (size_t i = 0; i < from->n_items; i++) {
        redactions_add(to, from->items[i].secret, from->items[i].shown);
    }
    to->overflow = to->overflow || from->overflow;
}

/* Letters and digits, and everything beyond ASCII. */
static bool is_word(char c)
{
    return isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

/* Texts in which secrets are looked for, and which. */
struct search {
    const struct redaction *items;
    size_t n_items;
    const char *text;
    bool cut; /* the text may end in the middle of a secret */
};

/* How many bytes at p are the secret, 0 if it does not stand there. */
static size_t stands_at(const struct search *search, const struct redaction *item, const char *p)
{
    size_t n = 0;
    while (n < item->length && p[n] && p[n] == item->secret[n]) {
        n++;
    }
    if (n < item->length) {
        return search->cut && p[n] == '\0' && n >= REDACT_MIN ? n : 0;
    }
    bool alone = (p == search->text || !is_word(p[-1])) && !is_word(p[n]);
    return n >= REDACT_MIN || alone ? n : 0;
}

/* The secret of which most stands at p, NULL if none; ret_length gets how much. */
static const struct redaction *find(const struct search *search, const char *p, size_t *ret_length)
{
    const struct redaction *found = NULL;
    *ret_length = 0;
    for (size_t i = 0; i < search->n_items; i++) {
        const struct redaction *item = &search->items[i];
        size_t n = item->secret[0] == *p ? stands_at(search, item, p) : 0;
        if (n > *ret_length) {
            found = item;
            *ret_length = n;
        }
    }
    return found;
}

/* Copies the text with the secrets replaced; tells whether there were any. */
static bool replace(const struct search *search, struct buf *out)
{
    bool first[256] = { false };
    for (size_t i = 0; i < search->n_items; i++) {
        first[(unsigned char)search->items[i].secret[0]] = true;
    }
    bool any = false;
    for (const char *p = search->text; *p;) {
        size_t length = 0;
        const struct redaction *item = first[(unsigned char)*p] ? find(search, p, &length) : NULL;
        if (item) {
            buf_add_text(out, item->shown);
            p += length;
            any = true;
        } else {
            buf_add_char(out, *p++);
        }
    }
    return any;
}

static char *apply(const struct redactions *set, const char *text, bool cut)
{
    if (set->overflow) {
        return xstrdup(SECRET_MASK);
    }
    struct buf out;
    buf_init(&out);
    buf_add_text(&out, "");
    const struct search search = { set->items, set->n_items, text, cut };
    (void)replace(&search, &out);
    return buf_take(&out);
}

char *redactions_apply(const struct redactions *set, const char *text)
{
    return apply(set, text, false);
}

char *redactions_apply_cut(const struct redactions *set, const char *text)
{
    return apply(set, text, true);
}

/* How many bytes of text at p are also in secret: 0 unless REDACT_MIN, or all of a shorter one. */
static size_t shared_at(const char *p, size_t left, const char *secret, size_t length)
{
    size_t least = length < REDACT_MIN ? length : REDACT_MIN;
    const char *end = secret + length;
    const char *hit = left < least ? NULL : memmem(secret, length, p, least);
    size_t n = 0;
    /* A longer part begins nowhere before the first place of a shorter one. */
    while (hit) {
        n = n > least ? n : least;
        while (n < left && n < (size_t)(end - hit) && hit[n] == p[n]) {
            n++;
        }
        hit = n < left ? memmem(hit + 1, (size_t)(end - hit - 1), p, n + 1) : NULL;
    }
    return n;
}

char *redact_parts(const char *text, const char *secret)
{
    size_t length = strlen(secret);
    size_t left = strlen(text);
    struct buf out;
    buf_init(&out);
    buf_add_text(&out, "");
    for (const char *p = text; *p;) {
        size_t n = length ? shared_at(p, left, secret, length) : 0;
        if (n > 0) {
            buf_add_text(&out, SECRET_MASK);
        } else {
            n = 1;
            buf_add_char(&out, *p);
        }
        p += n;
        left -= n;
    }
    return buf_take(&out);
}

/* ---- the log's ---- */

static struct lock published_lock = { .mutex = PTHREAD_MUTEX_INITIALIZER,
                                      .rank = LOCK_RANK_SECRETS };
static struct redaction *published; /* under the lock, as the next two */
static size_t *publishers;
static size_t published_size;
static atomic_size_t n_published; /* changed under the lock */

static size_t index_of(const struct redaction *item)
{
    size_t i = 0;
    while (i < n_published && (published[i].length != item->length ||
                               memcmp(published[i].secret, item->secret, item->length) != 0)) {
        i++;
    }
    return i;
}

static void publish_one(const struct redaction *item)
{
    size_t i = index_of(item);
    if (i < n_published) {
        publishers[i]++;
        return;
    }
    if (i == published_size) {
        published_size = published_size ? published_size * 2 : 32;
        published = xrealloc(published, published_size * sizeof(*published));
        publishers = xrealloc(publishers, published_size * sizeof(*publishers));
    }
    published[i] = (struct redaction){ .secret = xmemdup(item->secret, item->length),
                                       .length = item->length,
                                       .shown = xstrdup(item->shown) };
    publishers[i] = 1;
    n_published = i + 1;
}

static void withdraw_one(const struct redaction *item)
{
    size_t i = index_of(item);
    if (i == n_published || --publishers[i] > 0) {
        return;
    }
    redaction_fini(&published[i]);
    size_t last = n_published - 1;
    published[i] = published[last];
    publishers[i] = publishers[last];
    n_published = last;
    if (last == 0) {
        free(TAKE(published));
        free(TAKE(publishers));
        published_size = 0;
    }
}

static void each(const struct redactions *set, void (*change)(const struct redaction *item))
{
    lock_take(&published_lock);
    for (size_t i = 0; i < set->n_items; i++) {
        if (set->items[i].length >= REDACT_MIN) {
            change(&set->items[i]);
        }
    }
    lock_drop(&published_lock);
}

void redact_publish(const struct redactions *set)
{
    each(set, publish_one);
}

void redact_withdraw(const struct redactions *set)
{
    each(set, withdraw_one);
}

char *redact_log(const char *text)
{
    if (n_published == 0) {
        return NULL;
    }
    struct buf out;
    buf_init(&out);
    lock_take(&published_lock);
    const struct search search = { published, n_published, text, true };
    bool any = replace(&search, &out);
    lock_drop(&published_lock);
    if (any) {
        return buf_take(&out);
    }
    buf_wipe(&out);
    return NULL;
}
