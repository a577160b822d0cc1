/* SPDX-License-Identifier: Apache-2.0 */
/* The limit of open files. See open_files.h. */
#include "worker/base/open_files.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

uint64_t open_files_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return UINT64_MAX;
    }
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : before;
}

enum err open_files_error(struct error *reterr, const char *what, int code)
{
    struct rlimit limit;
    if (code == EMFILE && getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        return error_set(reterr, ERR_UNAVAILABLE,
                         "%s: no open file is left of the %llu that the worker may have "
                         "(RLIMIT_NOFILE): raise the limit (ulimit -n, LimitNOFILE of systemd, "
                         "--ulimit nofile of a container), or give it fewer sessions or tasks",
                         what, (unsigned long long)limit.rlim_cur);
    }
    return error_set(reterr, ERR_UNAVAILABLE, "%s: %s", what, strerror(code));
}
