/* SPDX-License-Identifier: Apache-2.0 */
/* One worker's cluster part in the world of fakes. See world_node.h. */
#include "tests/fakes/world_node.h"

#include <sched.h>

#include "tests/support/unit.h"
#include "worker/base/clock.h"
#include "worker/base/mem.h"

#define PATIENCE_MS 10000

static void on_fatal(void *arg, const char *text)
{
    struct node *node = arg;
    lock_take(&world.lock);
    (void)snprintf(node->fatal, sizeof(node->fatal), "%s", text);
    cond_broadcast(&world.changed);
    lock_drop(&world.lock);
}

void node_begin(struct node *node, const char *worker_id)
{
    struct kvs props;
    kvs_init(&props);
    kvs_set(&props, "bootstrap.servers", "nowhere:9092");
    kvs_set(&props, "group.id", "g");
    kvs_set(&props, "config.storage.topic", "g-configs");
    kvs_set(&props, "status.storage.topic", "g-status");
    kvs_set(&props, "offset.storage.topic", "g-offsets");
    kvs_set(&props, "claims.storage.topic", "g-claims");
    kvs_set(&props, "session.timeout.ms", "1000");
    kvs_set(&props, "rebalance.settle.ms", "0");
    kvs_set(&props, "task.shutdown.graceful.timeout.ms", "5000");
    if (world.connectors_dir) {
        kvs_set(&props, "connectors.dir", world.connectors_dir);
        kvs_set(&props, "connectors.dir.delete.delay.ms", "0");
    }
    if (world.rebalance_timeout) {
        kvs_set(&props, "rebalance.timeout.ms", world.rebalance_timeout);
    }
    CLEANUP(free_charp) char *url = xasprintf("http://%s", worker_id);
    struct cluster_options options = {
        .props = &props, .worker_id = worker_id, .url = url, .on_fatal = on_fatal, .arg = node
    };
    memset(node->fatal, 0, sizeof(node->fatal));
    node->index = world.n_groups;
    struct error error;
    assert_int_equal(cluster_start(&options, &node->cluster, &error), ERR_OK);
    kvs_fini(&props);
}

bool node_has_group(void *arg)
{
    return world.n_groups > ((struct node *)arg)->index;
}

/* Starts a worker and waits until it has joined the group. */
void node_start(struct node *node, const char *worker_id)
{
    node_begin(node, worker_id);
    world_wait(node_has_group, node);
}

struct group *node_group(const struct node *node)
{
    return world.groups[node->index];
}

struct runner *node_runner(const struct node *node)
{
    return world.runners[node->index];
}

void node_free(struct node *node)
{
    bool joined = world.n_groups > node->index;
    cluster_free(node->cluster);
    if (joined) {
        free(node_group(node));
        free(node_runner(node));
        free(world.watches[node->index]);
    }
}

/* Gives slots [from, to) to a node. */
void node_assign(struct node *node, int32_t from, int32_t to)
{
    int32_t slots[WORLD_SLOTS];
    for (int32_t slot = from; slot < to; slot++) {
        slots[slot - from] = slot;
    }
    node_group(node)->callbacks.on_assigned(node_group(node)->callbacks.arg, slots,
                                            (size_t)(to - from));
}

void node_revoke(struct node *node, int32_t from, int32_t to, bool lost)
{
    int32_t slots[WORLD_SLOTS];
    for (int32_t slot = from; slot < to; slot++) {
        slots[slot - from] = slot;
    }
    const struct group_callbacks *callbacks = &node_group(node)->callbacks;
    (lost ? callbacks->on_lost : callbacks->on_revoked)(callbacks->arg, slots, (size_t)(to - from));
}

