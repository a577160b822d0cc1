/* SPDX-License-Identifier: Apache-2.0 */
/* Basic authentication. See auth.h. */
#include "rest/auth.h"

#include <strings.h>

#include "rest/tls_digest.h"
#include "worker/base/base64.h"
#include "worker/base/clock.h"
#include "worker/base/config_def.h"
#include "worker/base/lock.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/base/metrics.h"
#include "worker/base/whole_file.h"
#include "worker/worker_config.h"

/* Credentials that are remembered, right and wrong ones each: the wrong ones so that a client that
 * keeps on sending an old password costs nothing. */
#define N_REMEMBERED 64
/* Requests that wait for a hash to be computed: at most so many, and no more than a share of the
 * threads on which they wait. */
#define MAX_WAITING   64U
#define WAITING_SHARE 4U
#define MAX_WAIT_MS   5000U
/* Of them from one address: whoever guesses from a few addresses does not keep others waiting for
 * longer than these take. */
#define MAX_OF_CLIENT 2U
#define CLIENT_SIZE   64
/* After a wrong password no hash is computed for this many times the time that it took. */
#define REST_FACTOR 3U
/* "Basic " and the base64 text. */
#define MAX_AUTHORIZATION 1024

/* What was found out about some credentials. */
struct memory {
    bool used;
    unsigned char digest[DIGEST_SIZE]; /* of "user:password" */
    unsigned char line[DIGEST_SIZE];   /* of the user's hash, which is not kept */
    struct auth_user user;
};

struct memories {
    struct memory items[N_REMEMBERED];
    size_t next; /* place of the next one */
};

/* A request that waits for its turn to have a hash computed. */
struct waiter {
    bool used;
    uint64_t ticket; /* the smallest one is next */
    char client[CLIENT_SIZE];
};

struct auth {
    char *path;
    struct config_list open_paths;
    struct digest_key key;
    struct lock lock;
    struct cond changed;
    /* All under lock. */
    struct auth_table table;
    unsigned generation; /* of the table */
    struct file_stamp stamp;
    bool loading;      /* a thread reads the file */
    uint64_t again_ms; /* when to read it again though it is as before */
    struct memories right;
    struct memories wrong;
    bool hashing;                      /* a thread computes a hash */
    unsigned char hashed[DIGEST_SIZE]; /* for whom */
    uint64_t rest_until_ms;
    uint64_t next_ticket;
    struct waiter waiters[MAX_WAITING];
    unsigned max_waiting; /* immutable */
};

/* Credentials as they were sent. */
struct credentials {
    char text[MAX_AUTHORIZATION]; /* "user:password", then cut at the colon */
    const char *user;
    const char *password;
    unsigned char digest[DIGEST_SIZE];
};

static enum err load_table(const char *path, struct auth_table *ret_table,
                           struct file_stamp *ret_stamp, struct error *reterr)
{
    struct buf content;
    buf_init(&content);
    struct error reason = { ERR_OK, "" };
    enum err err = whole_file_read(path, AUTH_MAX_FILE, &content, ret_stamp, &reason);
    if (err == ERR_OK) {
        err = auth_table_parse(buf_text(&content), content.length, ret_table, &reason);
    }
    buf_wipe(&content);
    if (err != ERR_OK) {
        return error_set(reterr, err,
                         "Invalid value %s for configuration rest.auth.password.file: %s. Give a "
                         "readable file with lines user:hash or user:hash:role; htpasswd -B writes "
                         "such lines",
                         path, reason.text);
    }
    return ERR_OK;
}

enum err auth_check_props(const struct kvs *props, struct error *reterr)
{
    struct auth *auth = NULL;
    enum err err = auth_new(props, 0, &auth, reterr);
    auth_free(auth);
    return err;
}

