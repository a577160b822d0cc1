/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of a folder say. See file_set.h. */
#include "coordinator/file_set.h"

#include <inttypes.h>
#include <strings.h>

#include "worker/base/json.h"
#include "worker/base/mem.h"
#include "worker/base/redact.h"
#include "worker/validate.h"

struct file_set *file_set_new(void)
{
    struct file_set *set = xcalloc(1, sizeof(*set));
    ref_init(&set->ref);
    /* Two lanes of FNV-1a with different starts: equal digests of different files do not happen by
     * accident, and nobody gains by making some. */
    set->hashes[0] = 0xcbf29ce484222325U;
    set->hashes[1] = 0x9ae16a3b2f90404fU;
    return set;
}

static void item_fini(struct connector_file *item)
{
    free(item->file);
    free(item->connector);
    kvs_fini(&item->config);
    free(item->error);
}

struct file_set *file_set_ref(struct file_set *set)
{
    if (set) {
        ref_take(&set->ref);
    }
    return set;
}

void file_set_unref(struct file_set *set)
{
    if (!set || !ref_drop(&set->ref)) {
        return;
    }
    for (size_t i = 0; i < set->n_items; i++) {
        item_fini(&set->items[i]);
    }
    free(set->items);
    free(set->error);
    free(set);
}

/* ---- one file ---- */

static void hash_bytes(struct file_set *set, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        for (int lane = 0; lane < 2; lane++) {
            set->hashes[lane] = (set->hashes[lane] ^ (unsigned char)bytes[i]) * 0x100000001b3U;
        }
    }
    /* Where one ends and the next one begins. */
    uint64_t end = length;
    for (int lane = 0; lane < 2; lane++) {
        set->hashes[lane] = (set->hashes[lane] ^ end ^ 0x100U) * 0x100000001b3U;
    }
}

static const struct {
    const char *name;
    enum target_state state;
} states[] = {
    { "RUNNING", TARGET_STARTED },
    { "PAUSED", TARGET_PAUSED },
    { "STOPPED", TARGET_STOPPED },
};

static enum err read_state(const cJSON *field, bool *ret_has, enum target_state *ret_state,
                           struct error *reterr)
{
    for (size_t i = 0; cJSON_IsString(field) && i < N_ELEMENTS(states); i++) {
        if (strcasecmp(field->valuestring, states[i].name) == 0) {
            *ret_has = true;
            *ret_state = states[i].state;
            return ERR_OK;
        }
    }
    return error_set(reterr, ERR_INVALID, "field '%s' must be one of RUNNING, PAUSED, STOPPED",
                     field->string);
}

static enum err read_name(const cJSON *field, struct connector_file *item, struct error *reterr)
{
    if (!cJSON_IsString(field)) {
        return error_set(reterr, ERR_INVALID, "field 'name' must be a string");
    }
    free(item->connector);
    item->connector = xstrdup(field->valuestring);
    return ERR_OK;
}

static enum err read_field(const cJSON *field, struct connector_file *item, struct error *reterr)
{
    if (strcmp(field->string, "config") == 0) {
        return json_to_kvs(field, &item->config, reterr);
    }
    if (strcmp(field->string, "name") == 0) {
        return read_name(field, item, reterr);
    }
    if (strcmp(field->string, "state") == 0) {
        return read_state(field, &item->has_state, &item->state, reterr);
    }
    if (strcmp(field->string, "initial_state") == 0) {
        return read_state(field, &item->has_initial, &item->initial, reterr);
    }
    if (strcmp(field->string, "adopt") == 0 && cJSON_IsBool(field)) {
        item->adopt = cJSON_IsTrue(field);
        return ERR_OK;
    }
    return error_set(reterr, ERR_INVALID,
                     "field '%.100s' is not known: beside 'config' there are 'name', 'state', "
                     "'initial_state' (RUNNING, PAUSED or STOPPED) and 'adopt' (true or false)",
                     field->string);
}

/* A file is a config, or an object that has one in its member `config`, as a POST has. */
static enum err read_object(const cJSON *object, struct connector_file *item, struct error *reterr)
{
    if (!cJSON_IsObject(object)) {
        return error_set(reterr, ERR_INVALID, "it must hold a JSON object");
    }
    if (!cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(object, "config"))) {
        return json_to_kvs(object, &item->config, reterr);
    }
    enum err err = ERR_OK;
    for (const cJSON *field = object->child; field && err == ERR_OK; field = field->next) {
        err = read_field(field, item, reterr);
    }
    return err;
}

static enum err check_name(struct connector_file *item, bool wrapped, struct error *reterr)
{
    const char *inner = kvs_get(&item->config, "name");
    if (inner && wrapped && strcmp(inner, item->connector) != 0) {
        return error_set(reterr, ERR_INVALID, "two different names are given");
    }
    if (inner) {
        free(item->connector);
        item->connector = xstrdup(inner);
    }
    struct error error = { ERR_OK, "" };
    if (validate_name(item->connector, &error) != ERR_OK) {
        return error_set(reterr, ERR_INVALID, "the connector's name cannot be used: %s",
                         error.text);
    }
    kvs_set(&item->config, "name", item->connector);
    return ERR_OK;
}

/* A PUT of the same is refused: workers would not read the record. FILE_SET_MAX_FILE bounds its
 * size. */
static enum err check_number(const struct connector_file *item, struct error *reterr)
{
    if (item->config.n_items > JSON_MAX_MEMBERS) {
        return error_set(reterr, ERR_INVALID,
                         "the config has %zu keys with its name, more than the %d that are "
                         "possible: give fewer",
                         item->config.n_items, JSON_MAX_MEMBERS);
    }
    return ERR_OK;
}

