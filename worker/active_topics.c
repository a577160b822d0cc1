/* SPDX-License-Identifier: Apache-2.0 */
/* The topics of one task. See active_topics.h. */
#include "worker/active_topics.h"

#include "worker/base/log.h"
#include "worker/base/map.h"
#include "worker/base/mem.h"

struct active_topics {
    const struct offset_port *port;
    const char *connector;
    int task;
    struct map by_name;
    struct active_topic *last; /* of the last get; NULL: none */
    size_t n_used;             /* in the state USED */
    unsigned long removals;    /* the port's count when they were told */
    bool full;
};

struct active_topics *active_topics_new(const struct offset_port *port, const char *connector,
                                        int task)
{
    if (!port->topic_used) {
        return NULL;
    }
    struct active_topics *topics = xcalloc(1, sizeof(*topics));
    topics->port = port;
    topics->connector = connector;
    topics->task = task;
    topics->removals = atomic_load(port->topic_removals);
    map_init(&topics->by_name);
    return topics;
}

void active_topics_free(struct active_topics *topics)
{
    if (!topics) {
        return;
    }
    MAP_FOREACH(&topics->by_name, item) {
        free(item->value);
    }
    map_fini(&topics->by_name);
    free(topics);
}

static struct active_topic *add(struct active_topics *topics, const char *name)
{
    if (topics->by_name.n_entries >= ACTIVE_TOPICS_MAX) {
        if (!topics->full) {
            log_warn(NULL, "TOPICS-UNTRACKED",
                     "connector=\"%s\" task=%d reason=\"it uses more than %d topics\"",
                     topics->connector, topics->task, ACTIVE_TOPICS_MAX);
        }
        topics->full = true;
        return NULL;
    }
    size_t length = strlen(name);
    struct active_topic *topic = xcalloc(1, sizeof(*topic) + length + 1);
    topic->owner = topics;
    memcpy(topic->name, name, length);
    (void)map_set(&topics->by_name, name, topic);
    return topic;
}

struct active_topic *active_topics_get(struct active_topics *topics, const char *name)
{
    if (!topics) {
        return NULL;
    }
    if (topics->last && strcmp(topics->last->name, name) == 0) {
        return topics->last;
    }
    struct active_topic *topic = map_get(&topics->by_name, name);
    topic = topic ? topic : add(topics, name);
    topics->last = topic ? topic : topics->last;
    return topic;
}

void active_topic_used(struct active_topic *topic)
{
    if (topic && topic->state == ACTIVE_TOPIC_SEEN) {
        topic->state = ACTIVE_TOPIC_USED;
        topic->owner->n_used++;
    }
}

void active_topics_tell(struct active_topics *topics)
{
    if (!topics) {
        return;
    }
    unsigned long removals =
        atomic_load_explicit(topics->port->topic_removals, memory_order_relaxed);
    bool forgotten = removals != topics->removals;
    if (topics->n_used == 0 && !forgotten) {
        return;
    }
    topics->removals = removals;
    topics->n_used = 0;
    MAP_FOREACH(&topics->by_name, item) {
        struct active_topic *topic = item->value;
        if (topic->state == ACTIVE_TOPIC_USED) {
            topic->state = ACTIVE_TOPIC_TOLD;
            topics->port->topic_used(topics->port->arg, topics->connector, topics->task,
                                     topic->name);
        } else if (forgotten) {
            topic->state = ACTIVE_TOPIC_SEEN;
        }
    }
}
