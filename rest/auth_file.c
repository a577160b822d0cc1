/* SPDX-License-Identifier: Apache-2.0 */
/* The password file. See auth_file.h. */
#include "rest/auth_file.h"

#include <string.h>

#include "worker/base/mem.h"

static enum err wrong_line(size_t number, const char *why, struct error *reterr)
{
    return error_set(reterr, ERR_INVALID, "line %zu: %s", number, why);
}

static bool is_name(const char *name, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)name[i] <= 0x20 || name[i] == 0x7F) {
            return false;
        }
    }
    return length > 0 && length <= AUTH_MAX_USER;
}

static bool parse_role(const char *text, size_t length, enum auth_role *ret_role)
{
    static const struct {
        const char *name;
        enum auth_role role;
    } roles[] = { { "read-only", AUTH_READ_ONLY }, { "admin", AUTH_ADMIN } };
    for (size_t i = 0; i < N_ELEMENTS(roles); i++) {
        if (strlen(roles[i].name) == length && strncmp(roles[i].name, text, length) == 0) {
            *ret_role = roles[i].role;
            return true;
        }
    }
    return false;
}

static const char *parse_user(const char *line, size_t length, struct auth_user *ret_user)
{
    const char *end = line + length;
    const char *colon = memchr(line, ':', length);
    if (!colon || !is_name(line, (size_t)(colon - line))) {
        return "expected user:hash or user:hash:role, a user of 1 to 63 bytes without blanks";
    }
    const char *hash = colon + 1;
    const char *second = memchr(hash, ':', (size_t)(end - hash));
    size_t hash_length = (size_t)((second ? second : end) - hash);
    struct auth_user user = { .role = AUTH_ADMIN };
    if (hash_length > HASH_MAX) {
        return "the hash is too long";
    }
    (void)snprintf(user.name, sizeof(user.name), "%.*s", (int)(colon - line), line);
    (void)snprintf(user.hash, sizeof(user.hash), "%.*s", (int)hash_length, hash);
    const char *why = NULL;
    if (!password_hash_usable(user.hash, &why)) {
        return why;
    }
    if (second && !parse_role(second + 1, (size_t)(end - second - 1), &user.role)) {
        return "the role is neither admin nor read-only";
    }
    *ret_user = user;
    return NULL;
}

static enum err add_line(const char *line, size_t length, size_t number, struct auth_table *table,
                         struct error *reterr)
{
    while (length > 0 && strchr(" \t\r", line[length - 1])) {
        length--;
    }
    if (length == 0 || line[0] == '#') {
        return ERR_OK;
    }
    struct auth_user user;
    const char *why = parse_user(line, length, &user);
    if (!why && auth_table_find(table, user.name)) {
        why = "this user has a line already";
    }
    if (!why && table->n_users == AUTH_MAX_USERS) {
        why = "more than 1000 users";
    }
    if (why) {
        return wrong_line(number, why, reterr);
    }
    table->users = xrealloc(table->users, (table->n_users + 1) * sizeof(*table->users));
    table->users[table->n_users++] = user;
    return ERR_OK;
}

enum err auth_table_parse(const char *text, size_t length, struct auth_table *ret_table,
                          struct error *reterr)
{
    struct auth_table table = { NULL, 0 };
    enum err err = ERR_OK;
    const char *end = text + length;
    size_t number = 1;
    for (const char *line = text; line < end && err == ERR_OK; number++) {
        const char *feed = memchr(line, '\n', (size_t)(end - line));
        size_t size = (size_t)((feed ? feed : end) - line);
        err = memchr(line, '\0', size) ? wrong_line(number, "a NUL byte", reterr)
                                       : add_line(line, size, number, &table, reterr);
        line += size + 1;
    }
    if (err == ERR_OK && table.n_users == 0) {
        err = error_set(reterr, ERR_INVALID, "no user in it");
    }
    if (err != ERR_OK) {
        auth_table_fini(&table);
        return err;
    }
    *ret_table = table;
    return ERR_OK;
}

void auth_table_fini(struct auth_table *table)
{
    free(table->users);
    *table = (struct auth_table){ NULL, 0 };
}

const struct auth_user *auth_table_find(const struct auth_table *table, const char *name)
{
    for (size_t i = 0; i < table->n_users; i++) {
        if (strcmp(table->users[i].name, name) == 0) {
            return &table->users[i];
        }
    }
    return NULL;
}