/* Tells `to` that the group is a, with slots up to border, and b, with the rest; b may be NULL. */
void node_tell_members(struct node *to, struct node *a, struct node *b, int32_t border)
{
    int32_t slots[WORLD_SLOTS];
    for (int32_t slot = 0; slot < WORLD_SLOTS; slot++) {
        slots[slot] = slot;
    }
    struct group_member members[2] = {
        { .slots = slots, .n_slots = (size_t)border },
        { .slots = slots + border, .n_slots = (size_t)(WORLD_SLOTS - border) },
    };
    (void)snprintf(members[0].client_id, sizeof(members[0].client_id), "%s",
                   node_group(a)->client_id);
    if (b) {
        (void)snprintf(members[1].client_id, sizeof(members[1].client_id), "%s",
                       node_group(b)->client_id);
    }
    const struct group_callbacks *callbacks = &node_group(to)->callbacks;
    callbacks->on_members(callbacks->arg, members, b ? 2 : 1);
}

void node_assert_leads(struct node *node)
{
    char url[256];
    bool self = false;
    assert_int_equal(
        cluster_wait_leader(node->cluster, clock_mono_ms() + PATIENCE_MS, url, sizeof(url), &self),
        ERR_OK);
    assert_true(self);
}

/* Starts a worker that is alone and leads. */
void node_start_alone(struct node *node, const char *worker_id)
{
    node_start(node, worker_id);
    node_assign(node, 0, WORLD_SLOTS);
    node_tell_members(node, node, NULL, WORLD_SLOTS);
    node_assert_leads(node);
}

enum err node_change(struct node *node, enum cluster_change kind, const char *name,
                     struct cluster_reply *ret_reply, struct error *reterr)
{
    struct kvs config;
    kvs_init(&config);
    kvs_set(&config, "connector.class", "Fake");
    kvs_set(&config, "tasks.max", "3");
    kvs_set(&config, "name", name);
    struct cluster_request request = {
        .change = kind, .name = name, .config = &config, .if_offset = -1
    };
    enum err err =
        cluster_change(node->cluster, &request, clock_mono_ms() + PATIENCE_MS, ret_reply, reterr);
    kvs_fini(&config);
    return err;
}

enum err node_create(struct node *node, const char *name)
{
    struct cluster_reply reply;
    struct error error;
    return node_change(node, CHANGE_CREATE, name, &reply, &error);
}

/* ---- what tests wait for; each under the world's lock ---- */

struct wanted_tasks {
    struct runner *runner;
    size_t n_running;
};

static bool runs_as_many(void *arg)
{
    const struct wanted_tasks *wanted = arg;
    size_t n = 0;
    for (size_t i = 0; i < wanted->runner->n_tasks; i++) {
        n += wanted->runner->tasks[i].stopped ? 0 : 1;
    }
    return n == wanted->n_running;
}

void node_wait_running(struct node *node, size_t n_running)
{
    struct wanted_tasks wanted = { node_runner(node), n_running };
    world_wait(runs_as_many, &wanted);
}

struct wanted_value {
    const char *key;
    const char *part; /* of the newest value; NULL: a tombstone */
};

static bool newest_has(void *arg)
{
    const struct wanted_value *wanted = arg;
    for (size_t i = world.n_records; i > 0; i--) {
        if (strcmp(world.records[i - 1].key, wanted->key) == 0) {
            const char *value = world.records[i - 1].value;
            return wanted->part ? value && strstr(value, wanted->part) : !value;
        }
    }
    return false;
}

void world_wait_record(const char *key, const char *part)
{
    struct wanted_value wanted = { key, part };
    world_wait(newest_has, &wanted);
}

static bool has_fatal(void *arg)
{
    return ((struct node *)arg)->fatal[0] != '\0';
}

void node_wait_fatal(struct node *node)
{
    world_wait(has_fatal, node);
}

/* The phase has no signal that a test could wait for: look until it is there. */
void node_wait_phase(struct node *node, enum cluster_phase wanted, char *stage, size_t size)
{
    uint64_t deadline = clock_mono_ms() + PATIENCE_MS;
    int64_t since;
    while (cluster_health(node->cluster, stage, size, &since) != wanted) {
        assert_true(clock_mono_ms() < deadline);
        (void)sched_yield();
    }
}
