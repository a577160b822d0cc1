/* SPDX-License-Identifier: Apache-2.0 */
/* What the process writes to stderr, for tests of logs. Thread: the test's own. */
#pragma once

struct capture {
    int saved_fd;
    int file_fd;
};

/* capture_start sends stderr to a file. No assertion may fail before capture_stop, or its message
 * is lost. */
void capture_start(struct capture *capture);
/* capture_stop gives stderr back and returns what was written, owned. */
char *capture_stop(struct capture *capture);