enum err auth_new(const struct kvs *props, unsigned max_blocking, struct auth **ret_auth,
                  struct error *reterr)
{
    CLEANUP(free_charp) char *type = worker_config_text(props, "rest.auth.type");
    CLEANUP(free_charp) char *path = worker_config_text(props, "rest.auth.password.file");
    bool has_path = path && path[0];
    if (strcasecmp(type, "none") == 0) {
        *ret_auth = NULL;
        return has_path ? error_set(reterr, ERR_INVALID,
                                    "Invalid value none for configuration rest.auth.type: "
                                    "rest.auth.password.file is set: set rest.auth.type=basic, or "
                                    "remove the file's line")
                        : ERR_OK;
    }
    if (!has_path) {
        return error_set(reterr, ERR_INVALID,
                         "Missing configuration rest.auth.password.file: rest.auth.type=basic "
                         "needs a file with lines user:hash or user:hash:role");
    }
    struct auth_table table;
    struct file_stamp stamp;
    enum err err = load_table(path, &table, &stamp, reterr);
    if (err != ERR_OK) {
        return err;
    }
    struct auth *auth = xcalloc(1, sizeof(*auth));
    auth->path = TAKE(path);
    unsigned share = max_blocking / WAITING_SHARE;
    auth->max_waiting = share > MAX_WAITING ? MAX_WAITING : share > 0 ? share : 1;
    auth->table = table;
    auth->stamp = stamp;
    auth->again_ms = UINT64_MAX;
    config_list(worker_config_table(), props, "rest.auth.open.paths", &auth->open_paths);
    digest_key_make(&auth->key);
    lock_init(&auth->lock, LOCK_RANK_REST);
    cond_init(&auth->changed);
    *ret_auth = auth;
    return ERR_OK;
}

void auth_free(struct auth *auth)
{
    if (!auth) {
        return;
    }
    cond_fini(&auth->changed);
    lock_fini(&auth->lock);
    auth_table_fini(&auth->table);
    config_list_fini(&auth->open_paths);
    free(auth->path);
    free(auth);
}

bool auth_is_open(const struct auth *auth, const char *pattern)
{
    for (size_t i = 0; i < auth->open_paths.n_items; i++) {
        if (strcmp(auth->open_paths.items[i], pattern) == 0) {
            return true;
        }
    }
    return false;
}

static bool must_load(struct auth *auth)
{
    struct file_stamp now = file_stamp_of(auth->path);
    lock_take(&auth->lock);
    bool changed = !file_stamp_equal(&now, &auth->stamp) || clock_mono_ms() >= auth->again_ms;
    bool mine = !auth->loading && changed;
    if (mine) {
        auth->loading = true;
        auth->stamp = now;
    }
    lock_drop(&auth->lock);
    return mine;
}

/* One line of the file: who has shown its password before need not show it again while it stays. */
struct line {
    unsigned char digest[DIGEST_SIZE];
};

static struct line *lines_of(const struct auth *auth, const struct auth_table *table)
{
    struct line *lines = xcalloc(table->n_users + 1, sizeof(*lines));
    for (size_t i = 0; i < table->n_users; i++) {
        const char *hash = table->users[i].hash;
        digest_make(&auth->key, hash, strlen(hash), lines[i].digest);
    }
    return lines;
}

/* Forgets who is not in the file any more, or has another password there. */
static void keep_right_locked(struct auth *auth, const struct line *lines)
{
    for (size_t i = 0; i < N_REMEMBERED; i++) {
        struct memory *memory = &auth->right.items[i];
        const struct auth_user *user =
            memory->used ? auth_table_find(&auth->table, memory->user.name) : NULL;
        if (user && digest_equal(lines[user - auth->table.users].digest, memory->line)) {
            memory->user.role = user->role;
        } else {
            memset(memory, 0, sizeof(*memory));
        }
    }
}

static void refresh(struct auth *auth)
{
    if (!must_load(auth)) {
        return;
    }
    struct error error = { ERR_OK, "" };
    struct auth_table table = { NULL, 0 };
    enum err err = load_table(auth->path, &table, NULL, &error);
    size_t n_users = table.n_users;
    struct line *lines = lines_of(auth, &table);
    lock_take(&auth->lock);
    auth->loading = false;
    auth->again_ms = err == ERR_IO ? clock_mono_ms() + FILE_AGAIN_MS : UINT64_MAX;
    if (err == ERR_OK) {
        struct auth_table old = auth->table;
        auth->table = table;
        table = old;
        auth->generation++;
        keep_right_locked(auth, lines);
        memset(&auth->wrong, 0, sizeof(auth->wrong));
    }
    lock_drop(&auth->lock);
    free(lines);
    auth_table_fini(&table);
    if (err == ERR_OK) {
        log_info(NULL, "REST-AUTH-RELOADED", "users=%zu", n_users);
    } else {
        log_error(NULL, "REST-AUTH-RELOAD-FAILED", "text=\"%s\" kept=\"the old users\"",
                  error.text);
    }
}

