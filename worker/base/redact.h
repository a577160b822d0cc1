/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts that must not be shown, and what is shown in their place. A set is used on single texts
 * (traces, answers); sets that are published are taken out of every log line of the process, also
 * of those that come from a library.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define SECRET_MASK "[hidden]"
/* Shorter texts would be found everywhere; they are replaced as whole words only. */
#define REDACT_MIN 4
/* No real config has more secrets, or more bytes of them and of what stands for them; of a set that
 * has more, whole texts are masked. */
#define REDACT_MAX       1024
#define REDACT_MAX_BYTES ((size_t)4 * 1024 * 1024)

struct redaction {
    char *secret;
    size_t length;
    char *shown;
};

/* Thread: the owner's. */
struct redactions {
    struct redaction *items;
    size_t n_items;
    size_t size;
    size_t n_bytes;
    bool overflow; /* more than REDACT_MAX or REDACT_MAX_BYTES were added */
};

/* redactions_init makes an empty set; redactions_fini overwrites and releases it. */
void redactions_init(struct redactions *set);
void redactions_fini(struct redactions *set);
/* redactions_add puts a secret into the set, without the white space around it, and what stands for
 * it (both copied). An empty secret, or one that is in the set, changes nothing. */
void redactions_add(struct redactions *set, const char *secret, const char *shown);
/* redactions_copy adds all of `from` to `to`. */
void redactions_copy(struct redactions *to, const struct redactions *from);
/* redactions_apply returns an owned copy of text with the secrets replaced, the longest first where
 * several begin; those shorter than REDACT_MIN only where no letter or digit stands beside.
 * redactions_apply_cut is for texts that may have been cut off: the first REDACT_MIN bytes or more
 * of a secret are replaced at the end of the text as well. */
char *redactions_apply(const struct redactions *set, const char *text);
char *redactions_apply_cut(const struct redactions *set, const char *text);
/* redact_parts returns an owned copy of text in which every part of REDACT_MIN bytes or more that
 * also occurs in secret, or all of a shorter secret, is replaced by the mask: for texts that quote
 * pieces of a value. */
char *redact_parts(const char *text, const char *secret);

/* redact_publish keeps a set (copied; secrets of REDACT_MIN bytes and more) out of the log until
 * redact_withdraw is called with the same content. Thread: any. */
void redact_publish(const struct redactions *set);
void redact_withdraw(const struct redactions *set);
/* redact_log replaces published secrets in a text of a log line: NULL when there is nothing to
 * replace, else an owned text. A secret that was cut at the end of the text counts as in
 * redactions_apply_cut. Thread: any. */
char *redact_log(const char *text);