/* A mask is what REST shows of a secret: nothing is stored that it could stand for. */
static enum err check_masks(const struct connector_file *item, struct error *reterr)
{
    for (size_t i = 0; i < item->config.n_items; i++) {
        const struct kv *pair = &item->config.items[i];
        if (pair->value && strstr(pair->value, SECRET_MASK)) {
            return error_set(reterr, ERR_INVALID,
                             "the value of %.100s has the mask of a hidden value: give the value, "
                             "or a placeholder of a config provider",
                             pair->key);
        }
    }
    return ERR_OK;
}

static enum err parse(const char *text, size_t length, struct connector_file *item,
                      struct error *reterr)
{
    CLEANUP(json_delete) cJSON *object = NULL;
    enum err err = json_parse(text, length, &object, reterr);
    if (err != ERR_OK) {
        return error_prefix(reterr, err, "it is no JSON");
    }
    err = read_object(object, item, reterr);
    if (err == ERR_OK) {
        bool wrapped = cJSON_GetObjectItemCaseSensitive(object, "name") &&
                       cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(object, "config"));
        err = check_name(item, wrapped, reterr);
    }
    err = err ? err : check_number(item, reterr);
    return err ? err : check_masks(item, reterr);
}

static char *stem(const char *file)
{
    size_t length = strlen(file);
    size_t ending = strlen(FILE_SET_ENDING);
    bool ends = length > ending && strcmp(file + length - ending, FILE_SET_ENDING) == 0;
    return xstrndup(file, ends ? length - ending : length);
}

static void set_error(struct connector_file *item, const char *text)
{
    if (!item->error) {
        item->error = xstrdup(text);
    }
}

void file_set_add(struct file_set *set, const char *file, const char *text, size_t length,
                  const char *error)
{
    if (set->n_items == set->size) {
        set->size = set->size ? set->size * 2 : 16;
        set->items = xrealloc(set->items, set->size * sizeof(*set->items));
    }
    struct connector_file *item = &set->items[set->n_items++];
    *item = (struct connector_file){ .file = xstrdup(file), .connector = stem(file) };
    kvs_init(&item->config);
    hash_bytes(set, file, strlen(file));
    hash_bytes(set, text ? text : "", text ? length : 0);
    struct error reason = { ERR_OK, "" };
    if (!text) {
        set_error(item, error);
        item->unreachable = true;
    } else if (parse(text, length, item, &reason) != ERR_OK) {
        set_error(item, reason.text);
        /* What was half read is not to be taken for a name. */
        free(item->connector);
        item->connector = stem(file);
    }
}

void file_set_mark(struct file_set *set)
{
    set->complete = true;
    hash_bytes(set, FILE_SET_MARKER, strlen(FILE_SET_MARKER));
}

void file_set_fail(struct file_set *set, const char *error)
{
    free(set->error);
    set->error = xstrdup(error);
}

/* ---- the whole ---- */

static void check_item(struct connector_file *item, const struct file_check *check)
{
    struct error error = { ERR_OK, "" };
    enum err err = check->check(check->arg, &item->config, &error);
    if (err != ERR_OK) {
        set_error(item, error.text[0] != '\0' ? error.text : err_text(err));
        item->unreachable = err != ERR_INVALID;
    }
}

static int compare(const void *a, const void *b)
{
    const struct connector_file *one = a;
    const struct connector_file *other = b;
    int order = strcmp(one->connector, other->connector);
    return order ? order : strcmp(one->file, other->file);
}

/* Nobody can say which of them is meant. */
static void refuse_doubles(struct file_set *set)
{
    for (size_t i = 1; i < set->n_items; i++) {
        struct connector_file *one = &set->items[i - 1];
        struct connector_file *other = &set->items[i];
        if (strcmp(one->connector, other->connector) == 0) {
            CLEANUP(free_charp)
            char *text = xasprintf("%s and %s both name the connector %s", one->file, other->file,
                                   one->connector);
            set_error(one, text);
            set_error(other, text);
        }
    }
}

void file_set_finish(struct file_set *set, const struct file_check *check)
{
    if (set->error) {
        for (size_t i = 0; i < set->n_items; i++) {
            item_fini(&set->items[i]);
        }
        set->n_items = 0;
        set->complete = false;
        (void)snprintf(set->digest, sizeof(set->digest), "unreadable");
        return;
    }
    for (size_t i = 0; check->check && i < set->n_items; i++) {
        if (!set->items[i].error) {
            check_item(&set->items[i], check);
        }
    }
    if (set->n_items > 0) {
        qsort(set->items, set->n_items, sizeof(*set->items), compare);
    }
    refuse_doubles(set);
    (void)snprintf(set->digest, sizeof(set->digest), "%016" PRIx64 "%016" PRIx64, set->hashes[0],
                   set->hashes[1]);
}

const struct connector_file *file_set_find(const struct file_set *set, const char *connector)
{
    size_t low = 0;
    size_t high = set->n_items;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(set->items[middle].connector, connector) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool found = low < set->n_items && strcmp(set->items[low].connector, connector) == 0;
    return found ? &set->items[low] : NULL;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool file_set_equal(const struct file_set *a, const struct file_set *b)
{
    if (strcmp(a->digest, b->digest) != 0 || !same_text(a->error, b->error) ||
        a->n_items != b->n_items) {
        return false;
    }
    for (size_t i = 0; i < a->n_items; i++) {
        if (!same_text(a->items[i].error, b->items[i].error)) {
            return false;
        }
    }
    return true;
}