static bool decode(const struct auth *auth, const char *authorization, struct credentials *sent)
{
    if (!authorization || strncasecmp(authorization, "Basic ", 6) != 0 ||
        strlen(authorization) >= MAX_AUTHORIZATION) {
        return false;
    }
    const char *encoded = authorization + 6;
    encoded += strspn(encoded, " ");
    size_t length = 0;
    size_t encoded_length = strlen(encoded);
    if (base64_size(encoded_length) >= sizeof(sent->text) ||
        !base64_decode(encoded, encoded_length, (unsigned char *)sent->text, &length) ||
        memchr(sent->text, '\0', length)) {
        return false;
    }
    sent->text[length] = '\0';
    digest_make(&auth->key, sent->text, length, sent->digest);
    char *colon = strchr(sent->text, ':');
    if (!colon) {
        return false;
    }
    *colon = '\0';
    sent->user = sent->text;
    sent->password = colon + 1;
    return true;
}

/* Every place is looked at, so that time tells nothing about the digests. */
static const struct memory *recall(const struct memories *memories,
                                   const unsigned char digest[DIGEST_SIZE])
{
    const struct memory *found = NULL;
    for (size_t i = 0; i < N_REMEMBERED; i++) {
        const struct memory *memory = &memories->items[i];
        if (digest_equal(memory->digest, digest) && memory->used) {
            found = memory;
        }
    }
    return found;
}

static void remember(struct memories *memories, const struct credentials *sent,
                     const struct auth_user *user, const struct line *line)
{
    struct memory *memory = &memories->items[memories->next];
    memories->next = (memories->next + 1) % N_REMEMBERED;
    memory->used = true;
    memcpy(memory->digest, sent->digest, DIGEST_SIZE);
    memcpy(memory->line, line->digest, DIGEST_SIZE);
    memory->user = *user;
    explicit_bzero(memory->user.hash, sizeof(memory->user.hash));
}

/* What is known about the credentials already; false: nothing. */
static bool known_locked(const struct auth *auth, const struct credentials *sent,
                         enum auth_verdict *ret_verdict, struct auth_user *ret_user)
{
    const struct memory *memory = recall(&auth->right, sent->digest);
    if (memory) {
        *ret_user = memory->user;
        *ret_verdict = AUTH_GRANTED;
        return true;
    }
    if (recall(&auth->wrong, sent->digest)) {
        *ret_verdict = AUTH_DENIED;
        return true;
    }
    return false;
}

/* A place among those that wait; NULL: there is none, or not for this client. */
static struct waiter *enter_locked(struct auth *auth, const char *client)
{
    struct waiter *place = NULL;
    unsigned n_of_client = 0;
    for (unsigned i = 0; i < auth->max_waiting; i++) {
        struct waiter *waiter = &auth->waiters[i];
        place = !waiter->used && !place ? waiter : place;
        n_of_client += waiter->used && strcmp(waiter->client, client) == 0 ? 1U : 0U;
    }
    if (!place || n_of_client >= MAX_OF_CLIENT) {
        return NULL;
    }
    *place = (struct waiter){ .used = true, .ticket = auth->next_ticket++ };
    (void)snprintf(place->client, sizeof(place->client), "%s", client);
    return place;
}

static bool is_next_locked(const struct auth *auth, const struct waiter *self)
{
    for (unsigned i = 0; i < auth->max_waiting; i++) {
        if (auth->waiters[i].used && auth->waiters[i].ticket < self->ticket) {
            return false;
        }
    }
    return true;
}

/* One request on its way to a turn. */
struct turn {
    const struct credentials *sent;
    const char *client;
    uint64_t deadline_ms;
    struct waiter *place; /* NULL: not among those that wait */
};

/* Takes the turn if it is ours; otherwise ret_until is when to look again, at the latest. False:
 * there is no place to wait. */
static bool step_locked(struct auth *auth, struct turn *turn, bool *ret_mine, uint64_t *ret_until)
{
    uint64_t now = clock_mono_ms();
    *ret_until = turn->deadline_ms;
    /* Who waits for the answer that is being computed adds nothing to the work. */
    if (auth->hashing && digest_equal(auth->hashed, turn->sent->digest)) {
        return true;
    }
    turn->place = turn->place ? turn->place : enter_locked(auth, turn->client);
    if (!turn->place) {
        return false;
    }
    bool next = !auth->hashing && is_next_locked(auth, turn->place);
    if (next && now >= auth->rest_until_ms) {
        *ret_mine = true;
        auth->hashing = true;
        memcpy(auth->hashed, turn->sent->digest, DIGEST_SIZE);
    } else if (next && auth->rest_until_ms < turn->deadline_ms) {
        *ret_until = auth->rest_until_ms;
    }
    return true;
}

/* Waits for a turn to compute a hash, in the order of coming. True: it is ours. False: ret_verdict
 * is the answer. */
