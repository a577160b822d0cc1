/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Before it makes a Kerberos client, and every minute after, librdkafka (2.0.2 to 2.8.0) hands
 * sasl.kerberos.kinit.cmd to system(3), with keytab and principal put in as they are. That command
 * is refused in the table of properties; what is put into it is judged here. See prop_guard.h.
 */
#include "worker/kafka/prop_guard.h"

#include "worker/base/file_kind.h"
#include "worker/kafka/props_table.h"

#define RELOGIN "sasl.kerberos.min.time.before.relogin"
#define KEYTAB  "sasl.kerberos.keytab"

/* None of these means anything to a shell. */
static const char harmless[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                               "0123456789._/@-";
static const char mend[] = "use only letters, digits and . _ / @ - and no - at its beginning: it "
                           "becomes part of the command line of kinit";

static const char *const parts[] = {
    "sasl.kerberos.principal",
    KEYTAB,
    "sasl.kerberos.service.name",
};

void prop_guard_note(struct prop_build *build, const char *name, const char *value)
{
    bool line = strcmp(name, "sasl.jaas.config") == 0 && value && strstr(value, "Krb5LoginModule");
    if (line || strncmp(name, "sasl.kerberos.", strlen("sasl.kerberos.")) == 0) {
        build->own_login = true;
    }
}

/* Names the key that the value came by: its own, or the login line. */
static enum err refuse(const struct prop_build *build, const char *name, const char *value,
                       struct error *reterr)
{
    const char *given = kvs_get(&build->given, name);
    if (given && strcmp(given, value) == 0) {
        return prop_build_refuse(build, name, mend, reterr);
    }
    char why[256];
    (void)snprintf(why, sizeof(why), "its value for %s: %s", name, mend);
    return prop_build_refuse(build, "sasl.jaas.config", why, reterr);
}

enum err prop_guard_login(struct prop_build *build, struct error *reterr)
{
    for (size_t i = 0; i < N_ELEMENTS(parts); i++) {
        const char *value = kvs_get(build->out, parts[i]);
        if (value && (value[0] == '-' || value[strspn(value, harmless)] != '\0')) {
            return refuse(build, parts[i], value, reterr);
        }
    }
    if (build->own_login && prop_role_of_connector(build->role)) {
        kvs_set(build->out, RELOGIN, "0");
        if (kvs_get(&build->given, KEYTAB)) {
            prop_build_ignore(build, KEYTAB);
        }
    }
    return ERR_OK;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text);
    size_t end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

enum err prop_guard_file(const char *name, const char *value, bool tls, struct error *reterr)
{
    struct error why;
    if (!ends_with(name, ".location") && !ends_with(name, ".file")) {
        return ERR_OK;
    }
    /* "probe" looks for the system's authorities in well-known places. */
    bool probe = ends_with(name, ".ca.location") && strcmp(value, "probe") == 0;
    bool read = tls || strncmp(name, "ssl.", 4) != 0;
    if (probe || !read || value[0] == '\0' ||
        file_kind_check(value, ends_with(name, ".ca.location"), &why) == ERR_OK) {
        return ERR_OK;
    }
    return prop_refused(name, value, why.text, reterr);
}
