/* SPDX-License-Identifier: Apache-2.0 */
/* PEM text as people write it into properties files. Pure. Thread: any. */
#pragma once

/* pem_tidy rewrites the PEM blocks of text so that every library reads them: markers and base64 in
 * lines of their own, also where the blocks stood in one line with spaces between. Text around the
 * blocks is dropped. Returns an owned text, NULL when there is no complete block. */
char *pem_tidy(const char *text);