static bool take_turn(struct auth *auth, const struct credentials *sent, const char *client,
                      enum auth_verdict *ret_verdict, struct auth_user *ret_user)
{
    struct turn turn = { sent, client, clock_mono_ms() + MAX_WAIT_MS, NULL };
    bool mine = false;
    uint64_t until = 0;
    enum auth_verdict verdict = AUTH_BUSY;
    lock_take(&auth->lock);
    while (!known_locked(auth, sent, &verdict, ret_user) &&
           step_locked(auth, &turn, &mine, &until) && !mine && clock_mono_ms() < turn.deadline_ms) {
        (void)cond_wait_until(&auth->changed, &auth->lock, until);
    }
    if (turn.place) {
        turn.place->used = false;
        cond_broadcast(&auth->changed); /* somebody else is next */
    }
    lock_drop(&auth->lock);
    *ret_verdict = verdict;
    return mine;
}

/* The user whom the credentials name; for one who does not exist somebody else's hash, so that it
 * takes as long to find out. */
static bool pick_user(struct auth *auth, const char *name, struct auth_user *ret_user,
                      unsigned *ret_generation)
{
    lock_take(&auth->lock);
    const struct auth_user *user = auth_table_find(&auth->table, name);
    *ret_user = user ? *user : auth->table.users[0];
    *ret_generation = auth->generation;
    lock_drop(&auth->lock);
    return user != NULL;
}

/* Computes the hash; the turn is given back. False: the file changed meanwhile, so ask again. */
static bool compute(struct auth *auth, const struct credentials *sent,
                    enum auth_verdict *ret_verdict, struct auth_user *ret_user)
{
    unsigned generation = 0;
    uint64_t start = clock_mono_ms();
    bool exists = pick_user(auth, sent->user, ret_user, &generation);
    bool matches = password_matches(sent->password, ret_user->hash) && exists;
    struct line line;
    digest_make(&auth->key, ret_user->hash, strlen(ret_user->hash), line.digest);
    uint64_t now = clock_mono_ms();
    lock_take(&auth->lock);
    bool valid = auth->generation == generation;
    if (valid) {
        remember(matches ? &auth->right : &auth->wrong, sent, ret_user, &line);
    }
    auth->rest_until_ms = matches ? now : now + REST_FACTOR * (now - start);
    auth->hashing = false;
    cond_broadcast(&auth->changed);
    lock_drop(&auth->lock);
    *ret_verdict = matches ? AUTH_GRANTED : AUTH_DENIED;
    return valid;
}

static enum auth_verdict judge(struct auth *auth, const struct credentials *sent,
                               const char *client, struct auth_user *ret_user)
{
    enum auth_verdict verdict = AUTH_BUSY;
    while (take_turn(auth, sent, client, &verdict, ret_user)) {
        if (compute(auth, sent, &verdict, ret_user)) {
            break;
        }
    }
    return verdict;
}

static void log_denied(const char *client)
{
    static struct log_limit limit;
    unsigned suppressed = 0;
    metric_add(metrics_worker(), METRIC_REST_AUTH_FAILURES, 0, 1);
    if (log_limit_pass(&limit, 1000, &suppressed)) {
        log_warn(NULL, "REST-AUTH-DENIED", "client=%s suppressed=%u", client, suppressed);
    }
}

/* What is known without computing anything. */
static enum auth_verdict glance(struct auth *auth, const struct credentials *sent,
                                struct auth_user *ret_user)
{
    enum auth_verdict verdict = AUTH_UNKNOWN;
    lock_take(&auth->lock);
    (void)known_locked(auth, sent, &verdict, ret_user);
    lock_drop(&auth->lock);
    return verdict;
}

enum auth_verdict auth_check(struct auth *auth, const char *authorization, const char *client,
                             bool may_block, struct auth_user *ret_user)
{
    struct credentials sent;
    struct auth_user user;
    refresh(auth);
    enum auth_verdict verdict = AUTH_DENIED;
    if (decode(auth, authorization, &sent)) {
        verdict = glance(auth, &sent, &user);
        verdict =
            verdict == AUTH_UNKNOWN && may_block ? judge(auth, &sent, client, &user) : verdict;
    }
    explicit_bzero(&sent, sizeof(sent));
    if (verdict == AUTH_GRANTED) {
        explicit_bzero(user.hash, sizeof(user.hash));
        *ret_user = user;
    } else if (verdict == AUTH_DENIED && authorization) {
        log_denied(client);
    }
    return verdict;
}
