/* SPDX-License-Identifier: Apache-2.0 */
/* See folder.h. */
#include "folder.h"

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/unit.h"
#include "worker/base/mem.h"

void folder_make(struct folder *folder)
{
    (void)snprintf(folder->path, sizeof(folder->path), "/tmp/sluice-providers-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
}

static int remove_one(const char *path, const struct stat *stat UNUSED, int flag UNUSED,
                      struct FTW *ftw UNUSED)
{
    return remove(path);
}

void folder_remove(struct folder *folder)
{
    assert_int_equal(nftw(folder->path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

char *folder_path(const struct folder *folder, const char *name)
{
    return xasprintf("%s/%s", folder->path, name);
}

void folder_write_bytes(const struct folder *folder, const char *name, const void *bytes,
                        size_t length)
{
    CLEANUP(free_charp) char *path = folder_path(folder, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

void folder_write(const struct folder *folder, const char *name, const char *text)
{
    folder_write_bytes(folder, name, text, strlen(text));
}

void folder_link(const struct folder *folder, const char *name, const char *target)
{
    CLEANUP(free_charp) char *path = folder_path(folder, name);
    CLEANUP(free_charp) char *fresh = xasprintf("%s.new", path);
    assert_int_equal(symlink(target, fresh), 0);
    assert_int_equal(rename(fresh, path), 0);
}

void folder_sub(const struct folder *folder, const char *name)
{
    CLEANUP(free_charp) char *path = folder_path(folder, name);
    assert_int_equal(mkdir(path, 0700), 0);
}
