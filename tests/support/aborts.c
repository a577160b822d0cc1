/* SPDX-License-Identifier: Apache-2.0 */
/* Runs code that is expected to abort. See aborts.h. */
#include "tests/support/aborts.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/base/macros.h"

static _Noreturn void child(void (*body)(void *), void *arg)
{
    struct rlimit none = { 0, 0 };
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)signal(SIGABRT, SIG_DFL); /* the test library's own handler reports a failure */
    int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    (void)dup2(null_fd, STDERR_FILENO);
    body(arg);
    _exit(0);
}

bool aborts(void (*body)(void *), void *arg)
{
    (void)fflush(stdout);
    pid_t pid = fork();
    ASSERT(pid >= 0);
    if (pid == 0) {
        child(body, arg);
    }
    int status = 0;
    ASSERT(waitpid(pid, &status, 0) == pid);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}
