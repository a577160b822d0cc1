/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the folder of connectors.dir, and reads it again when it changes (inotify). One thread; it
 * publishes each set that says something new. A set is read when nothing has happened in the folder
 * for a moment, and only kept if nothing happened while it was read: never a half of two versions.
 */
#pragma once

#include "coordinator/file_set.h"
#include "worker/base/err.h"

struct file_reader;

struct file_reader_options {
    const char *folder; /* copied */
    struct file_check check;
    void (*on_change)(void *arg); /* a new set is there; on the reader's thread, must not block */
    void *arg;
};

/* file_reader_start starts the thread. file_reader_stop ends it; may be called twice.
 * file_reader_free releases the rest. Both take NULL. Thread: the owner's. */
struct file_reader *file_reader_start(const struct file_reader_options *options);
void file_reader_stop(struct file_reader *reader);
void file_reader_free(struct file_reader *reader);
/* file_reader_set returns a reference to the newest set, NULL before the first was read. Thread:
 * any. */
struct file_set *file_reader_set(struct file_reader *reader);

/* file_set_read reads a folder into a new set that is not finished yet. Blocks on the disk only. */
struct file_set *file_set_read(const char *folder);
