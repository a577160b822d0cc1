/* SPDX-License-Identifier: Apache-2.0 */
/* The process runs out of open files for a while: what is open stays so, nothing more can be. */
#pragma once

#include <sys/resource.h>

/* no_files_begin lets no further descriptor be made; no_files_end lets it again, with what
 * no_files_begin returned. */
rlim_t no_files_begin(void);
void no_files_end(rlim_t before);
