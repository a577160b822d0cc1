/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of files for the tests of the config providers, gone when the test ends. */
#pragma once

#include <stddef.h>

struct folder {
    char path[64];
};

/* folder_make makes an empty folder; folder_remove removes it and what is in it. */
void folder_make(struct folder *folder);
void folder_remove(struct folder *folder);
/* folder_path returns the owned path of a name in the folder. */
char *folder_path(const struct folder *folder, const char *name);
/* folder_write writes a file; folder_write_bytes one of any bytes. */
void folder_write(const struct folder *folder, const char *name, const char *text);
void folder_write_bytes(const struct folder *folder, const char *name, const void *bytes,
                        size_t length);
/* folder_link makes or replaces, atomically, a symbolic link to target. */
void folder_link(const struct folder *folder, const char *name, const char *target);
/* folder_sub makes a folder inside. */
void folder_sub(const struct folder *folder, const char *name);
